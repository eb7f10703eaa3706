//! Worker processes, as their parent sees them: started, listened to, and missed when they die.

use std::{
    env, fmt,
    fs::File,
    io,
    process::{self, Child, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ipc_channel::ipc::{IpcOneShotServer, IpcSender};
use serde::{Deserialize, Serialize};

use crate::Failure;

/// How often to look whether a silent worker is still there.
const LOOK: Duration = Duration::from_millis(20);
/// The most files that a worker keeps open in this process.
const FILES: usize = 6;
/// How long a worker that has hung up may take to end.
const END: Duration = Duration::from_secs(2);

/// Which worker, and what has come of it.
type Report<R> = (usize, Result<R, Failure>);

/// Workers, each with a result. Those that still run when it is dropped are killed.
pub(crate) struct Crew<R> {
    workers: Vec<Worker>,
    reports: mpsc::Sender<Report<R>>,
    inbox: mpsc::Receiver<Report<R>>,
}

struct Worker {
    process: Child,
    /// Where it is to report.
    server: String,
    conversation: Option<JoinHandle<()>>,
}

impl<R: Send + 'static> Crew<R> {
    /// A crew that is to have so many workers.
    pub(crate) fn of(workers: usize) -> Result<Self, Failure> {
        // `ipc-channel` panics when there is no room for the descriptors that a message brings.
        let program = env::current_exe()?;
        let room: io::Result<Vec<File>> = (0..workers * FILES).map(|_| File::open(&program)).collect();
        room.map_err(|error| format!("there is no room for {workers} workers: {error}"))?;
        let (reports, inbox) = mpsc::channel();
        Ok(Crew { workers: Vec::new(), reports, inbox })
    }

    /// Starts a worker, this program once more, and a thread that talks to it from its first message to its result.
    pub(crate) fn hire<H>(
        &mut self,
        converse: impl FnOnce(H) -> Result<R, Failure> + Send + 'static,
    ) -> Result<(), Failure>
    where
        H: Serialize + for<'de> Deserialize<'de> + Send + 'static,
    {
        let number = self.workers.len();
        let cannot = |error: &dyn fmt::Display| format!("can't start worker {}: {error}", number + 1);
        let (listener, server) = IpcOneShotServer::new().map_err(|error| cannot(&error))?;
        let mut command = process::Command::new(env::current_exe()?);
        let process = command.arg("--worker").arg(&server).stdin(Stdio::null()).spawn();
        let process = process.map_err(|error| cannot(&error))?;
        let reports = self.reports.clone();
        self.workers.push(Worker { process, server, conversation: None });
        let conversation = thread::Builder::new().spawn(move || {
            let greeted = listener.accept().map_err(|_| Failure::from("it ended before it reported"));
            // Nobody listens any more if another worker has failed.
            let _ = reports.send((number, greeted.and_then(|(_, hello)| converse(hello))));
        });
        self.workers[number].conversation = Some(conversation.map_err(|error| cannot(&error))?);
        Ok(())
    }

    /// Waits for all workers: their results, in the order in which they were hired.
    pub(crate) fn results(self) -> Result<Vec<R>, Failure> {
        let Crew { mut workers, reports, inbox } = self;
        // Only the conversations have it from now on: if one of them breaks off, that is seen.
        drop(reports);
        let mut results: Vec<Option<R>> = workers.iter().map(|_| None).collect();
        while results.iter().any(Option::is_none) {
            match inbox.recv_timeout(LOOK) {
                Ok((number, Ok(result))) => results[number] = Some(result),
                Ok((number, Err(error))) => {
                    let status = workers[number].end().filter(|status| !status.success());
                    let why = status.map_or(error.to_string(), |status| format!("it died ({status})"));
                    return Err(format!("worker {} of {} failed: {why}", number + 1, workers.len()).into());
                }
                // A conversation notices by itself when its worker dies, except before that worker has reported.
                Err(RecvTimeoutError::Timeout) => workers.iter_mut().for_each(Worker::release_if_dead),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err("the conversations with the workers broke off".into());
                }
            }
        }
        for worker in &mut workers {
            worker.end();
        }
        Ok(results.into_iter().flatten().collect())
    }
}

impl Worker {
    /// Its exit status, once it has ended; `None` if it does not.
    fn end(&mut self) -> Option<ExitStatus> {
        let begin = Instant::now();
        loop {
            match self.process.try_wait() {
                Ok(None) if begin.elapsed() < END => thread::sleep(Duration::from_millis(1)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
    }

    /// Waiting for a report has no timeout; if the worker can't report any more, this stands in for it and hangs up.
    fn release_if_dead(&mut self) {
        if let Ok(Some(_)) = self.process.try_wait() {
            drop(IpcSender::<()>::connect(self.server.clone()));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.release_if_dead();
        if let Some(conversation) = self.conversation.take() {
            let _ = conversation.join();
        }
    }
}
