// SPDX-License-Identifier: MIT
//
//! Where the tests get their blob: TTSB_TEST_BLOB, which tests/test_rust.py of
//! the whole project sets to fixtures/features, compiled.

use std::path::PathBuf;

pub fn path(variable: &str) -> PathBuf {
    std::env::var_os(variable)
        .unwrap_or_else(|| panic!("set {}, as tests/test_rust.py does", variable))
        .into()
}

pub fn blob_path() -> PathBuf {
    path("TTSB_TEST_BLOB")
}

#[allow(dead_code)] // not every test file reads it
pub fn blob_bytes() -> Vec<u8> {
    std::fs::read(blob_path()).expect("TTSB_TEST_BLOB")
}
