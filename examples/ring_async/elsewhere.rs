//! Where a process can't hand memory over as a descriptor.

use std::process::ExitCode;

pub(crate) fn main() -> ExitCode {
    println!("ring_async: a ring between two processes needs memory that is a descriptor, and that is Linux's");
    ExitCode::SUCCESS
}
