// SPDX-License-Identifier: MIT
//
//! An open blob.
//!
//! Invariant: `raw` came from one of the three open calls, has not been closed
//! and is closed once, by `drop`; whatever it points into lives as long: `'a`
//! is the life of borrowed bytes, `_bytes` and `used` are owned.

use std::any::Any;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::marker::PhantomData;
use std::ops::{Range, RangeInclusive};
use std::os::raw::{c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::io::AsRawFd;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::constant::{self, Constants, Value};
use crate::error::checked;
use crate::ffi::{self, Sized32};
use crate::group::{Group, Groups};
use crate::tensor::{Record, Records, Unused, View};
use crate::{Error, Status};

/// An open blob: tensors, groups and constants, which borrow from it.
///
/// The lifetime is that of the bytes of [`Blob::from_bytes`]; a blob of a file
/// or a `Vec` is a `Blob<'static>`.
pub struct Blob<'a> {
    raw: NonNull<ffi::ttsb_blob>,
    /// The bits of `Options::track`; empty without.
    used: Vec<AtomicU32>,
    _bytes: Vec<u8>,
    _borrowed: PhantomData<&'a [u8]>,
}

// SAFETY: the handle belongs to no thread; ttsb.h lets any one close it, and
// the file's bytes are only read.
unsafe impl Send for Blob<'_> {}
// SAFETY: ttsb.h: "All calls but ttsb_close may run at the same time on one
// blob", and only drop closes, which has the blob for itself. The bits of
// `used` are changed by atomic operations alone, here and in C.
unsafe impl Sync for Blob<'_> {}

impl Drop for Blob<'_> {
    fn drop(&mut self) {
        // SAFETY: open, and not used again. `used` and `_bytes` are dropped
        // behind this.
        unsafe { ffi::ttsb_close(self.raw.as_ptr()) }
    }
}

impl std::fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Blob").field(&self.info()).finish()
    }
}

/// How a blob is opened: [`Blob::options`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    flags: u32,
    track: bool,
}

impl Options {
    fn flag(mut self, flag: u32, on: bool) -> Options {
        self.flags = if on {
            self.flags | flag
        } else {
            self.flags & !flag
        };
        self
    }

    /// Reads the file into memory of its own instead of mapping it: safe from
    /// whoever changes the file later, and as large as the file.
    pub fn copy(self, on: bool) -> Options {
        self.flag(ffi::TTSB_OPEN_COPY, on)
    }

    /// Accepts a blob in which tensors are missing; only tools want that.
    pub fn partial(self, on: bool) -> Options {
        self.flag(ffi::TTSB_OPEN_PARTIAL, on)
    }

    /// Counts which tensors are asked for by name, for [`Blob::unused`]; 125 KB.
    pub fn track(mut self, on: bool) -> Options {
        self.track = on;
        self
    }

    /// Opens the file at `path`.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Blob<'static>, Error> {
        let path = c_string(path.as_ref().as_os_str().as_bytes(), "path")?;
        // SAFETY: `path` is NUL-terminated and lives through the call.
        self.start(Vec::new(), |options, blob, error| unsafe {
            ffi::ttsb_open(path.as_ptr(), options, blob, error)
        })
    }

    /// Opens a file that is open for reading, which may be closed afterwards;
    /// its position is neither used nor moved.
    pub fn open_file(self, file: &File) -> Result<Blob<'static>, Error> {
        // SAFETY: the descriptor is open through the call.
        self.start(Vec::new(), |options, blob, error| unsafe {
            ffi::ttsb_open_fd(file.as_raw_fd(), options, blob, error)
        })
    }

    /// Opens bytes in memory, without a copy unless [`Options::copy`] asks for
    /// one. The alignment of tensors is that of the bytes.
    pub fn from_bytes(self, bytes: &[u8]) -> Result<Blob<'_>, Error> {
        // SAFETY: the result's lifetime is that of the bytes.
        self.start(Vec::new(), |options, blob, error| unsafe {
            ffi::ttsb_open_memory(bytes.as_ptr().cast(), bytes.len(), options, blob, error)
        })
    }

    /// The same with bytes that the blob keeps.
    pub fn from_vec(self, bytes: Vec<u8>) -> Result<Blob<'static>, Error> {
        let (data, size) = (bytes.as_ptr().cast::<c_void>(), bytes.len());
        // SAFETY: the heap's bytes stay where they are when the Vec is moved,
        // and live as long as the blob that it is moved into.
        self.start(bytes, |options, blob, error| unsafe {
            ffi::ttsb_open_memory(data, size, options, blob, error)
        })
    }

    /// Runs an open call and makes a blob of its result.
    fn start<'a>(
        self,
        bytes: Vec<u8>,
        call: impl FnOnce(
            *const ffi::ttsb_open_options,
            *mut *mut ffi::ttsb_blob,
            *mut ffi::ttsb_error,
        ) -> i32,
    ) -> Result<Blob<'a>, Error> {
        let words = if self.track {
            (ffi::TTSB_MAX_TENSORS + 31) / 32
        } else {
            0
        };
        let used: Vec<AtomicU32> = (0..words).map(|_| AtomicU32::new(0)).collect();
        let mut options = ffi::ttsb_open_options::sized();
        options.flags = self.flags;
        if self.track {
            // Atomics may be written through a shared reference.
            options.used = used.as_ptr() as *mut u32;
            options.used_words = words as u64;
        }
        let mut raw = ptr::null_mut();
        checked(|error| call(&options, &mut raw, error))?;
        let raw = NonNull::new(raw).ok_or_else(|| Error::of_status(99, "ttsb_open"))?;
        Ok(Blob {
            raw,
            used,
            _bytes: bytes,
            _borrowed: PhantomData,
        })
    }
}

