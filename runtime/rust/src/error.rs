// SPDX-License-Identifier: MIT
//
//! What a call that failed says: a status for the program, a line for its user.

use std::ffi::CStr;
use std::fmt;
use std::os::raw::c_char;

use crate::ffi::{self, Sized32};

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What went wrong, as ttsb.h numbers it. A later library may know more.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Status {
            $($(#[$doc])* $name,)*
            /// Of this crate alone: the bytes do not lie where a slice of the
            /// type may lie. See [`View::as_slice`](crate::View::as_slice).
            Misaligned,
            /// One that this crate does not know: the linked library is newer.
            Unknown(i32),
        }

        impl Status {
            pub(crate) fn from_code(code: i32) -> Status {
                match code {
                    $($code => Status::$name,)*
                    other => Status::Unknown(other),
                }
            }

            /// The number of ttsb.h; -1 for [`Status::Misaligned`].
            pub fn code(self) -> i32 {
                match self {
                    $(Status::$name => $code,)*
                    Status::Misaligned => -1,
                    Status::Unknown(code) => code,
                }
            }
        }
    };
}

statuses! {
    /// A NUL in a name, an unknown flag, a range that is empty.
    BadArgument = 1,
    /// Nothing has that name.
    NotFound = 2,
    /// An optional tensor that the checkpoint lacked.
    Absent = 3,
    /// A tensor that a partial blob lacks.
    Missing = 4,
    /// The blob is of another model.
    WrongModel = 5,
    /// The blob is of another revision of the spec.
    WrongRevision = 6,
    /// The blob has another contract id.
    WrongContract = 7,
    /// The tensor or constant holds items of another type.
    WrongType = 8,
    /// An index is not below its count.
    OutOfRange = 9,
    /// The caller asked for an end.
    Cancelled = 10,
    /// The file is not that of the blob.
    WrongFile = 11,
    /// Below 4096 bytes.
    TooShort = 20,
    /// Not a .ttsb file.
    BadMagic = 21,
    /// The endian mark.
    BadEndian = 22,
    /// A container of another major version.
    BadMajor = 23,
    /// An unknown incompat bit.
    BadFeature = 24,
    /// A partial blob, opened without [`Options::partial`](crate::Options::partial).
    IsPartial = 25,
    /// The superblock is damaged.
    BadSelfHash = 26,
    /// Cut short, or with trailing bytes.
    BadFileSize = 27,
    /// The superblock's size.
    BadPrefix = 28,
    /// Reserved bytes of the superblock.
    BadReserved = 29,
    /// The root is not that of the superblock.
    BadRoot = 30,
    /// The model's name.
    BadModelName = 31,
    /// Order, flags, offsets, ends of sections.
    BadSectionTable = 32,
    /// A section lacks, or an unknown one is critical.
    BadSectionSet = 33,
    /// A critical section is damaged.
    BadSectionHash = 34,
    /// A rule of INDEX.
    BadIndex = 35,
    /// A rule of NAMES.
    BadNames = 36,
    /// A rule of NAMEORD.
    BadOrder = 37,
    /// A rule of GROUPS.
    BadGroups = 38,
    /// PIECES has another size.
    BadPieces = 39,
    /// A rule of CONST.
    BadConst = 40,
    /// A number is beyond its limit.
    OverLimit = 41,
    /// A piece of the weights has another hash.
    DamagedPiece = 42,
    /// A padding byte is not zero.
    DamagedPadding = 43,
    /// META has another hash.
    DamagedMeta = 44,
    /// An unknown section has another hash.
    DamagedSection = 45,
    /// The system: open.
    SystemOpen = 50,
    /// The system: stat.
    SystemStat = 51,
    /// The system: map.
    SystemMap = 52,
    /// The system: read.
    SystemRead = 53,
    /// A folder, a pipe, a device.
    SystemNotAFile = 54,
    /// Memory ran out.
    NoMemory = 55,
    /// An allocation on the device failed.
    DeviceMemory = 70,
    /// A copy to the device failed.
    DeviceCopy = 71,
    /// Another call to the device failed.
    DeviceCall = 72,
    /// Cannot happen; please report it.
    Bug = 99,
}

