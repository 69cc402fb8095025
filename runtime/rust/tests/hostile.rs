// SPDX-License-Identifier: MIT
//
//! Bytes that are no sound blob: an error, never anything else.

use ttsb::{Bf16, Blob, Element, Record, Status, C64, F8E8M0};

mod common;
use common::{blob_bytes, blob_path, made, released};

fn status_of(bytes: &[u8]) -> Option<Status> {
    Blob::from_bytes(bytes).err().map(|error| error.status())
}

/// Each slice that there is has the tensor's elements.
fn slices<T: Element>(record: &Record<'_>) -> usize {
    let view = match record.view() {
        Some(view) => view,
        None => return 0,
    };
    match view.as_slice::<T>() {
        Ok(slice) => {
            assert_eq!(view.dtype(), T::DTYPE);
            assert_eq!(slice.len() as u64, view.element_count());
            slice.len()
        }
        Err(error) => {
            assert_eq!(error.status(), Status::WrongType, "{}", error);
            assert_ne!(view.dtype(), T::DTYPE);
            0
        }
    }
}

/// What an engine would do with it.
fn walk(blob: &Blob<'_>) -> usize {
    let mut sum = 0;
    for record in blob {
        sum += record.name().len() + record.shape().len() + record.digest().len();
        sum += record.view().map_or(0, |view| view.bytes().len());
        sum += slices::<f32>(&record) + slices::<f64>(&record) + slices::<i64>(&record);
        sum += slices::<Bf16>(&record) + slices::<C64>(&record) + slices::<u8>(&record);
        sum += slices::<F8E8M0>(&record);
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

/// TTSB_TEST_BLOBS: `sound-...` have all that the format has; `mutant-...` are
/// wrong somewhere under hashes that are right. Whatever opens can be walked.
#[test]
#[ignore = "wants TTSB_TEST_BLOBS, which tests/test_rust.py makes"]
fn right_hashes_over_wrong_bytes() {
    let (mut sound, mut refused, mut opened) = (0, 0, 0);
    for entry in std::fs::read_dir(made("TTSB_TEST_BLOBS")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        match Blob::options().partial(true).open(&path) {
            Ok(blob) => {
                assert!(walk(&blob) > 0);
                let verdict = blob.verify(2);
                assert!(verdict.is_ok() || !name.starts_with("sound"), "{}", name);
                opened += 1;
            }
            Err(error) => {
                assert!(!name.starts_with("sound"), "{}: {}", name, error);
                assert!((20..=41).contains(&error.status().code()), "{}", error);
                assert!(!error.field().is_empty(), "{}", error);
                refused += 1;
            }
        }
        sound += usize::from(name.starts_with("sound"));
    }
    assert!(
        sound >= 4 && refused > 40 && opened > sound,
        "{} {} {}",
        sound,
        refused,
        opened
    );
}

#[test]
fn a_partial_blob_wants_consent() {
    let partial = released("features-partial-1.0.ttsb");
    let error = Blob::open(&partial).unwrap_err();
    assert_eq!(error.status(), Status::IsPartial);
    let blob = Blob::options().partial(true).open(&partial).unwrap();
    assert!(blob.info().partial);
    let missing: Vec<_> = blob.iter().filter(|r| r.is_missing()).collect();
    assert_eq!(missing.len(), 2);
    for record in missing {
        assert!(record.view().is_none());
        let error = blob.tensor(record.name()).unwrap_err();
        assert_eq!(error.status(), Status::Missing);
        let error = blob.tensor_optional(record.name()).unwrap_err();
        assert_eq!(error.status(), Status::Missing);
    }
}
