// SPDX-License-Identifier: MIT
//
//! Bytes that are no sound blob: an error, never anything else.

use ttsb::{Blob, Status};

mod common;
use common::{blob_bytes, blob_path};

fn status_of(bytes: &[u8]) -> Option<Status> {
    Blob::from_bytes(bytes).err().map(|error| error.status())
}

/// What an engine would do with it.
fn walk(blob: &Blob<'_>) -> usize {
    let mut sum = 0;
    for record in blob {
        sum += record.name().len() + record.shape().len() + record.digest().len();
        sum += record.view().map_or(0, |view| view.bytes().len());
    }
    sum + blob.constants().count() + blob.groups().map(|g| g.bytes().len()).sum::<usize>()
}

#[test]
fn not_a_blob() {
    assert_eq!(status_of(&[]), Some(Status::TooShort));
    assert_eq!(status_of(&[0; 4095]), Some(Status::TooShort));
    assert_eq!(status_of(&[0; 4096]), Some(Status::BadMagic));
    let error = Blob::open("no such file").unwrap_err();
    assert_eq!(error.status(), Status::SystemOpen);
    let system = error.system().unwrap();
    assert_eq!(system.kind(), std::io::ErrorKind::NotFound);
    let error = Blob::open(std::env::temp_dir()).unwrap_err();
    assert_eq!(error.status(), Status::SystemNotAFile);
    let error = Blob::open("a\0b").unwrap_err();
    assert_eq!(error.status(), Status::BadArgument);
}

#[test]
fn cut_short() {
    let bytes = blob_bytes();
    for size in (0..bytes.len()).step_by(997) {
        assert!(status_of(&bytes[..size]).is_some(), "{}", size);
    }
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(status_of(&longer), Some(Status::BadFileSize));
}

/// Every byte belongs to something that open or verify proves.
#[test]
fn one_byte_is_another() {
    let sound = blob_bytes();
    let (mut refused, mut damaged) = (0, 0);
    for at in (0..sound.len()).step_by(101).chain(0..4096) {
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << (at % 8);
        let opened = Blob::from_bytes(&bytes);
        if let Ok(blob) = opened {
            walk(&blob);
            let error = blob.verify(1).expect_err("a byte that nobody proves");
            let code = error.status().code();
            assert!((42..=45).contains(&code), "{}: {}", at, error);
            damaged += 1;
        } else {
            refused += 1;
        }
    }
    assert!(refused > 100 && damaged > 100, "{} {}", refused, damaged);
}

#[test]
fn the_damaged_tensor_is_named() {
    let mut bytes = blob_bytes();
    let place = {
        let blob = Blob::open(blob_path()).unwrap();
        let view = blob.tensor("head.weight").unwrap();
        (view.index(), view.offset() as usize + 5)
    };
    bytes[place.1] ^= 0x10;
    let blob = Blob::from_vec(bytes).unwrap();
    let error = blob.verify(3).unwrap_err();
    assert_eq!(error.status(), Status::DamagedPiece);
    assert_eq!(error.tensor(), Some(place.0));
    assert!(error.text().contains("head.weight"), "{}", error);
    assert_ne!(error.found(), error.expected());
    assert!(!error.field().is_empty());
    assert!(error.offset() as usize <= place.1);
}