fn c_string(bytes: &[u8], what: &str) -> Result<CString, Error> {
    CString::new(bytes).map_err(|_| {
        Error::new(
            Status::BadArgument,
            None,
            format!("{}: a NUL byte inside", what),
        )
    })
}

/// What the superblock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Info<'b> {
    /// The model's name.
    pub model: &'b str,
    /// The spec's revision.
    pub revision: u64,
    /// Names the layout that engines were built for.
    pub contract_id: [u8; 16],
    /// The file's name: changes with every byte.
    pub root: [u8; 16],
    /// Bytes.
    pub file_size: u64,
    /// Pieces, for [`Blob::verify_range`].
    pub piece_count: u64,
    /// Tensors.
    pub tensor_count: u32,
    /// Groups.
    pub group_count: u32,
    /// Constants.
    pub constant_count: u32,
    /// The container's major and minor version.
    pub container: (u16, u16),
    /// Whether tensors are missing.
    pub partial: bool,
}

/// What an engine was built for: [`Blob::require`]. The default is anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement<'r> {
    model: Option<&'r str>,
    revisions: RangeInclusive<u64>,
    contract_id: Option<[u8; 16]>,
}

impl Default for Requirement<'_> {
    fn default() -> Self {
        Requirement {
            model: None,
            revisions: 0..=u64::MAX,
            contract_id: None,
        }
    }
}

impl<'r> Requirement<'r> {
    /// Anything.
    pub fn new() -> Requirement<'r> {
        Requirement::default()
    }

    /// A model of this name.
    pub fn model(mut self, name: &'r str) -> Requirement<'r> {
        self.model = Some(name);
        self
    }

    /// A revision of the spec within these.
    pub fn revisions(mut self, range: RangeInclusive<u64>) -> Requirement<'r> {
        self.revisions = range;
        self
    }

    /// This contract id, as the generated header has it.
    pub fn contract_id(mut self, id: [u8; 16]) -> Requirement<'r> {
        self.contract_id = Some(id);
        self
    }
}

impl Blob<'static> {
    /// Maps the file at `path` and checks all of it but the weights. See the
    /// crate's own words on files that others change.
    pub fn open(path: impl AsRef<Path>) -> Result<Blob<'static>, Error> {
        Options::default().open(path)
    }

    /// How to open otherwise.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), ttsb::Error> {
    /// let blob = ttsb::Blob::options().copy(true).track(true).open("model.ttsb")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn options() -> Options {
        Options::default()
    }

    /// Opens bytes that the blob keeps.
    pub fn from_vec(bytes: Vec<u8>) -> Result<Blob<'static>, Error> {
        Options::default().from_vec(bytes)
    }
}

