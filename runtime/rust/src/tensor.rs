// SPDX-License-Identifier: MIT
//
//! Tensors: a record says what one is, a view has its bytes.
//!
//! Invariant: a `View` is of a tensor that is neither absent nor missing, so
//! that its bytes are those of the checkpoint and never nothing instead.

use std::ops::Deref;

use crate::blob::{certain, name, slice};
use crate::ffi::{self, Sized32};
use crate::{Blob, DType, Element, Error, Status};

/// One record of the index: all about a tensor but its bytes.
#[derive(Clone, Copy)]
pub struct Record<'b> {
    blob: &'b Blob<'b>,
    raw: ffi::ttsb_tensor,
}

// SAFETY: a record is numbers and pointers into what the blob only reads, and
// the blob itself is Sync.
unsafe impl Send for Record<'_> {}
// SAFETY: as above; nothing in a record changes.
unsafe impl Sync for Record<'_> {}

impl<'b> Record<'b> {
    /// `raw` was filled by a call on `blob`.
    pub(crate) fn new(blob: &'b Blob<'b>, raw: ffi::ttsb_tensor) -> Record<'b> {
        Record { blob, raw }
    }

    /// Its place in file order.
    pub fn index(&self) -> u32 {
        self.raw.index
    }

    /// Its name.
    pub fn name(&self) -> &'b str {
        // SAFETY: filled by the library; the blob's until it is closed.
        unsafe { name(self.raw.name, self.raw.name_length) }
    }

    /// The type of its elements.
    pub fn dtype(&self) -> DType {
        DType::from_code(self.raw.dtype)
    }

    /// Its dimensions, row major, outermost first; empty for a scalar.
    pub fn shape(&self) -> &[u64] {
        &self.raw.dims[..self.raw.rank as usize]
    }

    /// Its number of dimensions.
    pub fn rank(&self) -> usize {
        self.raw.rank as usize
    }

    /// Its number of elements: the product of the shape.
    pub fn element_count(&self) -> u64 {
        // Open has proven that the bytes fit the file.
        self.shape().iter().product()
    }

    /// Its size in the file, in bytes.
    pub fn size(&self) -> u64 {
        self.raw.size
    }

    /// Bytes from the start of the file.
    pub fn offset(&self) -> u64 {
        self.raw.offset
    }

    /// Bytes from the start of its group.
    pub fn group_offset(&self) -> u64 {
        self.raw.group_offset
    }

    /// The index of its group.
    pub fn group(&self) -> u32 {
        self.raw.group
    }

    /// Its pieces, for [`Blob::verify_range`].
    pub fn pieces(&self) -> std::ops::Range<u64> {
        self.raw.first_piece..self.raw.first_piece + self.raw.piece_count
    }

    /// The index of the tensor whose bytes these are under a second name.
    pub fn alias_of(&self) -> Option<u32> {
        self.flag(ffi::TTSB_RECORD_ALIAS)
            .then_some(self.raw.alias_of)
    }

    /// Whether the spec lets the checkpoint lack it.
    pub fn is_optional(&self) -> bool {
        self.flag(ffi::TTSB_RECORD_OPTIONAL)
    }

    /// Whether the checkpoint lacked it: there are no bytes.
    pub fn is_absent(&self) -> bool {
        self.flag(ffi::TTSB_RECORD_ABSENT)
    }

    /// Whether a partial blob lacks it: there are no bytes.
    pub fn is_missing(&self) -> bool {
        self.flag(ffi::TTSB_RECORD_MISSING)
    }

    fn flag(&self, flag: u32) -> bool {
        self.raw.flags & flag != 0
    }

    /// The digest of its bytes, as `ttswc` prints it, out of the index alone:
    /// it proves nothing before [`Blob::verify`] has.
    pub fn digest(&self) -> [u8; 16] {
        let mut digest = [0; 16];
        // SAFETY: the blob is open; there is room for 16 bytes.
        certain(unsafe {
            ffi::ttsb_tensor_digest(self.blob.raw(), self.raw.index, digest.as_mut_ptr())
        });
        digest
    }

    /// Its bytes; `None` if it is absent or missing.
    pub fn view(&self) -> Option<View<'b>> {
        let none = self.is_absent() || self.is_missing();
        (!none).then(|| View::of(*self))
    }
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}{:?}", self.name(), self.dtype(), self.shape())
    }
}

