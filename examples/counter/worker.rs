//! A process that counts.

use std::{
    io::{self, Write},
    thread,
};

use commonage::{Link, link::ReadWrite};

use crate::{Failure, args::Role, ledger::Shared};

/// What the one that is to die says in the middle of a step.
pub(crate) const HALF: &str = "half";

/// Counts from where the process with this number has come to.
pub(crate) fn work(role: &Role) -> Result<(), Failure> {
    let ledger: Link<Shared, ReadWrite> = Link::open_existing(&role.name)?;
    loop {
        let mut ledger = match ledger.lock() {
            Ok(ledger) => ledger,
            Err(died) => {
                let mut ledger = died.into_guard();
                ledger.repair();
                writeln!(
                    io::stdout(),
                    "process {} has found the lock of a dead one, and repaired the count",
                    role.number
                )?;
                ledger
            }
        };
        if ledger.by[role.number] == role.steps {
            return Ok(());
        }
        ledger.all += 1;
        if role.dies && ledger.by[role.number] + 1 == role.steps {
            writeln!(io::stdout(), "{HALF}")?;
            // With the lock, for as long as it lives.
            loop {
                thread::park();
            }
        }
        ledger.by[role.number] += 1;
    }
}
