//! The server, which starts its clients itself.

mod client;
mod config;
mod vandal;

use std::{
    env,
    error::Error,
    fs,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode},
    time::Duration,
};

use commonage::{Sealed, Value};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use config::Config;

/// Why a process ends early: a sentence for whoever started it.
type Failure = Box<dyn Error + Send + Sync>;

/// How long a process waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => serve(),
        ["--client", name, socket] => client::run(name, Path::new(socket)),
        ["--vandal", socket] => vandal::run(Path::new(socket)),
        _ => Err("it takes no arguments: it starts its clients itself".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sealed_handoff: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Failure> {
    let config = Sealed::copy_from(&Value(Config { workers: 8, timeout_ms: 250, ratio: 0.75 }))?;
    let motto = Sealed::<str>::options().name("motto").copy_from("read me, and leave me as I am")?;
    println!("server: {}; {motto:?}", config.as_view(), motto = &*motto);

    let directory = Directory::new()?;
    let socket = directory.0.join("socket");
    let listener = UnixListener::bind(&socket)?;
    let place = socket.to_str().ok_or("the directory for temporary files has a name that is no text")?;
    for arguments in [&["--client", "first", place][..], &["--client", "second", place], &["--vandal", place]] {
        let mut client = Command::new(env::current_exe()?).args(arguments).spawn()?;
        let given = accept(&listener, &mut client).and_then(|stream| {
            config.send_over(&stream)?;
            motto.send_over(&stream)?;
            Ok(())
        });
        let status = client.wait()?;
        given?;
        if !status.success() {
            return Err(format!("a client has ended with {status}").into());
        }
    }
    println!("server: {}; {motto:?}", config.as_view(), motto = &*motto);
    Ok(())
}

/// A client that calls; an error if it ends before it does.
fn accept(listener: &UnixListener, client: &mut Child) -> Result<UnixStream, Failure> {
    let tick = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    loop {
        let called = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&tick))? > 0;
        if called {
            return Ok(listener.accept()?.0);
        }
        if let Some(status) = client.try_wait()? {
            return Err(format!("a client has ended without a call, with {status}").into());
        }
    }
}

/// Calls the server: what it gives.
fn receive(socket: &Path) -> Result<(Sealed<Value<Config>>, Sealed<str>), Failure> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // Whoever listens there: what it sends is sealed, is a configuration, and is one that makes sense as numbers go.
    Ok((Sealed::receive_over(&stream)?, Sealed::receive_over(&stream)?))
}

/// A directory of this server's own, for its socket.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self, Failure> {
        let path = env::temp_dir().join(format!("sealed-handoff-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Directory(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("sealed_handoff: {} is left: {error}", self.0.display());
        }
    }
}
