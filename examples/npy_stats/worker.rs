//! The conversation between the parent and a worker, and the worker's side of it.

use std::io;

use ipc_channel::{
    IpcError,
    ipc::{self, IpcReceiver, IpcSender},
};
use serde::{Deserialize, Serialize};

use crate::{Failure, numbers::Numbers, summary::Summary};

/// A worker's first message, by which the parent gets its ends of the two channels.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) jobs: IpcSender<Numbers>,
    pub(crate) replies: IpcReceiver<Reply>,
}

/// What a worker answers.
#[derive(Serialize, Deserialize)]
pub(crate) enum Reply {
    /// So many numbers more were looked at.
    Progress(u64),
    /// The result; none of no numbers.
    Done(Option<Summary>),
    /// There will be no result.
    Failed(String),
}

/// Works for the parent that listens at `server` until it hangs up.
pub(crate) fn work(server: String) -> Result<(), Failure> {
    let (jobs, inbox) = ipc::channel::<Numbers>()?;
    let (outbox, replies) = ipc::channel()?;
    IpcSender::connect(server)
        .and_then(|parent| parent.send(Hello { jobs, replies }).map_err(io::Error::other))
        .map_err(|error| format!("a worker can't reach the process that started it: {error}"))?;
    loop {
        let done = match inbox.recv() {
            Err(IpcError::Disconnected) => return Ok(()),
            Err(error) => Err(Failure::from(error)),
            // If the parent is gone, the last message finds out.
            Ok(numbers) => numbers.summarize(|count| drop(outbox.send(Reply::Progress(count)))),
        };
        let reply = done.map_or_else(|error| Reply::Failed(error.to_string()), Reply::Done);
        if outbox.send(reply).is_err() {
            // The parent is gone: there is nobody to tell.
            return Ok(());
        }
    }
}
