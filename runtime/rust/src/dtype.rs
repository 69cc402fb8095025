// SPDX-License-Identifier: MIT
//
//! The types of a tensor's elements.

use std::ffi::CStr;
use std::fmt;

use crate::ffi;

macro_rules! dtypes {
    ($($name:ident = $code:literal,)*) => {
        /// The type of a tensor's elements; names as in safetensors. A later
        /// library may know more.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types, missing_docs)] // the name says it
        #[non_exhaustive]
        pub enum DType {
            $($name,)*
            /// One that this crate does not know: the linked library is newer.
            Unknown(u32),
        }

        impl DType {
            pub(crate) fn from_code(code: u32) -> DType {
                match code {
                    $($code => DType::$name,)*
                    other => DType::Unknown(other),
                }
            }

            /// The code in the file.
            pub fn code(self) -> u32 {
                match self {
                    $(DType::$name => $code,)*
                    DType::Unknown(code) => code,
                }
            }
        }
    };
}

dtypes! {
    BOOL = 1,
    U8 = 2,
    I8 = 3,
    U16 = 4,
    I16 = 5,
    U32 = 6,
    I32 = 7,
    U64 = 8,
    I64 = 9,
    F16 = 10,
    BF16 = 11,
    F32 = 12,
    F64 = 13,
    C64 = 14,
    F8_E4M3 = 15,
    F8_E5M2 = 16,
    F8_E8M0 = 17,
    F8_E4M3FNUZ = 18,
    F8_E5M2FNUZ = 19,
    F4 = 20,
    F6_E2M3 = 21,
    F6_E3M2 = 22,
}

impl DType {
    /// The name as in FORMAT.md, such as "F32".
    pub fn name(self) -> &'static str {
        // SAFETY: any number is fine.
        let name = unsafe { ffi::ttsb_dtype_name(self.code()) };
        if name.is_null() {
            return "?";
        }
        // SAFETY: not NULL, so a NUL-terminated string that lives for ever.
        unsafe { CStr::from_ptr(name) }.to_str().unwrap_or("?")
    }

    /// Bits of one element; below 8 they are packed.
    pub fn bits(self) -> u32 {
        // SAFETY: any number is fine.
        unsafe { ffi::ttsb_dtype_bits(self.code()) }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_of_the_library_is_known() {
        let mut known = 0;
        for code in 0..1000 {
            let dtype = DType::from_code(code);
            assert_eq!(dtype.code(), code);
            if let DType::Unknown(_) = dtype {
                assert_eq!(dtype.name(), "?", "{}", code);
            } else {
                assert_eq!(format!("{:?}", dtype), dtype.name());
                assert_ne!(dtype.bits(), 0);
                known += 1;
            }
        }
        assert_eq!(known, 22);
    }
}
