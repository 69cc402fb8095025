#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The package from outside: installs the build into a fresh prefix, moves the
prefix, and builds tests/consumer against it, with Ninja, with Make, and by hand
with pkg-config; the paths have blanks in them. What a change makes anew is told
by the times of all files before and after.

Arguments: cmake, the build folder, a C and a C++ compiler."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import checkpoints as ck

CMAKE, BUILD, CC, CXX, WITH = sys.argv[1:6] if len(sys.argv) > 5 else (
    "cmake", str(ck.ROOT / "build"), "cc", "c++", "OFF")
HAS_CUDA = WITH == "ON"
GENERATORS = {"Ninja": "ninja", "Unix Makefiles": "make"}
CONSUMER = ck.HERE / "consumer"
FEAT = ck.FIXTURES / "feat"
VERSION = re.search(r'TTSB_VERSION "(.*)"', (ck.ROOT / "runtime/ttsb.h").read_text()).group(1)
FLAGS = "-Wall -Wextra -Wpedantic -Wconversion -Werror"
HAND_FLAGS = [*FLAGS.split(), "-Iby_hand"]


def run(*command, code=0, **options):
    """Standard output and error together."""
    done = subprocess.run([str(c) for c in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options)
    ok = done.returncode == 0 if code == 0 else done.returncode != 0
    assert ok, (command, done.returncode, done.stdout)
    return done.stdout


def environment(**more):
    """Ours without what would lead to another package."""
    dropped = ("CMAKE_", "PKG_CONFIG", "LD_LIBRARY_PATH", "DESTDIR", "MAKE", "TTSWC",
               "CFLAGS", "CXXFLAGS", "LDFLAGS")
    return {**{k: v for k, v in os.environ.items() if not k.startswith(dropped)}, **more}


def change(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new))


def expected(root):
    """What the engine prints of the shards as they are."""
    spk = ck.floats("F32", ck.read(root / "model/feat1_tiny.safetensors")["feat1"][2])
    emo = ck.floats("F32", ck.read(root / "model/feat2_tiny.safetensors")["feat2"][2])
    return f"{spk[0]:.9g} {emo[0]:.9g} {sum(emo[::12]):.9g} {VERSION}\n"


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.dir = pathlib.Path(holder.name).resolve()
        run(CMAKE, "--install", BUILD, "--prefix", cls.dir / "first", env=environment())
        cls.prefix = cls.dir / "moved" / "the prefix"
        cls.prefix.parent.mkdir()
        (cls.dir / "first").rename(cls.prefix)
        pc, = cls.prefix.glob("**/ttsb.pc")
        cls.lib, cls.pkgconfig = pc.parent.parent, pc.parent

    @classmethod
    def project(cls, name):
        """A fresh copy of the consumer with its model."""
        root = cls.dir / name
        shutil.copytree(CONSUMER, root)
        model = root / "model"
        (model / "style").mkdir(parents=True)
        (root / "pair.yaml").rename(model / "pair.yaml")
        for part in ("tiny", "body"):
            shutil.copy(ck.SPECS / f"indextts2/feat_{part}.yaml", model)
        for i in (1, 2):
            shutil.copy(FEAT / f"feat{i}_tiny.safetensors", model)
        shutil.copy(FEAT / "feat1_tiny.safetensors", model / "style")
        (model / "feat.safetensors.index.json").write_text(json.dumps(
            {"weight_map": {f"feat{i}": f"feat{i}_tiny.safetensors" for i in (1, 2)}}))
        return root


