// SPDX-License-Identifier: MIT
//
//! Where the tests get their blobs: those of released versions in the tree, so
//! that `cargo test` needs nothing else; or what tests/test_rust.py of the whole
//! project has made and named in the environment. Tests that only it can serve
//! are ignored without it, and say so.

// Not every test file uses all of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// What tests/test_rust.py has made.
pub fn made(variable: &str) -> PathBuf {
    std::env::var_os(variable)
        .unwrap_or_else(|| panic!("set {}, as tests/test_rust.py does", variable))
        .into()
}

/// A blob in the tree.
pub fn released(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../../fixtures/blobs").join(name)
}

/// Of specs/examples/features.yaml: TTSB_TEST_BLOB, where it is compiled anew.
pub fn blob_path() -> PathBuf {
    std::env::var_os("TTSB_TEST_BLOB").map_or_else(|| released("features-1.0.ttsb"), PathBuf::from)
}

pub fn blob_bytes() -> Vec<u8> {
    let path = blob_path();
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {}", path.display(), error))
}
