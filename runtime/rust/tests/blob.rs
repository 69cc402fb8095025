// SPDX-License-Identifier: MIT
//
//! A sound blob: every tensor against what `ttswc export` says it holds, and
//! each call of the API.

use std::collections::HashSet;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use ttsb::{Bf16, Blob, DType, Place, Requirement, Status, Value, F16};

mod common;
use common::{blob_bytes, blob_path, made};

fn open() -> Blob<'static> {
    Blob::open(blob_path()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{:02x}", byte)).collect()
}

/// Asserts that it failed so, and gives the error back.
fn failed<T: std::fmt::Debug>(result: Result<T, ttsb::Error>, status: Status) -> ttsb::Error {
    let error = result.unwrap_err();
    assert_eq!(error.status(), status, "{}", error);
    assert!(!error.text().is_empty());
    assert_eq!(error.to_string(), error.text());
    error
}

/// TTSB_TEST_TENSORS: lines `NAME DTYPE [SHAPE] HEX`, from `ttswc export`.
#[test]
#[ignore = "wants TTSB_TEST_TENSORS, which tests/test_rust.py makes"]
fn tensors_are_those_of_the_exporter() {
    let blob = open();
    let text = std::fs::read_to_string(made("TTSB_TEST_TENSORS")).unwrap();
    let mut count = 0;
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let view = blob.tensor(fields[0]).unwrap();
        assert_eq!(view.name(), fields[0]);
        assert_eq!(view.dtype().name(), fields[1]);
        assert_eq!(format!("{:?}", view.shape()), fields[2]);
        assert_eq!(hex(view.bytes()), fields[3], "{}", fields[0]);
        assert_eq!(view.size(), view.bytes().len() as u64);
        count += 1;
    }
    assert_eq!(count, blob.iter().filter_map(|r| r.view()).count());
    assert!(count >= 18);
}

#[test]
fn every_way_to_open_gives_the_same() {
    let bytes = blob_bytes();
    let file = std::fs::File::open(blob_path()).unwrap();
    let borrowed = Blob::from_bytes(&bytes).unwrap();
    let all = [
        open(),
        Blob::options().copy(true).open(blob_path()).unwrap(),
        Blob::options().open_file(&file).unwrap(),
        Blob::from_vec(bytes.clone()).unwrap(),
        Blob::options()
            .copy(true)
            .partial(true)
            .from_vec(bytes.clone())
            .unwrap(),
    ];
    drop(file);
    for blob in &all {
        assert_eq!(blob.info(), borrowed.info());
        assert_eq!(blob.len(), borrowed.len());
        for (a, b) in blob.iter().zip(&borrowed) {
            assert_eq!(a.name(), b.name());
            assert_eq!(a.digest(), b.digest());
            assert_eq!(a.view().map(|v| v.bytes()), b.view().map(|v| v.bytes()));
        }
        blob.verify(2).unwrap();
    }
}

#[test]
fn info_and_requirements() {
    let blob = open();
    let info = blob.info();
    assert_eq!(
        (info.model, info.revision, info.partial),
        ("features", 3, false)
    );
    assert_eq!(info.tensor_count as usize, blob.len());
    assert!(!blob.is_empty());
    assert_eq!(
        info.file_size,
        std::fs::metadata(blob_path()).unwrap().len()
    );
    assert_eq!(info.container.0, 1);
    let fits = Requirement::new()
        .model("features")
        .revisions(2..=3)
        .contract_id(info.contract_id);
    blob.require(&Requirement::new()).unwrap();
    blob.require(&fits).unwrap();
    let error = failed(
        blob.require(&fits.clone().model("another")),
        Status::WrongModel,
    );
    assert!(error.text().contains("features"), "{}", error);
    failed(
        blob.require(&fits.clone().revisions(4..=9)),
        Status::WrongRevision,
    );
    failed(
        blob.require(&fits.clone().contract_id([7; 16])),
        Status::WrongContract,
    );
    #[allow(clippy::reversed_empty_ranges)]
    let empty = fits.clone().revisions(4..=3);
    failed(blob.require(&empty), Status::BadArgument);
    failed(blob.require(&fits.model("a\0b")), Status::BadArgument);
}