class Installed(Package):
    def test_what_is_there(self):
        have = {str(p.relative_to(self.prefix)) for p in self.prefix.rglob("*")}
        lib = str(self.lib.relative_to(self.prefix))
        commands = re.findall(r"^  ([a-z]+) ", ck.ttswc("help")[0].split("commands:")[1], re.M)
        commands.remove("help")
        self.assertGreater(len(commands), 12)
        want = {"bin/ttswc"} | {f"include/ttsb{h}.h" for h in ("", "_types", "_use", "_dlpack")}
        want |= {f"{lib}/{f}" for f in (
            "libttsb.so", "libttsb.so.1", f"libttsb.so.{VERSION}", "libttsb.a",
            "cmake/ttsb/ttsbConfig.cmake", "cmake/ttsb/ttsbConfigVersion.cmake",
            "cmake/ttsb/ttswcAddModel.cmake", "pkgconfig/ttsb.pc")}
        want |= {f"share/man/man1/{'-'.join(['ttswc', *c])}.1"
                 for c in [[], *([c] for c in commands)]}
        want |= {f"share/{f}" for f in (
            "bash-completion/completions/ttswc", "zsh/site-functions/_ttswc",
            "fish/vendor_completions.d/ttswc.fish", "doc/ttswc/LICENSE", "doc/ttswc/FORMAT.md",
            "ttswc/specs/indextts2/gpt.yaml")}
        self.assertEqual(want - have, set())
        self.assertTrue(
            (self.prefix / "share/ttswc/specs/indextts2/common/layers.yaml").is_file())
        pages = {p for p in have if p.startswith("share/man/man1/")}
        self.assertEqual(pages - want, set())

    def test_texts_are_ttswcs_own(self):
        for file, *words in (("man/man1/ttswc.1", "--man"),
                             ("man/man1/ttswc-compile.1", "--man", "compile"),
                             ("bash-completion/completions/ttswc", "--completion", "bash"),
                             ("zsh/site-functions/_ttswc", "--completion", "zsh"),
                             ("fish/vendor_completions.d/ttswc.fish", "--completion", "fish")):
            said = ck.ttswc("help", *words)[0]
            self.assertGreater(len(said), 500)
            self.assertEqual((self.prefix / "share" / file).read_text(), said)

    def test_no_path_of_the_build(self):
        folders = [os.fsencode(p) for p in (ck.ROOT, pathlib.Path(BUILD).resolve(), self.dir)]
        for path in self.prefix.rglob("*"):
            # A debug build names its sources in what it compiled.
            if path.is_file() and path.suffix in (".cmake", ".pc", ".h", ".1"):
                text = path.read_bytes()
                self.assertEqual([f for f in folders if f in text], [], path)
        for file in (self.prefix / "bin/ttswc", self.lib / "libttsb.so"):
            said = run("readelf", "-d", file)
            self.assertIn("NEEDED", said)
            self.assertNotRegex(said, "RPATH|RUNPATH")

    def test_destdir(self):
        run(CMAKE, "--install", BUILD, "--prefix", "/opt/ttsb",
            env=environment(DESTDIR=str(self.dir / "stage")))
        tree = lambda root: {str(p.relative_to(root)) for p in root.rglob("*")}
        self.assertEqual(tree(self.dir / "stage/opt/ttsb"), tree(self.prefix))

    def test_the_headers_version_must_agree(self):
        """What the package's version is made of, with a number or the string changed."""
        shutil.copy(ck.ROOT / "runtime/version.cmake", self.dir)
        header = (ck.ROOT / "runtime/ttsb.h").read_text()
        for old, new, why in (("", "", None),
                              ("_MINOR ", "_MINOR 4", "make "),
                              ('VERSION "', 'VERSION "4', "make "),
                              ("_PATCH ", "_PATCH x", "no number in TTSB_VERSION_PATCH")):
            self.assertIn(old, header)
            (self.dir / "ttsb.h").write_text(header.replace(old, new, 1) if old else header)
            said = run(CMAKE, "-P", self.dir / "version.cmake", code=why is not None)
            self.assertIn(why or "", said)

    def test_components(self):
        run(CMAKE, "--install", BUILD, "--component", "runtime", "--prefix",
            self.dir / "runtime", env=environment())
        files = {p.name for p in (self.dir / "runtime").rglob("*") if not p.is_dir()}
        self.assertTrue({"libttsb.so.1", "LICENSE"} <= files, files)
        self.assertEqual(len(files), 3)


class ByPkgConfig(Package):
    def setUp(self):
        if shutil.which("pkg-config") is None:
            self.skipTest("no pkg-config here")

    def test_builds(self):
        root = self.project("by_pkg_config")
        pkg = lambda *words: shlex.split(run("pkg-config", *words, "ttsb", env=environment(
            PKG_CONFIG_PATH=str(self.pkgconfig))))
        self.assertEqual(pkg("--modversion"), [VERSION])
        ttswc = self.prefix / "bin/ttswc"
        (root / "by_hand").mkdir()
        run(ttswc, "header", "model/feat_tiny.yaml", "-o", "by_hand/feat.h", cwd=root)
        run(ttswc, "compile", "-q", "model/feat_tiny.yaml",
            "model/feat.safetensors.index.json", "-o", "feat.ttsb", cwd=root)
        run(CC, "-std=c11", *HAND_FLAGS, *pkg("--cflags"), "-c", "main.c", cwd=root)
        run(CXX, "-std=c++17", *HAND_FLAGS, *pkg("--cflags"), "-c", "sum.cc", cwd=root)
        run(CXX, "main.o", "sum.o", "-o", "shared", *pkg("--libs"), cwd=root)
        run(CXX, "-static", "main.o", "sum.o", "-o", "static",
            *pkg("--libs", "--static"), cwd=root)
        self.assertIn("libttsb.so.1", run("readelf", "-d", root / "shared"))
        self.assertNotIn("NEEDED", run("readelf", "-d", root / "static"))
        said = run("./shared", "feat.ttsb", cwd=root,
                   env=environment(LD_LIBRARY_PATH=str(self.lib)))
        self.assertEqual(said, expected(root))
        self.assertEqual(run("./static", "feat.ttsb", cwd=root), said)