impl Status {
    /// The name in ttsb.h, such as "TTSB_BAD_MAGIC"; "TTSB_?" where it has none.
    pub fn name(self) -> &'static str {
        // SAFETY: any number is fine; the string lives for ever.
        unsafe { forever(ffi::ttsb_status_name(self.code())) }
    }

    /// One English clause on what it means, without the details of the case.
    pub fn text(self) -> &'static str {
        if self == Status::Misaligned {
            return "the bytes are not aligned for this type";
        }
        // SAFETY: any number is fine; the string lives for ever.
        unsafe { forever(ffi::ttsb_status_text(self.code())) }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// # Safety
///
/// `text` is NUL-terminated and lives for ever.
unsafe fn forever(text: *const c_char) -> &'static str {
    // SAFETY: as this function's own.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("?")
}

/// Why a call failed. Numbers that do not apply are 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: Status,
    text: String,
    field: String,
    offset: u64,
    found: u64,
    expected: u64,
    tensor: Option<u32>,
    errno: i32,
}

impl Error {
    /// What kind of failure it is; match on this.
    pub fn status(&self) -> Status {
        self.status
    }

    /// One line in English, the same as `Display`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// FORMAT.md's name of the field, or the call that failed; else empty.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Of the field or byte, from the file's start.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What the file has; of a hash its first 8 bytes.
    pub fn found(&self) -> u64 {
        self.found
    }

    /// What it must have, or may have at most.
    pub fn expected(&self) -> u64 {
        self.expected
    }

    /// The index of the tensor that it is about.
    pub fn tensor(&self) -> Option<u32> {
        self.tensor
    }

    /// The system's own error, of a status of the system's.
    pub fn system(&self) -> Option<std::io::Error> {
        (self.errno != 0).then(|| std::io::Error::from_raw_os_error(self.errno))
    }

    /// A failure that the crate itself has found.
    pub(crate) fn new(status: Status, tensor: Option<u32>, text: String) -> Error {
        Error {
            status,
            text,
            field: String::new(),
            offset: 0,
            found: 0,
            expected: 0,
            tensor,
            errno: 0,
        }
    }

    /// Of a call that has no `struct ttsb_error`.
    pub(crate) fn of_status(code: i32, what: &str) -> Error {
        let status = Status::from_code(code);
        Error::new(status, None, format!("{}: {}", what, status.text()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// Text that C has put into an array.
fn of_array(array: &[c_char]) -> String {
    let bytes: Vec<u8> = array
        .iter()
        .take_while(|&&c| c != 0)
        .map(|&c| c as u8)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs a C call with a `struct ttsb_error` and makes a `Result` of its status.
pub(crate) fn checked(call: impl FnOnce(*mut ffi::ttsb_error) -> i32) -> Result<(), Error> {
    let mut raw = ffi::ttsb_error::sized();
    let code = call(&mut raw);
    if code == ffi::TTSB_OK {
        return Ok(());
    }
    Err(Error {
        status: Status::from_code(code),
        text: of_array(&raw.text),
        field: of_array(&raw.field),
        offset: raw.offset,
        found: raw.found,
        expected: raw.expected,
        tensor: (raw.tensor != ffi::TTSB_NO_TENSOR).then_some(raw.tensor),
        errno: raw.system_errno,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_the_library_is_known() {
        let mut known = 0;
        for code in 1..1000 {
            let status = Status::from_code(code);
            assert_eq!(status.code(), code);
            let unknown = matches!(status, Status::Unknown(_));
            assert_eq!(status.name() == "TTSB_?", unknown, "{}", code);
            if !unknown {
                let plain: String = status.name()[5..].replace('_', "").to_lowercase();
                assert_eq!(format!("{:?}", status).to_lowercase(), plain);
                assert!(!status.text().is_empty());
                known += 1;
            }
        }
        assert!(known > 40);
    }
}