impl<'a> Blob<'a> {
    /// Opens bytes that the caller keeps, without a copy.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Blob<'a>, Error> {
        Options::default().from_bytes(bytes)
    }

    pub(crate) fn raw(&self) -> *const ffi::ttsb_blob {
        self.raw.as_ptr()
    }

    /// What the superblock says.
    pub fn info(&self) -> Info<'_> {
        let mut raw = ffi::ttsb_info::sized();
        // SAFETY: the blob is open; `raw` has its size in it.
        certain(unsafe { ffi::ttsb_info(self.raw(), &mut raw) });
        // SAFETY: NUL-terminated, and the blob's until it is closed.
        let model = unsafe { CStr::from_ptr(raw.model) };
        Info {
            model: utf8(model.to_bytes()),
            revision: raw.revision,
            contract_id: raw.contract_id,
            root: raw.root,
            file_size: raw.file_size,
            piece_count: raw.piece_count,
            tensor_count: raw.tensor_count,
            group_count: raw.group_count,
            constant_count: raw.constant_count,
            container: (raw.major, raw.minor),
            partial: raw.partial != 0,
        }
    }

    /// Compares the blob with what the engine needs; the error says how to
    /// rebuild it. Fails with `WrongModel`, `WrongRevision`, `WrongContract`,
    /// or `BadArgument` for an empty range.
    pub fn require(&self, need: &Requirement<'_>) -> Result<(), Error> {
        let model = match need.model {
            Some(name) => Some(c_string(name.as_bytes(), "model")?),
            None => None,
        };
        let mut raw = ffi::ttsb_requirement::sized();
        raw.model = model.as_ref().map_or(ptr::null(), |name| name.as_ptr());
        raw.revision_min = *need.revisions.start();
        raw.revision_max = *need.revisions.end();
        raw.contract_id = need
            .contract_id
            .as_ref()
            .map_or(ptr::null(), |id| id.as_ptr());
        // SAFETY: the blob is open; what `raw` points to lives through the
        // call.
        checked(|error| unsafe { ffi::ttsb_require(self.raw(), &raw, error) })
    }

    /// The number of tensors, those without bytes among them.
    pub fn len(&self) -> usize {
        self.info().tensor_count as usize
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tensor with this name. Fails with `NotFound`, with `Absent` (the
    /// spec lets the checkpoint lack it, and it did) and `Missing`.
    pub fn tensor(&self, name: &str) -> Result<View<'_>, Error> {
        let name = c_string(name.as_bytes(), "name")?;
        let mut raw = ffi::ttsb_tensor::sized();
        // SAFETY: the blob is open, the name is NUL-terminated, `raw` has its
        // size in it.
        checked(|error| unsafe { ffi::ttsb_find(self.raw(), name.as_ptr(), &mut raw, error) })?;
        // Found, and neither absent nor missing.
        Ok(View::of(Record::new(self, raw)))
    }

    /// The same for a tensor that may be absent: `None` then.
    pub fn tensor_optional(&self, name: &str) -> Result<Option<View<'_>>, Error> {
        match self.tensor(name) {
            Err(error) if error.status() == Status::Absent => Ok(None),
            other => other.map(Some),
        }
    }

    /// The record with this index, which counts in file order from 0; those of
    /// absent and missing tensors too. Fails with `OutOfRange`.
    pub fn tensor_at(&self, index: u32) -> Result<Record<'_>, Error> {
        let mut raw = ffi::ttsb_tensor::sized();
        // SAFETY: the blob is open, `raw` has its size in it.
        checked(|error| unsafe { ffi::ttsb_tensor_at(self.raw(), index, &mut raw, error) })?;
        Ok(Record::new(self, raw))
    }

    /// All records, in file order.
    pub fn iter(&self) -> Records<'_> {
        Records::new(self)
    }

    /// The tensors that [`Blob::tensor`] was not asked for, of a blob opened
    /// with [`Options::track`]; else fails with `BadArgument`.
    pub fn unused(&self) -> Result<Unused<'_>, Error> {
        if self.used.is_empty() {
            let text = "unused: the blob was opened without Options::track";
            return Err(Error::new(Status::BadArgument, None, text.to_string()));
        }
        Ok(Unused::new(self))
    }

    /// Counts the tensor as used, which was taken by its index. Does nothing
    /// without [`Options::track`] and for an index that there is not.
    pub fn mark_used(&self, index: u32) {
        if let Some(word) = self.used.get(index as usize / 32) {
            word.fetch_or(1 << (index % 32), Ordering::Relaxed);
        }
    }

    /// The group with this index, in load order. Fails with `OutOfRange`.
    pub fn group_at(&self, index: u32) -> Result<Group<'_>, Error> {
        Group::at(self, index)
    }

    /// All groups, in load order.
    pub fn groups(&self) -> Groups<'_> {
        Groups::new(self)
    }

    /// Asks the system to read a group's bytes ahead of their use, and returns
    /// before it has. Fails with `OutOfRange` and `SystemRead`, after which the
    /// blob is as good as before.
    pub fn prefetch(&self, group: u32) -> Result<(), Error> {
        // SAFETY: the blob is open.
        checked(|error| unsafe { ffi::ttsb_prefetch(self.raw(), group, error) })
    }

    /// The constant with this name. Fails with `NotFound`.
    pub fn constant(&self, name: &str) -> Result<Value<'_>, Error> {
        let text = c_string(name.as_bytes(), "name")?;
        constant::find(self, &text, name)
    }

    /// All constants with their names, in the order of those.
    pub fn constants(&self) -> Constants<'_> {
        Constants::new(self)
    }

    /// Verifies the whole file with 1 to 256 threads, the caller's among them.
    /// The lowest damaged piece is reported, whatever their number. Fails with
    /// `Damaged...`, and `BadArgument` for another number of threads.
    pub fn verify(&self, threads: u32) -> Result<(), Error> {
        // SAFETY: the blob is open; no progress is wanted.
        checked(|error| unsafe { ffi::ttsb_verify(self.raw(), threads, ptr::null(), error) })
    }

    /// The same; `progress(pieces done, all pieces)` is called now and then,
    /// from any of the threads but never from two at a time. A panic in it goes
    /// on in the caller when the threads have ended.
    pub fn verify_with(
        &self,
        threads: u32,
        progress: impl FnMut(u64, u64) + Send,
    ) -> Result<(), Error> {
        let mut watcher = Watcher {
            progress,
            panic: None,
        };
        let raw = ffi::ttsb_progress {
            advance: Some(advance_of(&watcher)),
            user: ptr::addr_of_mut!(watcher).cast(),
        };
        // SAFETY: the blob is open; `watcher` lives through the call and is
        // used by nobody else meanwhile, and its closure may be called from
        // other threads, being Send.
        let result = checked(|error| unsafe { ffi::ttsb_verify(self.raw(), threads, &raw, error) });
        match watcher.panic {
            Some(panic) => resume_unwind(panic),
            None => result,
        }
    }

    /// Hashes the pieces of the range, and the padding behind each tensor that
    /// ends in it: for callers with threads of their own. Fails like `verify`,
    /// and with `OutOfRange`.
    pub fn verify_range(&self, pieces: Range<u64>) -> Result<(), Error> {
        // SAFETY: the blob is open.
        checked(|error| unsafe {
            ffi::ttsb_verify_range(self.raw(), pieces.start, pieces.end, error)
        })
    }

    /// Proves what belongs to no piece; with `verify_range` over all pieces
    /// this is the whole file.
    pub fn verify_rest(&self) -> Result<(), Error> {
        // SAFETY: the blob is open.
        checked(|error| unsafe { ffi::ttsb_verify_rest(self.raw(), error) })
    }
}

