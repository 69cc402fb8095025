// SPDX-License-Identifier: MIT
//
//! Opens `.ttsb` blobs and finds their tensors, without a copy.
//!
//! A blob is made by `ttswc compile` from a spec and a checkpoint. Opening one
//! proves its superblock and all its indexes by their hashes, whatever bytes
//! the file holds; [`Blob::verify`] proves the weights themselves. This crate
//! has no dependencies and adds no rules of its own to the C library libttsb,
//! which it compiles or links.
//!
//! ```no_run
//! # fn main() -> Result<(), ttsb::Error> {
//! let blob = ttsb::Blob::open("model.ttsb")?;
//! let weight = blob.tensor("blk.0.attn.q.weight")?;
//! println!("{} {:?}", weight.dtype(), weight.shape());
//! let values: &[f32] = weight.as_f32()?;
//! # let _ = values;
//! # Ok(())
//! # }
//! ```
//!
//! What comes from a blob borrows from it and cannot outlive it:
//!
//! ```compile_fail,E0505
//! let blob = ttsb::Blob::open("model.ttsb").unwrap();
//! let weight = blob.tensor("w").unwrap();
//! drop(blob);
//! println!("{:?}", weight.bytes());
//! ```
//!
//! ```compile_fail,E0597
//! let bytes: &[u8];
//! {
//!     let blob = ttsb::Blob::open("model.ttsb").unwrap();
//!     bytes = blob.tensor("w").unwrap().bytes();
//! }
//! println!("{:?}", bytes);
//! ```
//!
//! nor can a blob outlive the bytes that it was opened on:
//!
//! ```compile_fail,E0505
//! let bytes = std::fs::read("model.ttsb").unwrap();
//! let blob = ttsb::Blob::from_bytes(&bytes).unwrap();
//! drop(bytes);
//! println!("{}", blob.len());
//! ```
//!
//! A mapped file must not be changed by others while it is open, as with any
//! mapping: one that is cut short ends the program (SIGBUS), one that is
//! rewritten changes bytes that Rust takes for constant. Write new blobs beside
//! and rename them, as `ttswc` does, or open with [`Options::copy`].

#![deny(missing_docs)]
#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks)]
#![warn(rust_2018_idioms)]

#[cfg(not(target_endian = "little"))]
compile_error!("a .ttsb file is little-endian, and its tensors are used as they lie");

/// The README's example compiles, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod blob;
mod constant;
mod dtype;
mod element;
mod error;
mod ffi;
mod group;
mod tensor;

pub use blob::{Blob, Info, Options, Requirement};
pub use constant::{Constants, Value};
pub use dtype::DType;
pub use element::{Bf16, Element, F8E4M3Fnuz, F8E5M2Fnuz, C64, F16, F8E4M3, F8E5M2, F8E8M0};
pub use error::{Error, Status};
pub use group::{Group, Groups, Place};
pub use tensor::{Record, Records, Unused, View};

/// The version of the C library that runs, such as "1.1.0".
pub fn version() -> &'static str {
    // SAFETY: takes nothing; returns a NUL-terminated string that lives for
    // ever.
    let text = unsafe { std::ffi::CStr::from_ptr(ffi::ttsb_version()) };
    text.to_str().unwrap_or("?")
}