#[test]
fn tensors_by_name() {
    let blob = open();
    let bias = blob.tensor("blk.1.attn.proj.bias").unwrap();
    assert_eq!(
        (bias.dtype(), bias.shape(), bias.rank()),
        (DType::F32, &[8][..], 1)
    );
    assert_eq!(bias.element_count(), 8);
    assert_eq!(bias.as_f32().unwrap().len(), 8);
    assert_eq!(
        bias.as_slice::<f32>().unwrap()[7].to_le_bytes(),
        bias.bytes()[28..]
    );
    let half = blob.tensor("gate.weight").unwrap();
    assert_eq!(half.as_slice::<F16>().unwrap().len(), 24);
    let error = failed(half.as_f32(), Status::WrongType);
    assert_eq!(error.text(), "tensor `gate.weight` holds F16, not F32");
    assert_eq!(error.tensor(), Some(half.index()));
    failed(half.as_slice::<Bf16>(), Status::WrongType);
    let scalar = blob.tensor("scalar").unwrap();
    assert_eq!((scalar.rank(), scalar.element_count()), (0, 1));
    assert_eq!(scalar.as_f32().unwrap().len(), 1);
    assert_eq!(
        blob.tensor("steps")
            .unwrap()
            .as_slice::<i32>()
            .unwrap()
            .len(),
        3
    );
    failed(blob.tensor("blk.2.attn.proj.bias"), Status::NotFound);
    failed(blob.tensor("a\0b"), Status::BadArgument);
    failed(blob.tensor("style.weight"), Status::Absent);
    assert!(blob.tensor_optional("style.weight").unwrap().is_none());
    assert!(blob.tensor_optional("speed.weight").unwrap().is_some());
    failed(blob.tensor_optional("nothing"), Status::NotFound);
}

#[test]
fn records() {
    let blob = open();
    let absent = blob.iter().find(|r| r.name() == "style.weight").unwrap();
    assert!(absent.is_absent() && absent.is_optional() && !absent.is_missing());
    assert!(absent.view().is_none());
    let alias = blob.iter().find(|r| r.name() == "out.weight").unwrap();
    let target = blob.tensor_at(alias.alias_of().unwrap()).unwrap();
    assert_eq!((target.name(), target.alias_of()), ("tok.weight", None));
    assert_eq!(target.digest(), alias.digest());
    assert_eq!(
        target.view().unwrap().bytes(),
        alias.view().unwrap().bytes()
    );
    failed(blob.tensor_at(blob.len() as u32), Status::OutOfRange);
    let indices: Vec<u32> = blob.iter().map(|r| r.index()).collect();
    assert_eq!(indices, (0..blob.len() as u32).collect::<Vec<u32>>());
    assert_eq!(blob.iter().rev().count(), blob.iter().len());
    assert_eq!(format!("{:?}", target), "tok.weight BF16[5, 8]");
}

#[test]
fn groups() {
    let blob = open();
    let file = blob_bytes();
    let groups: Vec<_> = blob.groups().collect();
    assert_eq!(groups.len(), 2);
    assert_eq!(
        (groups[0].name(), groups[0].place()),
        ("body", Place::Device)
    );
    assert_eq!(
        (groups[1].name(), groups[1].place()),
        ("tables", Place::Host)
    );
    for group in &groups {
        let start = group.offset() as usize;
        assert_eq!(group.bytes(), &file[start..start + group.bytes().len()]);
        for index in group.tensors() {
            let record = blob.tensor_at(index).unwrap();
            assert_eq!(record.group(), group.index());
            assert_eq!(record.offset(), group.offset() + record.group_offset());
            assert_eq!(record.group_offset() % u64::from(group.align()), 0);
        }
        blob.prefetch(group.index()).unwrap();
    }
    assert_eq!(blob.group_at(1).unwrap().name(), "tables");
    failed(blob.group_at(2), Status::OutOfRange);
    failed(blob.prefetch(2), Status::OutOfRange);
}

