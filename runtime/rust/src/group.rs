// SPDX-License-Identifier: MIT
//
//! Groups: what is loaded as a whole.

use crate::blob::{certain, name, slice};
use crate::ffi::{self, Sized32};
use crate::{Blob, Error};

/// Where an engine wants a group's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Place {
    /// On the device.
    Device,
    /// On the host.
    Host,
    /// One that this crate does not know.
    Unknown(u32),
}

/// One group of tensors.
#[derive(Clone, Copy)]
pub struct Group<'b> {
    raw: ffi::ttsb_group,
    _blob: &'b Blob<'b>,
}

// SAFETY: numbers, and pointers into what the blob, which is Sync, only reads.
unsafe impl Send for Group<'_> {}
// SAFETY: as above; nothing in a group changes.
unsafe impl Sync for Group<'_> {}

impl<'b> Group<'b> {
    pub(crate) fn at(blob: &'b Blob<'b>, index: u32) -> Result<Group<'b>, Error> {
        let mut raw = ffi::ttsb_group::sized();
        // SAFETY: the blob is open, `raw` has its size in it.
        let status = unsafe { ffi::ttsb_group_at(blob.raw(), index, &mut raw) };
        if status != ffi::TTSB_OK {
            return Err(Error::of_status(status, &format!("group {}", index)));
        }
        Ok(Group { raw, _blob: blob })
    }

    /// Its place in load order.
    pub fn index(&self) -> u32 {
        self.raw.index
    }

    /// Its name.
    pub fn name(&self) -> &'b str {
        // SAFETY: filled by the library; the blob's until it is closed.
        unsafe { name(self.raw.name, self.raw.name_length) }
    }

    /// Where an engine wants it.
    pub fn place(&self) -> Place {
        match self.raw.place {
            ffi::TTSB_PLACE_DEVICE => Place::Device,
            ffi::TTSB_PLACE_HOST => Place::Host,
            other => Place::Unknown(other),
        }
    }

    /// The alignment of its tensors from its start, in bytes.
    pub fn align(&self) -> u32 {
        self.raw.align
    }

    /// The indices of its tensors.
    pub fn tensors(&self) -> std::ops::Range<u32> {
        self.raw.first_tensor..self.raw.first_tensor + self.raw.tensor_count
    }

    /// Bytes from the start of the file.
    pub fn offset(&self) -> u64 {
        self.raw.offset
    }

    /// All its bytes, padding among them: what is copied to a device. Empty if
    /// none of its tensors has any.
    pub fn bytes(&self) -> &'b [u8] {
        // SAFETY: filled by the library, which has proven that the group lies
        // inside the blob; the bytes stay until it is closed.
        unsafe { slice(self.raw.data, self.raw.size) }
    }
}

impl std::fmt::Debug for Group<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ({:?}, {} bytes)",
            self.name(),
            self.place(),
            self.raw.size
        )
    }
}

/// All groups of a blob: [`Blob::groups`].
#[derive(Clone, Debug)]
pub struct Groups<'b> {
    blob: &'b Blob<'b>,
    rest: std::ops::Range<u32>,
}

impl<'b> Groups<'b> {
    pub(crate) fn new(blob: &'b Blob<'b>) -> Groups<'b> {
        let rest = 0..blob.info().group_count;
        Groups { blob, rest }
    }
}

impl<'b> Iterator for Groups<'b> {
    type Item = Group<'b>;

    fn next(&mut self) -> Option<Group<'b>> {
        let index = self.rest.next()?;
        let mut raw = ffi::ttsb_group::sized();
        // SAFETY: the blob is open, `raw` has its size in it.
        certain(unsafe { ffi::ttsb_group_at(self.blob.raw(), index, &mut raw) });
        Some(Group {
            raw,
            _blob: self.blob,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Groups<'_> {}
