// SPDX-License-Identifier: MIT
//
//! The part of ttsb.h that the crate calls, word for word.
//!
//! Invariant: structs and functions are those of `runtime/abi-1.txt`, the
//! record of libttsb's ABI; the tests below hold the structs to it.

#![allow(non_camel_case_types)]

use std::os::raw::{c_char, c_int, c_void};

/// `struct ttsb_blob`, which nobody looks into.
#[repr(C)]
pub(crate) struct ttsb_blob {
    _opaque: [u8; 0],
}

/// A struct that begins with its own size.
///
/// # Safety
///
/// `struct_size` is the first member, and all bytes zero are a value of it.
pub(crate) unsafe trait Sized32: Sized {
    /// All zero, but for the size.
    fn sized() -> Self {
        let mut value = std::mem::MaybeUninit::<Self>::zeroed();
        // SAFETY: zeros are a value, and the first member is a u32, as whoever
        // implements the trait promises.
        unsafe {
            value
                .as_mut_ptr()
                .cast::<u32>()
                .write(std::mem::size_of::<Self>() as u32);
            value.assume_init()
        }
    }
}

/// Declares C structs and, for the tests, where their members lie.
macro_rules! structs {
    ($($name:ident { $($member:ident: $kind:ty,)* })*) => {
        $(
            #[repr(C)]
            #[derive(Clone, Copy)]
            pub(crate) struct $name { $(pub(crate) $member: $kind,)* }
        )*

        /// (struct, member or "", offset or alignment, size)
        #[cfg(test)]
        fn layout() -> Vec<(&'static str, &'static str, usize, usize)> {
            let mut all = Vec::new();
            $(
                let place = std::mem::MaybeUninit::<$name>::zeroed();
                let start = place.as_ptr();
                all.push((stringify!($name), "", std::mem::align_of::<$name>(),
                          std::mem::size_of::<$name>()));
                $(
                    // SAFETY: the address is taken of a member of a live
                    // value; nothing is read.
                    let at = unsafe { std::ptr::addr_of!((*start).$member) };
                    all.push((stringify!($name), stringify!($member),
                              at as usize - start as usize, std::mem::size_of::<$kind>()));
                )*
            )*
            all
        }
    };
}

structs! {
    ttsb_error {
        struct_size: u32,
        status: i32,
        system_errno: i32,
        tensor: u32,
        offset: u64,
        found: u64,
        expected: u64,
        field: [c_char; 48],
        text: [c_char; 256],
    }
    ttsb_open_options {
        struct_size: u32,
        flags: u32,
        used: *mut u32,
        used_words: u64,
    }
    ttsb_info {
        struct_size: u32,
        partial: u32,
        model: *const c_char,
        revision: u64,
        contract_id: [u8; 16],
        root: [u8; 16],
        file_size: u64,
        piece_count: u64,
        tensor_count: u32,
        group_count: u32,
        constant_count: u32,
        major: u16,
        minor: u16,
        incompat: u64,
        compat: u64,
    }
    ttsb_requirement {
        struct_size: u32,
        model: *const c_char,
        revision_min: u64,
        revision_max: u64,
        contract_id: *const u8,
    }
    ttsb_tensor {
        struct_size: u32,
        index: u32,
        name: *const c_char,
        name_length: u32,
        dtype: u32,
        rank: u32,
        flags: u32,
        group: u32,
        alias_of: u32,
        dims: [u64; 8],
        offset: u64,
        group_offset: u64,
        size: u64,
        first_piece: u64,
        piece_count: u64,
        data: *const c_void,
    }
    ttsb_group {
        struct_size: u32,
        index: u32,
        name: *const c_char,
        name_length: u32,
        place: u32,
        align: u32,
        first_tensor: u32,
        tensor_count: u32,
        offset: u64,
        size: u64,
        data: *const c_void,
    }
    ttsb_constant {
        struct_size: u32,
        index: u32,
        name: *const c_char,
        name_length: u32,
        type_: u32,
        items: u32,
        value_size: u32,
        offset: u64,
    }
    ttsb_string {
        bytes: *const c_char,
        length: u32,
    }
    ttsb_progress {
        advance: Option<unsafe extern "C" fn(*mut c_void, u64, u64)>,
        user: *mut c_void,
    }
}

