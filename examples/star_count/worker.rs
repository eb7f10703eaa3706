//! The conversation between the parent and a worker, and the worker's side of it.

use std::{io, ops::Range};

use commonage::{SharedArray, SharedArrayMut};
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcSender};
use ndarray::{Array2, Ix2, Ix3};
use serde::{Deserialize, Serialize};

use crate::{
    Failure,
    detect::{self, PEAK_RADIUS, Star},
};

/// A worker's first message, by which the parent gets its ends of the two channels.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) jobs: IpcBytesSender,
    pub(crate) replies: IpcBytesReceiver,
}

/// What a worker is to do. `I` is the photograph: a [`SharedArray`], or its bytes in the comparison with a channel that
/// copies; `S` is a part of the smoothed photograph, in the comparison nothing.
#[derive(Serialize, Deserialize)]
pub(crate) struct Job<I = SharedArray<u8, Ix3>, S = SharedArrayMut<f32, Ix2>> {
    pub(crate) image: I,
    /// The worker's tile: rows of the photograph.
    pub(crate) tile: Range<usize>,
    /// Where the smoothed tile goes: nobody else has these rows.
    pub(crate) smoothed: S,
    /// The luminance above which a maximum is a star.
    pub(crate) level: f32,
}

/// What a worker answers. `S` is the smoothed tile, in the comparison its numbers.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply<S = SharedArrayMut<f32, Ix2>> {
    /// So many more rows are done.
    Progress(usize),
    /// The result: the part with the smoothed luminance of the tile, and the stars in it.
    Done { smoothed: S, stars: Vec<Star> },
    /// There will be no result.
    Failed(String),
}

/// Rows between two reports of progress.
const REPORT: usize = 64;

/// Works for the parent that listens at `server` until it hangs up.
pub(crate) fn work(server: String) -> Result<(), Failure> {
    let (jobs, inbox) = ipc::bytes_channel()?;
    let (outbox, replies) = ipc::bytes_channel()?;
    IpcSender::connect(server)
        .and_then(|parent| parent.send(Hello { jobs, replies }).map_err(io::Error::other))
        .map_err(|error| format!("a worker can't reach the process that started it: {error}"))?;
    while let Ok(bytes) = inbox.recv() {
        let reply = postcard::from_bytes(&bytes)
            .map_err(Failure::from)
            .and_then(|job| find_stars(job, &outbox))
            .unwrap_or_else(|error| Reply::Failed(error.to_string()));
        let sent = send(&outbox, &reply).or_else(|error| send(&outbox, &Reply::<()>::Failed(error.to_string())));
        if sent.is_err() {
            // The parent is gone: there is nobody to tell.
            break;
        }
        // Dropping the reply hands the smoothed tile over to the parent, which may be waiting for it.
    }
    Ok(())
}

fn find_stars(job: Job, outbox: &IpcBytesSender) -> Result<Reply, Failure> {
    let Job { image, tile, mut smoothed, level } = job;
    let image = image.as_view();
    // A star at the edge of the tile needs its neighbours beyond: they are in the shared photograph as well, and are
    // smoothed here too, for this process alone.
    let (height, width, _) = image.dim();
    let first = tile.start.saturating_sub(PEAK_RADIUS);
    let end = (tile.end + PEAK_RADIUS).min(height);
    let (mut above, mut below) = (Array2::zeros((tile.start - first, width)), Array2::zeros((end - tile.end, width)));

    let mut done = 0;
    let mut part = smoothed.as_view_mut();
    let rows = above.outer_iter_mut().chain(part.outer_iter_mut()).chain(below.outer_iter_mut());
    detect::smooth(image, first..end, rows, || {
        done += 1;
        if done % REPORT == 0 {
            // If the parent is gone, the next message finds out.
            let _ = send(outbox, &Reply::<()>::Progress(REPORT));
        }
    });
    let rows: Vec<_> = above.outer_iter().chain(part.outer_iter()).chain(below.outer_iter()).collect();
    let stars = detect::stars(&rows, tile.start - first..tile.end - first, first, level);
    Ok(Reply::Done { smoothed, stars })
}

/// Sends a message as `ipc_channel::ipc::IpcSender` does, and says how many bytes it was.
pub(crate) fn send(to: &IpcBytesSender, message: &impl Serialize) -> Result<usize, Failure> {
    let bytes = postcard::to_stdvec(message)?;
    to.send(&bytes)?;
    Ok(bytes.len())
}
