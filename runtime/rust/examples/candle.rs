// SPDX-License-Identifier: MIT
//
//! How a blob's tensors become Candle's, without a dependency on it here: what
//! Candle wants of a tensor is its bytes, its dtype and its shape.
//!
//! With `candle-core` in a Cargo.toml, the last step is
//!
//! ```ignore
//! fn tensor(
//!     blob: &ttsb::Blob<'_>,
//!     name: &str,
//!     device: &candle_core::Device,
//! ) -> Result<candle_core::Tensor, Box<dyn std::error::Error>> {
//!     let view = blob.tensor(name)?;
//!     let raw = raw(&view).ok_or("a dtype that Candle has not")?;
//!     let dtype = raw.dtype.parse::<candle_core::DType>()?;
//!     // Copies once, to where the device has its memory.
//!     Ok(candle_core::Tensor::from_raw_buffer(raw.bytes, dtype, &raw.shape, device)?)
//! }
//! ```
//!
//! A tensor whose name is only known at run time is an error where it is not
//! there; nothing is filled in.

use ttsb::{Blob, DType, View};

/// What `candle_core::Tensor::from_raw_buffer` takes.
struct Raw<'b> {
    bytes: &'b [u8],
    dtype: &'static str,
    shape: Vec<usize>,
}

/// `None` for a dtype that Candle does not have.
fn raw<'b>(view: &View<'b>) -> Option<Raw<'b>> {
    let dtype = match view.dtype() {
        DType::U8 => "u8",
        DType::U32 => "u32",
        DType::I64 => "i64",
        DType::BF16 => "bf16",
        DType::F16 => "f16",
        DType::F32 => "f32",
        DType::F64 => "f64",
        _ => return None,
    };
    let shape = view
        .shape()
        .iter()
        .map(|&size| usize::try_from(size).ok())
        .collect::<Option<Vec<usize>>>()?;
    Some(Raw {
        bytes: view.bytes(),
        dtype,
        shape,
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: candle BLOB")?;
    let blob = Blob::open(path)?;
    for record in &blob {
        let view = match record.view() {
            Some(view) => view,
            None => continue, // absent: the engine decides what that means
        };
        match raw(&view) {
            Some(raw) => println!(
                "{}: {} {:?}, {} bytes",
                view.name(),
                raw.dtype,
                raw.shape,
                raw.bytes.len()
            ),
            None => println!("{}: Candle has no {}", view.name(), view.dtype()),
        }
    }
    Ok(())
}