#[test]
fn constants() {
    let blob = open();
    assert_eq!(blob.constant("heads").unwrap().as_i64(), Some(2));
    assert_eq!(blob.constant("stop_token").unwrap(), Value::I64(-1));
    assert_eq!(blob.constant("rms_eps").unwrap().as_f64(), Some(1e-6));
    assert_eq!(blob.constant("heads").unwrap().as_f64(), None);
    assert_eq!(
        blob.constant("languages").unwrap(),
        Value::StrList(vec!["en", "zh"])
    );
    assert_eq!(
        blob.constant("widths").unwrap(),
        Value::I64List(vec![8, 16])
    );
    failed(blob.constant("none"), Status::NotFound);
    failed(blob.constant("he\0ads"), Status::BadArgument);
    let names: Vec<&str> = blob
        .constants()
        .map(|(name, value)| {
            assert_eq!(value.unwrap(), blob.constant(name).unwrap());
            name
        })
        .collect();
    assert_eq!(names.len(), blob.info().constant_count as usize);
    assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn unused_tensors_are_named() {
    let blob = Blob::options().track(true).open(blob_path()).unwrap();
    assert_eq!(blob.unused().unwrap().count(), blob.len());
    for record in &blob {
        match record.name() {
            "gate.weight" | "steps" => (),
            "style.weight" => assert!(blob.tensor(record.name()).is_err()),
            "scalar" => blob.mark_used(record.index()),
            name => assert_eq!(blob.tensor(name).unwrap().name(), name),
        }
    }
    let left: HashSet<&str> = blob.unused().unwrap().map(|r| r.name()).collect();
    assert_eq!(left, HashSet::from(["gate.weight", "steps"]));
    blob.mark_used(u32::MAX);
    failed(open().unused(), Status::BadArgument);
}

#[test]
fn verified_by_any_number_of_threads() {
    let blob = open();
    let all = blob.info().piece_count;
    for threads in [1, 2, 256] {
        let (mut last, calls) = (0, AtomicU64::new(0));
        blob.verify_with(threads, |done, count| {
            assert_eq!(count, all);
            last = done;
            calls.fetch_add(1, Ordering::Relaxed);
        })
        .unwrap();
        assert_eq!(last, all);
        assert!(calls.into_inner() > 0);
    }
    blob.verify_range(0..all).unwrap();
    blob.verify_rest().unwrap();
    failed(blob.verify(0), Status::BadArgument);
    failed(blob.verify(257), Status::BadArgument);
    failed(blob.verify_range(0..all + 1), Status::OutOfRange);
}

#[test]
fn a_panic_does_not_pass_through_c() {
    let blob = open();
    let result = catch_unwind(AssertUnwindSafe(|| {
        blob.verify_with(2, |_, _| panic!("enough"))
    }));
    assert_eq!(*result.unwrap_err().downcast::<&str>().unwrap(), "enough");
    blob.verify(1).unwrap();
}

#[test]
fn shared_by_threads_and_closed_by_any() {
    fn shared<T: Send + Sync>(_: &T) {}
    let blob = Arc::new(Blob::options().track(true).open(blob_path()).unwrap());
    shared(&*blob);
    shared(&blob.tensor("scalar").unwrap());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let blob = Arc::clone(&blob);
            std::thread::spawn(move || {
                let seen = blob.iter().filter_map(|r| blob.tensor(r.name()).ok());
                seen.map(|view| view.bytes().len()).sum::<usize>()
            })
        })
        .collect();
    drop(blob);
    let sums: HashSet<usize> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    assert_eq!(sums.len(), 1);
}

#[test]
fn bytes_that_lie_oddly_are_no_slice() {
    let bytes = blob_bytes();
    let mut odd = vec![0; bytes.len() + 8];
    // One byte behind where an f32 may lie.
    let at = odd.as_ptr().align_offset(4) + 1;
    odd[at..at + bytes.len()].copy_from_slice(&bytes);
    let blob = Blob::from_bytes(&odd[at..at + bytes.len()]).unwrap();
    blob.verify(1).unwrap();
    let view = blob.tensor("blk.0.ln_1.weight").unwrap();
    let aligned = open();
    assert_eq!(view.bytes(), aligned.tensor(view.name()).unwrap().bytes());
    let error = failed(view.as_f32(), Status::Misaligned);
    assert!(error.text().contains("blk.0.ln_1.weight"), "{}", error);
    assert_eq!(error.status().code(), -1);
    assert_eq!(error.status().name(), "TTSB_?");
}

#[test]
fn the_library_that_runs() {
    assert_eq!(ttsb::version(), env!("CARGO_PKG_VERSION"));
}