class ByCMake:
    """What is done with each generator."""

    @classmethod
    def setUpClass(cls):
        if shutil.which(GENERATORS[cls.generator]) is None:
            raise unittest.SkipTest(f"no {GENERATORS[cls.generator]} here")
        super().setUpClass()
        cls.root = cls.project("a consumer")
        cls.build = cls.root / "build"
        run(CMAKE, "-S", cls.root, "-B", cls.build, "-G", cls.generator,
            f"-DCMAKE_PREFIX_PATH={cls.prefix}", f"-DCMAKE_C_COMPILER={CC}",
            f"-DCMAKE_CXX_COMPILER={CXX}", f"-DCMAKE_C_FLAGS={FLAGS}",
            f"-DCMAKE_CXX_FLAGS={FLAGS}", env=environment())
        cls.made()

    @classmethod
    def made(cls, code=0):
        """Builds; what was written, without folders."""
        def times():
            return {p: p.stat().st_mtime_ns for p in cls.build.rglob("*")
                    if p.suffix in (".ttsb", ".h", ".o") or p.name.endswith("engine")
                    and p.is_file()}
        before = times()
        time.sleep(0.02) # a clock tick, so that what is written now is newer
        cls.said = run(CMAKE, "--build", cls.build, "-j", "2", code=code, env=environment())
        return sorted("/".join(p.relative_to(cls.build).parts[-2:])
                      for p, at in times().items() if before.get(p) != at)

    def engine(self, name="engine", blob="feat.ttsb"):
        return run(self.build / name, self.build / blob)

    def test_1_runs(self):
        self.assertEqual(self.engine(), expected(self.root))
        self.assertRegex(self.engine("pair_engine", "blobs/pair.ttsb"), r"^\S+ \S+\n$")
        self.assertEqual(self.engine("contract_engine", "blobs/pair.ttsb"),
                         self.engine("pair_engine", "blobs/pair.ttsb"))
        self.assertIn(str(self.lib / "libttsb.so.1"),
                      run("ldd", self.build / "engine"))
        self.assertNotIn("libttsb", run("ldd", self.build / "pair_engine"))

    def test_2_nothing_changed(self):
        self.assertEqual(self.made(), [])
        self.assertNotIn("ttswc", self.said)

    def test_3_a_comment_in_the_include(self):
        """Blob and header are made; the header's text is the same, so that
        nothing is compiled."""
        change(self.root / "model/feat_body.yaml", "# rows, style", "# Rows, style")
        self.assertEqual(self.made(), ["feat.ttsb", "feat.ttswc/feat.h"])
        self.assertEqual(self.made(), [])

    def test_4_an_include_that_changes_the_layout(self):
        path = self.root / "model/feat_body.yaml"
        lines = path.read_text().splitlines()
        lines[-2:] = lines[:-3:-1]
        path.write_text("\n".join(lines) + "\n")
        self.assertEqual(self.made(), [
            "engine", "engine.dir/main.c.o", "engine.dir/sum.cc.o", "feat.ttsb",
            "feat.ttswc/feat.h", "include/feat.h"])
        self.assertEqual(self.engine(), expected(self.root))
        self.assertEqual(self.made(), [])

    def test_5_a_shard(self):
        path = self.root / "model/feat2_tiny.safetensors"
        dtype, shape, data = ck.read(path)["feat2"] # rows of 48 bytes
        before = self.engine()
        ck.write(path, {"feat2": (dtype, shape, data[48:] + data[:48])})
        self.assertEqual(self.made(), ["blobs/pair.ttsb", "feat.ttsb"])
        self.assertNotEqual(self.engine(), before)
        self.assertEqual(self.engine(), expected(self.root))
        (self.root / "model/style/feat1_tiny.safetensors").touch()
        self.assertEqual(self.made(), ["blobs/pair.ttsb"])
        (self.root / "model/style/.note").touch() # the folder is an input
        self.assertEqual(self.made(), ["blobs/pair.ttsb"])
        self.assertEqual(self.made(), [])

    def test_6_the_engine(self):
        change(self.root / "main.c", "return 2;", "return 3;")
        self.assertEqual(self.made(), ["engine", "engine.dir/main.c.o"])
        self.assertEqual(self.made(), [])

    def test_7_a_misspelt_weight(self):
        change(self.root / "main.c", "w.spk[0]", "w.spkr[0]")
        self.assertEqual(self.made(code=1), [])
        self.assertRegex(self.said, r"main\.c:\d+:\d+: error: .*spkr")
        change(self.root / "main.c", "w.spkr[0]", "w.spk[0]")
        self.made()

    def test_8_a_checkpoint_that_does_not_fit(self):
        """The finding is shown, and the blob stays as it was."""
        path, old = self.root / "model/feat1_tiny.safetensors", self.engine()
        whole = path.read_bytes()
        path.unlink()
        self.assertEqual(self.made(code=1), [])
        self.assertIn("feat1_tiny.safetensors", self.said)
        ck.write(path, {"feat1": ("F32", [73, 5], bytes(73 * 5 * 4))})
        self.assertEqual(self.made(code=1), [])
        self.assertIn("error[E0", self.said)
        path.write_bytes(whole)
        self.assertEqual(self.made(), ["feat.ttsb"])
        self.assertEqual(self.engine(), old)


    def test_9_an_include_of_another_name(self):
        """Made anew once; what is no longer included no longer matters."""
        body = self.root / "model/feat_body.yaml"
        body.rename(body.with_name("feat_part.yaml"))
        change(self.root / "model/feat_tiny.yaml", "[feat_body.yaml]", "[feat_part.yaml]")
        self.assertEqual(self.made(), ["feat.ttsb", "feat.ttswc/feat.h"])
        self.assertEqual(self.made(), [])
        body.write_text("changed")
        self.assertEqual(self.made(), [])
        body.with_name("feat_part.yaml").touch()
        self.assertEqual(self.made(), ["feat.ttsb", "feat.ttswc/feat.h"])
        self.assertEqual(self.made(), [])

    def test_9_what_was_deleted(self):
        """Comes back, and the same; an engine that included it is built again."""
        for name, also in (("feat.ttsb", []),
                           ("include/feat.h", ["engine", "engine.dir/main.c.o",
                                               "engine.dir/sum.cc.o"])):
            path = self.build / name
            whole = path.read_bytes()
            path.unlink()
            made = self.made()
            self.assertEqual([f for f in made if "ttswc/" not in f], [*also, name])
            self.assertEqual(path.read_bytes(), whole)
            self.assertEqual(self.made(), [])


