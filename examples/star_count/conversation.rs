//! What the parent and a worker say to each other, on the parent's side.

use std::ops::Range;

use commonage::SharedArrayMut;
use indicatif::ProgressBar;
use ndarray::Ix2;

use crate::{
    Failure,
    detect::Star,
    worker::{Hello, Job, Reply, send},
};

/// A worker's part of the smoothed photograph.
pub(crate) type Part = SharedArrayMut<f32, Ix2>;

/// What has come of a worker, beside its part.
pub(crate) struct Outcome {
    pub(crate) tile: Range<usize>,
    pub(crate) stars: Vec<Star>,
    /// Bytes of all messages, both ways.
    pub(crate) moved: usize,
    /// Of these, the bytes of the two messages that hold a handle: the job and the result.
    pub(crate) with_handle: usize,
}

/// Talks to one worker until its result is here. Then hangs up, and the worker ends.
pub(crate) fn converse(worker: Hello, job: Job, bar: &ProgressBar) -> Result<(Outcome, Part), Failure> {
    let (tile, sent) = (job.tile.clone(), send(&worker.jobs, &job)?);
    // Hands the part over to the worker, which may be waiting for it.
    drop(job);
    let (mut moved, mut shown) = (sent, 0);
    loop {
        let bytes = worker.replies.recv().map_err(|_| "it ended before it was done")?;
        moved += bytes.len();
        match postcard::from_bytes(&bytes)? {
            Reply::Progress(rows) => {
                shown += rows;
                bar.inc(rows as u64);
            }
            Reply::Failed(why) => return Err(why.into()),
            Reply::Done { smoothed, stars } => {
                bar.inc(tile.len().saturating_sub(shown) as u64);
                let with_handle = sent + bytes.len();
                return Ok((Outcome { tile, stars, moved, with_handle }, smoothed));
            }
        }
    }
}
