// SPDX-License-Identifier: MIT
//
//! Compiles libttsb's C files into the crate, or links an installed library.
//!
//! In: the folder above (or TTSB_SOURCE_DIR), a C compiler, xxhash.h. Out: a
//! static library for rustc. Invariant: the files and flags are those of
//! runtime/CMakeLists.txt; of a program's own it honours CC, CFLAGS and AR,
//! each with `_TARGET` behind its name first.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=TTSB_LIB_DIR");
    println!("cargo:rerun-if-env-changed=TTSB_SOURCE_DIR");
    println!("cargo:rerun-if-env-changed=XXHASH_INCLUDE");
    let folder = env::var_os("TTSB_LIB_DIR");
    if folder.is_some() || env::var_os("CARGO_FEATURE_SYSTEM").is_some() {
        if let Some(folder) = folder {
            println!(
                "cargo:rustc-link-search=native={}",
                Path::new(&folder).display()
            );
        }
        println!("cargo:rustc-link-lib=dylib=ttsb");
        return;
    }
    compile();
}

/// The value of NAME_TARGET, of NAME, or none; an empty one is none.
fn variable(name: &str) -> Option<String> {
    let target = cargo("TARGET").replace('-', "_");
    let special = format!("{}_{}", name, target);
    println!("cargo:rerun-if-env-changed={}", special);
    println!("cargo:rerun-if-env-changed={}", name);
    let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    set(&special).or_else(|| set(name))
}

/// What cargo always sets.
fn cargo(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {}", name))
}

fn compile() {
    let here = PathBuf::from(cargo("CARGO_MANIFEST_DIR"));
    let sources = env::var_os("TTSB_SOURCE_DIR").map_or_else(|| here.join(".."), PathBuf::from);
    let out = PathBuf::from(cargo("OUT_DIR"));
    let compiler = Compiler::new();
    let mut objects = Vec::new();
    for path in files(&sources) {
        objects.push(compiler.object(&path, &out));
    }
    watch(&sources);
    let library = out.join("libttsb.a");
    // `ar` would leave members of an older build in.
    let _ = fs::remove_file(&library);
    run(Command::new(variable("AR").unwrap_or_else(|| tool("ar")))
        .arg("crs")
        .arg(&library)
        .args(&objects));
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-lib=static=ttsb");
    println!("cargo:include={}", sources.display());
}

/// All C files of the runtime but those of CUDA and of other processors.
fn files(folder: &Path) -> Vec<PathBuf> {
    let x86 = cargo("CARGO_CFG_TARGET_ARCH") == "x86_64";
    let entries = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("libttsb's sources, {}: {}", folder.display(), error));
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().map_or(false, |end| end == "c"))
        .filter(|path| match stem(path).as_str() {
            "hash_x86" | "hash_avx2" | "hash_avx512" => x86,
            "hash_plain" => !x86,
            name => !name.starts_with("cuda"),
        })
        .collect();
    paths.sort();
    assert!(
        paths.iter().any(|path| stem(path) == "open"),
        "{} does not hold libttsb's sources: set TTSB_SOURCE_DIR, or TTSB_LIB_DIR for an \
         installed library",
        folder.display()
    );
    paths
}

/// Builds again when a source changes or CMake's list of them does. Not when the
/// folder does: cargo's own output may lie in it.
fn watch(folder: &Path) {
    for entry in fs::read_dir(folder).expect("files() has read it") {
        let path = entry.expect("a readable folder").path();
        let end = path.extension().unwrap_or_default();
        if end == "c" || end == "h" || end == "txt" {
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// The name of a tool: with the target before it where that is not the host.
fn tool(name: &str) -> String {
    let (target, host) = (cargo("TARGET"), cargo("HOST"));
    if target == host {
        name.to_string()
    } else {
        let name = if name == "cc" { "gcc" } else { name };
        format!("{}-{}", target.replace("-unknown-", "-"), name)
    }
}

/// CC as shells use it: a program, or one with its first arguments.
fn words(program: String) -> Vec<String> {
    if Path::new(&program).exists() {
        return vec![program];
    }
    program.split_whitespace().map(String::from).collect()
}

struct Compiler {
    program: Vec<String>,
    flags: Vec<OsString>,
}

impl Compiler {
    fn new() -> Compiler {
        let fixed = "-std=c11 -D_GNU_SOURCE -DNDEBUG -fPIC -fvisibility=hidden \
                     -ffp-contract=off -pthread";
        let mut flags: Vec<OsString> = fixed.split_whitespace().map(OsString::from).collect();
        if env::var("DEBUG").map_or(false, |debug| debug != "false" && debug != "0") {
            flags.push("-g".into());
        }
        if let Some(folder) = env::var_os("XXHASH_INCLUDE") {
            flags.push("-isystem".into());
            flags.push(folder);
        }
        if let Some(more) = variable("CFLAGS") {
            flags.extend(more.split_whitespace().map(OsString::from));
        }
        Compiler {
            program: words(variable("CC").unwrap_or_else(|| tool("cc"))),
            flags,
        }
    }

    fn object(&self, source: &Path, out: &Path) -> PathBuf {
        let name = stem(source);
        let object = out.join(format!("{}.o", name));
        let special: &[&str] = match name.as_str() {
            "hash" | "hash_x86" | "hash_plain" => &["-O2"],
            "hash_avx2" => &["-O2", "-mavx2"],
            "hash_avx512" => &["-O2", "-mavx512f"],
            _ => &["-Os"],
        };
        run(Command::new(&self.program[0])
            .args(&self.program[1..])
            .args(special)
            .args(&self.flags)
            .arg("-c")
            .arg(source)
            .arg("-o")
            .arg(&object));
        object
    }
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{:?}: {}", command, error));
    assert!(
        status.success(),
        "{:?}: {}; where xxhash.h is missing, install libxxhash-dev or set XXHASH_INCLUDE to \
         its folder",
        command,
        status
    );
}