class ByNinja(ByCMake, Package):
    generator = "Ninja"

    def test_a_launcher(self):
        """TTSWC_EXECUTABLE may be a program that hands its words to another one."""
        far, log = self.dir / "far", self.dir / "far.log"
        far.write_text(f'#!/bin/sh\necho "$1" >> "{log}"\nexec "{self.prefix}/bin/ttswc" "$@"\n')
        far.chmod(0o755)
        run(CMAKE, f"-DTTSWC_EXECUTABLE={far}", self.build, env=environment())
        self.made()
        self.assertEqual(sorted(log.read_text().split()), ["compile"] * 2 + ["header"] * 3)
        self.assertEqual(self.made(), [])


class ByMake(ByCMake, Package):
    generator = "Unix Makefiles"


class Cuda(Package):
    """The component `cuda`, which the package has where the build had a toolkit."""

    def test_nothing_of_it_without_a_toolkit(self):
        for name in ("ttsbCudaTargets.cmake", "libttsb_cuda.a", "ttsb_cuda.h"):
            self.assertEqual(len(list(self.prefix.rglob(name))), int(HAS_CUDA), name)

    def test_links(self):
        if not HAS_CUDA:
            return  # the test above has seen that there is nothing to link
        root = self.dir / "cuda"
        root.mkdir()
        (root / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.21)\nproject(upload LANGUAGES C)\n"
            "find_package(ttsb REQUIRED COMPONENTS cuda)\nadd_executable(upload main.c)\n"
            "target_link_libraries(upload PRIVATE ttsb::cuda)\n")
        (root / "main.c").write_text(
            "#include <ttsb_cuda.h>\nint main(void)\n{\n    struct ttsb_cuda_image *image;\n"
            "    return ttsb_cuda_upload(0, 0, &image, 0) != TTSB_BAD_ARGUMENT;\n}\n")
        run(CMAKE, "-S", root, "-B", root / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}",
            f"-DCMAKE_C_COMPILER={CC}", f"-DCMAKE_C_FLAGS={FLAGS}", env=environment())
        run(CMAKE, "--build", root / "build", env=environment())
        run(root / "build/upload")


