//! What the parent and a worker say to each other, on the parent's side.

use indicatif::ProgressBar;

use crate::{
    Failure,
    numbers::Numbers,
    summary::Summary,
    worker::{Hello, Reply},
};

/// Talks to one worker until its result is here. Then hangs up, and the worker ends.
pub(crate) fn converse(worker: Hello, numbers: Numbers, bar: &ProgressBar) -> Result<Option<Summary>, Failure> {
    worker.jobs.send(numbers)?;
    loop {
        match worker.replies.recv().map_err(|_| "it ended before it was done")? {
            Reply::Progress(count) => bar.inc(count),
            Reply::Failed(why) => return Err(why.into()),
            Reply::Done(summary) => return Ok(summary),
        }
    }
}