/// A tensor's bytes, and its record, whose methods it has.
#[derive(Clone, Copy)]
pub struct View<'b> {
    record: Record<'b>,
}

impl<'b> View<'b> {
    /// Of a record that is neither absent nor missing.
    pub(crate) fn of(record: Record<'b>) -> View<'b> {
        View { record }
    }

    /// Its bytes as they lie in the file.
    pub fn bytes(&self) -> &'b [u8] {
        // SAFETY: the tensor has its bytes, which the library has proven to lie
        // inside the blob; they stay until it is closed.
        unsafe { slice(self.record.raw.data, self.record.raw.size) }
    }

    /// Its elements, without a copy. Fails with `WrongType` if it holds others,
    /// and with `Misaligned` if they do not lie where Rust wants them, which
    /// happens only to a blob in memory that does not begin at a multiple of
    /// the group's alignment.
    pub fn as_slice<T: Element>(&self) -> Result<&'b [T], Error> {
        let bytes = self.bytes();
        if self.dtype() != T::DTYPE {
            let text = format!(
                "tensor `{}` holds {}, not {}",
                self.name(),
                self.dtype(),
                T::DTYPE
            );
            return Err(Error::new(Status::WrongType, Some(self.index()), text));
        }
        if bytes.is_empty() {
            return Ok(&[]);
        }
        let align = std::mem::align_of::<T>();
        if bytes.as_ptr() as usize % align != 0 {
            let text = format!(
                "tensor `{}` does not begin at a multiple of {} bytes",
                self.name(),
                align
            );
            return Err(Error::new(Status::Misaligned, Some(self.index()), text));
        }
        let count = bytes.len() / std::mem::size_of::<T>();
        // SAFETY: `count` elements lie inside `bytes`, aligned; every bit
        // pattern is one, as Element promises.
        Ok(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), count) })
    }

    /// `as_slice::<f32>()`.
    pub fn as_f32(&self) -> Result<&'b [f32], Error> {
        self.as_slice()
    }
}

impl<'b> Deref for View<'b> {
    type Target = Record<'b>;

    fn deref(&self) -> &Record<'b> {
        &self.record
    }
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.record.fmt(f)
    }
}

/// All records of a blob: [`Blob::iter`].
#[derive(Clone, Debug)]
pub struct Records<'b> {
    blob: &'b Blob<'b>,
    rest: std::ops::Range<u32>,
}

impl<'b> Records<'b> {
    pub(crate) fn new(blob: &'b Blob<'b>) -> Records<'b> {
        let rest = 0..blob.info().tensor_count;
        Records { blob, rest }
    }

    fn at(&self, index: u32) -> Record<'b> {
        let mut raw = ffi::ttsb_tensor::sized();
        // SAFETY: the blob is open, `raw` has its size in it.
        certain(unsafe {
            ffi::ttsb_tensor_at(self.blob.raw(), index, &mut raw, std::ptr::null_mut())
        });
        Record::new(self.blob, raw)
    }
}

impl<'b> Iterator for Records<'b> {
    type Item = Record<'b>;

    fn next(&mut self) -> Option<Record<'b>> {
        self.rest.next().map(|index| self.at(index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl DoubleEndedIterator for Records<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.rest.next_back().map(|index| self.at(index))
    }
}

impl ExactSizeIterator for Records<'_> {}

/// The tensors that nobody has asked for: [`Blob::unused`].
#[derive(Clone, Debug)]
pub struct Unused<'b> {
    blob: &'b Blob<'b>,
    next: u32,
}

impl<'b> Unused<'b> {
    /// Of a blob that counts.
    pub(crate) fn new(blob: &'b Blob<'b>) -> Unused<'b> {
        Unused { blob, next: 0 }
    }
}

impl<'b> Iterator for Unused<'b> {
    type Item = Record<'b>;

    fn next(&mut self) -> Option<Record<'b>> {
        let mut raw = ffi::ttsb_tensor::sized();
        // SAFETY: the blob is open, `raw` has its size in it.
        let status = unsafe { ffi::ttsb_unused(self.blob.raw(), self.next, &mut raw) };
        if Status::from_code(status) == Status::NotFound {
            return None;
        }
        certain(status);
        self.next = raw.index + 1;
        Some(Record::new(self.blob, raw))
    }
}
