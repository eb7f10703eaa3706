//! The conversation between the parent and a worker, and the worker's side of it.

use std::{io, ops::Range};

use commonage::{SharedArray, SharedArrayMut};
use ipc_channel::ipc::{self, IpcBytesReceiver, IpcBytesSender, IpcSender};
use ndarray::{Ix2, Ix3, s};
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
/// copies.
#[derive(Serialize, Deserialize)]
pub(crate) struct Job<I = SharedArray<u8, Ix3>> {
    pub(crate) image: I,
    /// The worker's tile: rows of the photograph.
    pub(crate) tile: Range<usize>,
    /// The luminance above which a maximum is a star.
    pub(crate) level: f32,
}

/// What a worker answers. `S` is the smoothed tile, as `I` is the photograph in a [`Job`].
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply<S = SharedArrayMut<f32, Ix2>> {
    /// So many more rows are done.
    Progress(usize),
    /// The result: the smoothed luminance of the tile and the stars in it.
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
            .and_then(|job| find_stars(&job, &outbox))
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

fn find_stars(job: &Job, outbox: &IpcBytesSender) -> Result<Reply, Failure> {
    let image = job.image.as_view();
    // A star at the edge of the tile needs its neighbours beyond: they are in the shared photograph as well.
    let first = job.tile.start.saturating_sub(PEAK_RADIUS);
    let end = (job.tile.end + PEAK_RADIUS).min(image.dim().0);
    let tile = job.tile.start - first..job.tile.end - first;

    let mut done = 0;
    let smoothed = detect::smooth(image, first..end, || {
        done += 1;
        if done % REPORT == 0 {
            // If the parent is gone, the next message finds out.
            let _ = send(outbox, &Reply::<()>::Progress(REPORT));
        }
    });
    let stars = detect::stars(smoothed.view(), tile.clone(), first, job.level);
    let smoothed = SharedArrayMut::copy_from_view(&smoothed.slice(s![tile, ..]))?;
    Ok(Reply::Done { smoothed, stars })
}

/// Sends a message as `ipc_channel::ipc::IpcSender` does, and says how many bytes it was.
pub(crate) fn send(to: &IpcBytesSender, message: &impl Serialize) -> Result<usize, Failure> {
    let bytes = postcard::to_stdvec(message)?;
    to.send(&bytes)?;
    Ok(bytes.len())
}
