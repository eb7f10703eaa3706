//! Channels: rings between processes that need not trust each other.

mod callbacks;
mod deaths;
mod descriptors;
mod forks;
mod hostile;
mod streams;
mod times;
mod waits;

use std::{
    env, fs,
    io::{Read, Write},
    os::{
        fd::OwnedFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use commonage::ring::{Receiver, RingError, Sender};
use rustix::io::pread;

use crate::{
    scene::until,
    support::{ROLE, Running, WATCHDOG, child, is_child},
};

/// Where the two processes of a test meet.
const MEETING: &str = "COMMONAGE_TEST_MEETING";
/// Where what a side waits for stands in the memory.
const PRODUCER_WAITS: u64 = 256;
const CONSUMER_WAITS: u64 = 384;

/// Another process, and a stream to it.
struct Peer {
    running: Running,
    stream: UnixStream,
    pid: u32,
}

/// `here` runs in this process, `there` in another one, each with a stream to the other. `test` is the full name of the
/// calling test.
fn between(test: &str, here: impl FnOnce(Peer), there: impl FnOnce(UnixStream)) {
    if is_child() {
        let address = SocketAddr::from_abstract_name(env::var(MEETING).unwrap()).unwrap();
        return there(UnixStream::connect_addr(&address).unwrap());
    }
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("commonage-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut running = child(test, "there").env(MEETING, &name).spawn();
    let pid = running.child().id();
    let stream = until("the other process comes", || listener.accept().ok()).0;
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(WATCHDOG / 2)).unwrap();
    here(Peer { running, stream, pid });
}

/// Runs `body` in a process of its own, which is killed if it hangs.
fn alone(test: &str, body: impl FnOnce()) {
    if env::var_os(ROLE).is_some() { body() } else { drop(child(test, "body").run_to_success()) }
}

/// Says that something has been done.
fn say(mut stream: &UnixStream) {
    stream.write_all(&[1]).unwrap();
}

/// Waits until the other has said so.
fn hear(mut stream: &UnixStream) {
    stream.read_exact(&mut [0]).unwrap();
}

/// What element a place in the stream has: a number that says where it belongs.
fn element(place: u64) -> u64 {
    (place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn word(memory: &OwnedFd, at: u64) -> u64 {
    let mut bytes = [0; 8];
    assert_eq!(pread(memory, &mut bytes, at).unwrap(), 8);
    u64::from_ne_bytes(bytes)
}

fn memory_of_sender(sender: &Sender<u64>) -> OwnedFd {
    sender.fds().unwrap().memory.try_clone_to_owned().unwrap()
}

fn memory_of_receiver(receiver: &Receiver<u64>) -> OwnedFd {
    receiver.fds().unwrap().memory.try_clone_to_owned().unwrap()
}

/// Runs `waits` in a thread that is asleep in it when `then` is called, and gives what it returns. `at` is where the word of
/// that side stands.
fn while_asleep<R: Send>(memory: &OwnedFd, at: u64, waits: impl FnOnce() -> R + Send, then: impl FnOnce()) -> R {
    thread::scope(|threads| {
        let (say, hear) = std::sync::mpsc::channel();
        let waiting = threads.spawn(move || {
            say.send(rustix::thread::gettid()).unwrap();
            waits()
        });
        let stat = format!("/proc/self/task/{}/stat", hear.recv().unwrap());
        until("the thread sleeps", || {
            let announced = word(memory, at) != 0;
            let asleep = fs::read_to_string(&stat).is_ok_and(|stat| stat.rsplit_once(") S ").is_some());
            (announced && asleep || waiting.is_finished()).then_some(())
        });
        then();
        waiting.join().unwrap()
    })
}

/// Pops all that there is, until an error, and says what it was.
fn rest(receiver: &mut Receiver<u64>) -> (Vec<u64>, RingError) {
    let mut popped = Vec::new();
    loop {
        match receiver.pop() {
            Ok(value) => popped.push(value),
            Err(error) => return (popped, error),
        }
    }
}

/// How many descriptors this process has.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}
