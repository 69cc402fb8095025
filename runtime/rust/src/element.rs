// SPDX-License-Identifier: MIT
//
//! The Rust types that a tensor's bytes may be read as.
//!
//! Invariant: every type here has the size of its dtype, no padding, and all
//! bit patterns are values of it. `BOOL` has none for that reason, and the
//! packed dtypes because an element is no byte.

use crate::DType;

mod sealed {
    pub trait Sealed {}
}

/// A type of which tensors can be slices; this crate alone decides which.
///
/// # Safety
///
/// All bit patterns are values, there is no padding, and the size is that of
/// `DTYPE`.
pub unsafe trait Element: sealed::Sealed + Copy + Send + Sync + 'static {
    /// What a tensor must hold.
    const DTYPE: DType;
}

macro_rules! plain {
    ($($kind:ty = $dtype:ident,)*) => {
        $(
            impl sealed::Sealed for $kind {}
            // SAFETY: a number of the machine, or a repr(C) struct of such,
            // whose size the test below compares.
            unsafe impl Element for $kind {
                const DTYPE: DType = DType::$dtype;
            }
        )*

        #[cfg(test)]
        fn sizes() -> Vec<(DType, usize)> {
            vec![$((DType::$dtype, std::mem::size_of::<$kind>()),)*]
        }
    };
}

/// Types for which Rust has none: the bits as in the file.
macro_rules! bits {
    ($($(#[$doc:meta])* $name:ident($kind:ty),)*) => {
        $(
            $(#[$doc])*
            #[repr(transparent)]
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
            pub struct $name {
                /// As in the file.
                pub bits: $kind,
            }
        )*
    };
}

bits! {
    /// IEEE half precision.
    F16(u16),
    /// The upper half of an f32.
    Bf16(u16),
    /// 8 bits, 4 of them exponent, no infinity.
    F8E4M3(u8),
    /// 8 bits, 5 of them exponent.
    F8E5M2(u8),
    /// 8 bits of exponent: a power of two.
    F8E8M0(u8),
    /// 8 bits, 4 of them exponent, no negative zero.
    F8E4M3Fnuz(u8),
    /// 8 bits, 5 of them exponent, no negative zero.
    F8E5M2Fnuz(u8),
}

/// A complex number.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct C64 {
    /// Its real part.
    pub real: f32,
    /// Its imaginary part.
    pub imaginary: f32,
}

plain! {
    u8 = U8,
    i8 = I8,
    u16 = U16,
    i16 = I16,
    u32 = U32,
    i32 = I32,
    u64 = U64,
    i64 = I64,
    f32 = F32,
    f64 = F64,
    F16 = F16,
    Bf16 = BF16,
    C64 = C64,
    F8E4M3 = F8_E4M3,
    F8E5M2 = F8_E5M2,
    F8E8M0 = F8_E8M0,
    F8E4M3Fnuz = F8_E4M3FNUZ,
    F8E5M2Fnuz = F8_E5M2FNUZ,
}

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_those_of_the_dtypes() {
        let sizes = super::sizes();
        assert_eq!(sizes.len(), 18);
        for (dtype, size) in sizes {
            assert_eq!(dtype.bits() as usize, 8 * size, "{}", dtype);
        }
    }
}