impl<'b> IntoIterator for &'b Blob<'_> {
    type Item = Record<'b>;
    type IntoIter = Records<'b>;

    fn into_iter(self) -> Records<'b> {
        self.iter()
    }
}

/// What `verify_with` hands to C.
struct Watcher<F> {
    progress: F,
    panic: Option<Box<dyn Any + Send>>,
}

/// The function that calls this watcher; its type alone is looked at.
fn advance_of<F: FnMut(u64, u64)>(_: &Watcher<F>) -> unsafe extern "C" fn(*mut c_void, u64, u64) {
    advance::<F>
}

/// # Safety
///
/// `user` is a `Watcher<F>` that nobody else uses meanwhile.
unsafe extern "C" fn advance<F: FnMut(u64, u64)>(user: *mut c_void, done: u64, all: u64) {
    // SAFETY: as this function's own.
    let watcher = unsafe { &mut *user.cast::<Watcher<F>>() };
    if watcher.panic.is_none() {
        // No panic may pass through C.
        let call = AssertUnwindSafe(|| (watcher.progress)(done, all));
        watcher.panic = catch_unwind(call).err();
    }
}

/// A call that fails only where this crate is wrong.
pub(crate) fn certain(status: i32) {
    assert_eq!(status, ffi::TTSB_OK, "a bug in the crate ttsb");
}

/// A name or string of the blob, whose bytes open has proven to be UTF-8.
pub(crate) fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("open proves names and strings")
}

/// # Safety
///
/// `size` bytes at `data` are initialised and stay for `'b`; `data` may be
/// NULL where `size` is 0.
pub(crate) unsafe fn slice<'b>(data: *const c_void, size: u64) -> &'b [u8] {
    if size == 0 {
        return &[];
    }
    // SAFETY: as this function's own; what is in memory has a size that fits
    // a usize.
    unsafe { std::slice::from_raw_parts(data.cast(), size as usize) }
}

/// # Safety
///
/// As for `slice`.
pub(crate) unsafe fn name<'b>(data: *const c_char, length: u32) -> &'b str {
    // SAFETY: as this function's own.
    utf8(unsafe { slice(data.cast(), u64::from(length)) })
}
