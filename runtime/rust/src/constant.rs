// SPDX-License-Identifier: MIT
//
//! The spec's constants.

use std::ffi::CStr;

use crate::blob::{certain, name, utf8};
use crate::ffi::{self, Sized32};
use crate::{Blob, Error, Status};

/// What a constant holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'b> {
    /// An integer.
    I64(i64),
    /// A decimal, never a NaN and never infinite.
    F64(f64),
    /// A string.
    Str(&'b str),
    /// A list of integers.
    I64List(Vec<i64>),
    /// A list of decimals.
    F64List(Vec<f64>),
    /// A list of strings.
    StrList(Vec<&'b str>),
}

impl<'b> Value<'b> {
    /// The integer, if it is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::I64(value) => Some(*value),
            _ => None,
        }
    }

    /// The decimal, if it is one; an integer is none.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::F64(value) => Some(*value),
            _ => None,
        }
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&'b str> {
        match self {
            Value::Str(value) => Some(*value),
            _ => None,
        }
    }
}

pub(crate) fn find<'b>(blob: &'b Blob<'b>, text: &CStr, name: &str) -> Result<Value<'b>, Error> {
    let mut raw = ffi::ttsb_constant::sized();
    // SAFETY: the blob is open, the name NUL-terminated, `raw` has its size in
    // it.
    let status = unsafe { ffi::ttsb_constant_find(blob.raw(), text.as_ptr(), &mut raw) };
    if status != ffi::TTSB_OK {
        return Err(Error::of_status(status, &format!("constant `{}`", name)));
    }
    value_of(blob, &raw)
}

/// The value of a constant that the library has described.
fn value_of<'b>(blob: &'b Blob<'b>, raw: &ffi::ttsb_constant) -> Result<Value<'b>, Error> {
    let list = raw.type_ & ffi::TTSB_CONST_LIST != 0;
    let unknown = || {
        let text = format!("a constant of type {}, which is newer", raw.type_);
        Error::new(Status::WrongType, None, text)
    };
    Ok(match raw.type_ & !ffi::TTSB_CONST_LIST {
        ffi::TTSB_CONST_I64 if list => Value::I64List(items(raw, |i| i64_at(blob, raw, i))),
        ffi::TTSB_CONST_F64 if list => Value::F64List(items(raw, |i| f64_at(blob, raw, i))),
        ffi::TTSB_CONST_STRING if list => Value::StrList(items(raw, |i| str_at(blob, raw, i))),
        ffi::TTSB_CONST_I64 => Value::I64(i64_at(blob, raw, 0)),
        ffi::TTSB_CONST_F64 => Value::F64(f64_at(blob, raw, 0)),
        ffi::TTSB_CONST_STRING => Value::Str(str_at(blob, raw, 0)),
        _ => return Err(unknown()),
    })
}

fn items<T>(raw: &ffi::ttsb_constant, at: impl Fn(u32) -> T) -> Vec<T> {
    (0..raw.items).map(at).collect()
}

fn i64_at(blob: &Blob<'_>, raw: &ffi::ttsb_constant, item: u32) -> i64 {
    let mut value = 0;
    // SAFETY: the blob is open, `raw` was filled by it.
    certain(unsafe { ffi::ttsb_constant_i64(blob.raw(), raw, item, &mut value) });
    value
}

fn f64_at(blob: &Blob<'_>, raw: &ffi::ttsb_constant, item: u32) -> f64 {
    let mut value = 0.0;
    // SAFETY: the blob is open, `raw` was filled by it.
    certain(unsafe { ffi::ttsb_constant_f64(blob.raw(), raw, item, &mut value) });
    value
}

fn str_at<'b>(blob: &'b Blob<'b>, raw: &ffi::ttsb_constant, item: u32) -> &'b str {
    let mut value = ffi::ttsb_string {
        bytes: std::ptr::null(),
        length: 0,
    };
    // SAFETY: the blob is open, `raw` was filled by it.
    certain(unsafe { ffi::ttsb_constant_string(blob.raw(), raw, item, &mut value) });
    // SAFETY: the library's string of `length` bytes, the blob's until it is
    // closed.
    utf8(unsafe { crate::blob::slice(value.bytes.cast(), u64::from(value.length)) })
}

/// All constants of a blob: [`Blob::constants`].
#[derive(Clone, Debug)]
pub struct Constants<'b> {
    blob: &'b Blob<'b>,
    rest: std::ops::Range<u32>,
}

impl<'b> Constants<'b> {
    pub(crate) fn new(blob: &'b Blob<'b>) -> Constants<'b> {
        let rest = 0..blob.info().constant_count;
        Constants { blob, rest }
    }
}

impl<'b> Iterator for Constants<'b> {
    type Item = (&'b str, Result<Value<'b>, Error>);

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.rest.next()?;
        let mut raw = ffi::ttsb_constant::sized();
        // SAFETY: the blob is open, `raw` has its size in it.
        certain(unsafe { ffi::ttsb_constant_at(self.blob.raw(), index, &mut raw) });
        // SAFETY: filled by the library; the blob's until it is closed.
        let name = unsafe { name(raw.name, raw.name_length) };
        Some((name, value_of(self.blob, &raw)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Constants<'_> {}
