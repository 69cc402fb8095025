// SPDX-License-Identifier: MIT
//
//! Prints what a blob holds: `cargo run --example dump -- model.ttsb [--verify]`.

use std::process::ExitCode;

use ttsb::{Blob, Error};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{:02x}", byte)).collect()
}

fn dump(path: &str, verify: bool) -> Result<(), Error> {
    let blob = Blob::open(path)?;
    let info = blob.info();
    println!("{}  revision {}", info.model, info.revision);
    println!("contract {}", hex(&info.contract_id));
    println!("root     {}", hex(&info.root));
    for (name, value) in blob.constants() {
        println!("constant {} = {:?}", name, value?);
    }
    for group in blob.groups() {
        println!("group {:?}", group);
        for index in group.tensors() {
            let record = blob.tensor_at(index)?;
            let bytes = match record.view() {
                Some(view) => format!("{} bytes", view.bytes().len()),
                None => "no bytes".to_string(),
            };
            println!("  {:?}  {}  {}", record, bytes, hex(&record.digest()));
        }
    }
    if verify {
        blob.verify_with(4, |done, all| eprint!("\r{} of {} pieces", done, all))?;
        eprintln!();
        println!("verified");
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let verify = arguments.iter().any(|argument| argument == "--verify");
    let path = match arguments
        .iter()
        .find(|argument| !argument.starts_with("--"))
    {
        Some(path) => path,
        None => {
            eprintln!("usage: dump BLOB [--verify]");
            return ExitCode::from(2);
        }
    };
    match dump(path, verify) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {} ({})", path, error, error.status().name());
            ExitCode::FAILURE
        }
    }
}
