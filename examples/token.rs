//! A value for a child process, by argv: `cargo run --example token`.

use std::{env, error::Error, process::Command};

use commonage::{Shared, SharedSlice};

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(token) = env::args().nth(1) {
        let numbers: SharedSlice<u64> = Shared::from_token(&token)?;
        println!("{} numbers, the last one {}, came in {} characters", numbers.len(), numbers[999_999], token.len());
        return Ok(());
    }
    let numbers: Vec<u64> = (0..1_000_000).collect();
    let shared = Shared::copy_from(&numbers[..])?;
    let child = Command::new(env::current_exe()?).arg(shared.into_token()?).status()?;
    assert!(child.success(), "the child reads what this process wrote");
    Ok(())
}
