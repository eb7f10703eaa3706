//! A process that simulates.

use std::io::{self, Write};

use commonage::{Error, FileFault, Value, file};

use crate::{Failure, args::Options, plate::Plate};

/// What a worker says: the step from which it goes on, each step that it has done, and each that it has kept.
pub(crate) const FROM: &str = "from";
pub(crate) const DONE: &str = "done";
pub(crate) const KEPT: &str = "kept";

/// Goes on from what the file holds, or from the beginning, to the end.
pub(crate) fn work(file: &str, options: &Options) -> Result<(), Failure> {
    let mut plate = Plate::cold();
    match file::read::<Value<Plate>>(file) {
        Ok(kept) => *plate = *kept.as_view(),
        Err(Error::File { fault: FileFault::Absent, .. }) => {}
        Err(error) => return Err(error.into()),
    }
    say(FROM, plate.step)?;
    // The one before may have been killed after the last step.
    if plate.step < options.steps {
        wait()?;
    }
    while plate.step < options.steps {
        plate.heat();
        say(DONE, plate.step)?;
        if plate.step.is_multiple_of(options.every) || plate.step == options.steps {
            // Until the end of this line there is the checkpoint before, and after it this one.
            file::draft::<Value<Plate>>(file, &plate)?.publish()?;
            say(KEPT, plate.step)?;
            if plate.step < options.steps {
                wait()?;
            }
        }
    }
    Ok(())
}

/// Until it is told to go on: so it is never far ahead of what its parent knows.
fn wait() -> Result<(), Failure> {
    match io::stdin().lines().next().transpose()? {
        Some(_) => Ok(()),
        None => Err("the process that started it is gone".into()),
    }
}

fn say(what: &str, step: u64) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{what} {step}")?;
    Ok(out.flush()?)
}