class Refused(Package):
    """Projects that do not configure, and what is said."""

    def configure(self, text, code=1, **options):
        root = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        for name in ("spec.yaml", "a.safetensors"):
            (root / name).touch()
        (root / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.21)\n"
            f"project(refused LANGUAGES {options.pop('languages', 'NONE')})\n{text}\n")
        said = run(CMAKE, "-S", root, "-B", root / "build", "-G", "Unix Makefiles",
                   *(f"-D{k}={v}" for k, v in options.items()), code=code, env=environment())
        return " ".join(said.split())

    def test_versions(self):
        major = int(VERSION.split(".")[0])
        for version in (f"{major + 1}", f"{major}.99", "0.9"):
            self.assertIn("version: " + VERSION, self.configure(
                f"find_package(ttsb {version} REQUIRED)", CMAKE_PREFIX_PATH=self.prefix))

    def test_components(self):
        for component, why in (("nonsense", "none of cuda, compiler: nonsense"),
                               ("cuda", "built without CUDA, or there is no CUDA toolkit")):
            # With CUDA in the package it is the toolkit that there is none of.
            self.assertIn(why, self.configure(
                f"find_package(ttsb REQUIRED COMPONENTS {component})", languages="C",
                CMAKE_DISABLE_FIND_PACKAGE_CUDAToolkit="ON", CMAKE_PREFIX_PATH=self.prefix))

    def add(self, words, **options):
        options.setdefault("TTSWC_EXECUTABLE", self.prefix / "bin/ttswc")
        return self.configure(
            f'include("{self.lib}/cmake/ttsb/ttswcAddModel.cmake")\n'
            f"add_custom_target(taken)\nttswc_add_model({words})", **options)

    def test_arguments(self):
        whole = "m SPEC spec.yaml HEADER m.h OUTPUT m.ttsb CHECKPOINT a.safetensors"
        for words, why in (
                ("m HEADER m.h", "no SPEC"),
                ("m SPEC spec.yaml", "no HEADER"),
                ("m SPEC HEADER m.h", "no value behind SPEC"),
                ("m nonsense SPEC spec.yaml HEADER m.h", "unknown argument 'nonsense'"),
                ("m SPEC none.yaml HEADER m.h", "SPEC '"),
                ("m SPEC none.yaml HEADER m.h", "none.yaml' does not exist"),
                (whole + " none.safetensors", "none.safetensors' does not exist"),
                (whole + " DEPENDS old.ttsb", "old.ttsb' does not exist"),
                (whole + " SOURCE a=a.safetensors", "give one of them"),
                ("m SPEC spec.yaml HEADER m.h OUTPUT m.ttsb", "OUTPUT needs"),
                ("m SPEC spec.yaml HEADER m.h CHECKPOINT a.safetensors", "there is no OUTPUT"),
                ("m SPEC spec.yaml HEADER m.h OUTPUT m.ttsb SOURCE a.safetensors",
                 "is not NAME=PATH"),
                ("m SPEC spec.yaml HEADER m.h OUTPUT m.h CHECKPOINT a.safetensors",
                 "are one file"),
                ("m SPEC spec.yaml HEADER ${CMAKE_CURRENT_SOURCE_DIR}/spec.yaml",
                 "both read and written"),
                ("m SPEC spec.yaml HEADER m.h CHECKPOINT . OUTPUT "
                 "${CMAKE_CURRENT_SOURCE_DIR}/m.ttsb", "OUTPUT lies in"),
                (whole + " OPTIONS -q -MD", "option '-MD' is given by this function"),
                (f"{whole})\nttswc_add_model({whole.replace('m SPEC', 'n SPEC')}",
                 "is written by another call"),
                (whole.replace("m SPEC", "taken SPEC"), "a target taken already")):
            with self.subTest(words):
                said = self.add(words)
                self.assertRegex(said, r"ttswc_add_model\((m|n|taken)\): ")
                self.assertIn(why, said)
        self.assertEqual(self.add(whole, code=0).count("CMake Error"), 0)

    def test_program(self):
        whole = "m SPEC spec.yaml HEADER m.h"
        self.assertIn("no ttswc at '/nowhere/ttswc'",
                      self.add(whole, TTSWC_EXECUTABLE="/nowhere/ttswc"))
        self.assertIn("set TTSWC_EXECUTABLE to a ttswc of this machine", self.add(
            whole, TTSWC_EXECUTABLE="", CMAKE_SYSTEM_NAME="Linux"))


if __name__ == "__main__":
    done = unittest.main(argv=sys.argv[:1], exit=False).result
    # What was left out must not look like what passed.
    sys.exit(1 if not done.wasSuccessful() else 77 if done.skipped else 0)