macro_rules! sized {
    ($($name:ident)*) => {
        $(
            // SAFETY: the first member is struct_size, and the others are
            // numbers and pointers, of which zeros are values.
            unsafe impl Sized32 for $name {}
        )*
    };
}

sized! {
    ttsb_error ttsb_open_options ttsb_info ttsb_requirement ttsb_tensor ttsb_group
    ttsb_constant
}

pub(crate) const TTSB_OK: i32 = 0;
pub(crate) const TTSB_OPEN_PARTIAL: u32 = 1;
pub(crate) const TTSB_OPEN_COPY: u32 = 2;
pub(crate) const TTSB_MAX_TENSORS: usize = 1_000_000;
pub(crate) const TTSB_NO_TENSOR: u32 = u32::MAX;
pub(crate) const TTSB_RECORD_ALIAS: u32 = 1;
pub(crate) const TTSB_RECORD_OPTIONAL: u32 = 2;
pub(crate) const TTSB_RECORD_ABSENT: u32 = 4;
pub(crate) const TTSB_RECORD_MISSING: u32 = 8;
pub(crate) const TTSB_PLACE_DEVICE: u32 = 0;
pub(crate) const TTSB_PLACE_HOST: u32 = 1;
pub(crate) const TTSB_CONST_I64: u32 = 1;
pub(crate) const TTSB_CONST_F64: u32 = 2;
pub(crate) const TTSB_CONST_STRING: u32 = 3;
pub(crate) const TTSB_CONST_LIST: u32 = 0x100;

extern "C" {
    pub(crate) fn ttsb_open(
        path: *const c_char,
        options: *const ttsb_open_options,
        blob: *mut *mut ttsb_blob,
        error: *mut ttsb_error,
    ) -> i32;
    pub(crate) fn ttsb_open_fd(
        fd: c_int,
        options: *const ttsb_open_options,
        blob: *mut *mut ttsb_blob,
        error: *mut ttsb_error,
    ) -> i32;
    pub(crate) fn ttsb_open_memory(
        data: *const c_void,
        size: usize,
        options: *const ttsb_open_options,
        blob: *mut *mut ttsb_blob,
        error: *mut ttsb_error,
    ) -> i32;
    pub(crate) fn ttsb_close(blob: *mut ttsb_blob);
    pub(crate) fn ttsb_info(blob: *const ttsb_blob, info: *mut ttsb_info) -> i32;
    pub(crate) fn ttsb_require(
        blob: *const ttsb_blob,
        requirement: *const ttsb_requirement,
        error: *mut ttsb_error,
    ) -> i32;
    pub(crate) fn ttsb_tensor_at(
        blob: *const ttsb_blob,
        index: u32,
        tensor: *mut ttsb_tensor,
        error: *mut ttsb_error,
    ) -> i32;
    pub(crate) fn ttsb_find(
        blob: *const ttsb_blob,
        name: *const c_char,
        tensor: *mut ttsb_tensor,
        error: *mut ttsb_error,
    ) -> i32;
    pub(crate) fn ttsb_unused(blob: *const ttsb_blob, first: u32, tensor: *mut ttsb_tensor) -> i32;
    pub(crate) fn ttsb_group_at(blob: *const ttsb_blob, index: u32, group: *mut ttsb_group) -> i32;
    pub(crate) fn ttsb_prefetch(blob: *const ttsb_blob, group: u32, error: *mut ttsb_error) -> i32;
    pub(crate) fn ttsb_constant_at(
        blob: *const ttsb_blob,
        index: u32,
        constant: *mut ttsb_constant,
    ) -> i32;
    pub(crate) fn ttsb_constant_find(
        blob: *const ttsb_blob,
        name: *const c_char,
        constant: *mut ttsb_constant,
    ) -> i32;
    pub(crate) fn ttsb_constant_i64(
        blob: *const ttsb_blob,
        constant: *const ttsb_constant,
        item: u32,
        value: *mut i64,
    ) -> i32;
    pub(crate) fn ttsb_constant_f64(
        blob: *const ttsb_blob,
        constant: *const ttsb_constant,
        item: u32,
        value: *mut f64,
    ) -> i32;
    pub(crate) fn ttsb_constant_string(
        blob: *const ttsb_blob,
        constant: *const ttsb_constant,
        item: u32,
        value: *mut ttsb_string,
    ) -> i32;
    pub(crate) fn ttsb_dtype_name(dtype: u32) -> *const c_char;
    pub(crate) fn ttsb_dtype_bits(dtype: u32) -> u32;
    pub(crate) fn ttsb_verify_range(
        blob: *const ttsb_blob,
        first: u64,
        last: u64,
        error: *mut ttsb_error,
    ) -> i32;
    pub(crate) fn ttsb_verify_rest(blob: *const ttsb_blob, error: *mut ttsb_error) -> i32;
    pub(crate) fn ttsb_verify(
        blob: *const ttsb_blob,
        threads: u32,
        progress: *const ttsb_progress,
        error: *mut ttsb_error,
    ) -> i32;
    pub(crate) fn ttsb_tensor_digest(blob: *const ttsb_blob, index: u32, digest: *mut u8) -> i32;
    pub(crate) fn ttsb_status_name(status: i32) -> *const c_char;
    pub(crate) fn ttsb_status_text(status: i32) -> *const c_char;
    pub(crate) fn ttsb_version() -> *const c_char;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The record of the ABI as (key, value).
    fn record() -> Vec<(String, String)> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../abi-1.txt");
        let text = std::fs::read_to_string(path).expect("runtime/abi-1.txt");
        text.lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect()
    }

    #[test]
    fn structs_are_those_of_the_record() {
        let record = record();
        let mut told = 0;
        for (name, member, at, size) in layout() {
            let member = member.trim_end_matches('_');
            let (key, start) = if member.is_empty() {
                told += record
                    .iter()
                    .filter(|(key, _)| key.starts_with(&format!("member {}.", name)))
                    .count();
                (
                    format!("struct {}", name),
                    format!("size {}, align {}", size, at),
                )
            } else {
                told -= 1;
                (
                    format!("member {}.{}", name, member),
                    format!("offset {}, size {}, ", at, size),
                )
            };
            let value = &record.iter().find(|(k, _)| *k == key).expect(&key).1;
            assert!(value.starts_with(&start), "{}: {} is {}", key, start, value);
        }
        assert_eq!(told, 0, "members of the record that are not here");
    }

    #[test]
    fn numbers_are_those_of_the_record() {
        let record = record();
        for (key, value) in [
            ("macro TTSB_OPEN_PARTIAL", TTSB_OPEN_PARTIAL),
            ("macro TTSB_OPEN_COPY", TTSB_OPEN_COPY),
            ("macro TTSB_MAX_TENSORS", TTSB_MAX_TENSORS as u32),
            ("macro TTSB_NO_TENSOR", TTSB_NO_TENSOR),
            ("macro TTSB_RECORD_ALIAS", TTSB_RECORD_ALIAS),
            ("macro TTSB_RECORD_OPTIONAL", TTSB_RECORD_OPTIONAL),
            ("macro TTSB_RECORD_ABSENT", TTSB_RECORD_ABSENT),
            ("macro TTSB_RECORD_MISSING", TTSB_RECORD_MISSING),
            ("enum ttsb_place.TTSB_PLACE_DEVICE", TTSB_PLACE_DEVICE),
            ("enum ttsb_place.TTSB_PLACE_HOST", TTSB_PLACE_HOST),
            ("enum ttsb_const_type.TTSB_CONST_I64", TTSB_CONST_I64),
            ("enum ttsb_const_type.TTSB_CONST_F64", TTSB_CONST_F64),
            ("enum ttsb_const_type.TTSB_CONST_STRING", TTSB_CONST_STRING),
            ("enum ttsb_const_type.TTSB_CONST_LIST", TTSB_CONST_LIST),
        ] {
            let found = record.iter().find(|(k, _)| k == key).expect(key);
            assert_eq!(found.1, value.to_string(), "{}", key);
        }
    }
}
