//! What works beside this process while it is measured, and only then: a process, or a thread, on another core.
#![allow(unsafe_code)] // memory that two processes have

use std::{
    hint,
    io::{self, Read, Write},
    process::{Child, ChildStdin, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    Eventfds, Events, Futexes, Guarded, Kept, Locked, RawEvents, RawMutex, RawRwLock, Region, Robust, Sequenced,
    Signals, Value, Whole, bare::PlainCopy, new_name,
};
use crate::{Outcome, cores, measure::Stir, role};

/// Time between two writes: a million of them a second.
const PACE: Duration = Duration::from_micros(1);

/// What both know of the work. Zero at first.
#[derive(Default)]
#[repr(C)]
struct Control {
    /// Whether it is to be done. Written by who measures.
    wanted: AtomicU32,
    /// Whether it is being done. Written by who works.
    working: AtomicU32,
    /// How often it has been done, and in how many nanoseconds. Written by who works.
    times: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Control {
    fn of(region: &Region) -> &Control {
        // SAFETY: the region is as long, zero is a value of each field, and they are only accessed as atomics.
        unsafe { &*region.base().cast() }
    }

    /// Works until it is not wanted any more. `once` is told how often it has been done before.
    fn work(&self, pace: Option<Duration>, mut once: impl FnMut(u64)) {
        let (start, before) = (Instant::now(), self.times.load(Ordering::Relaxed));
        let (mut times, mut next) = (before, start);
        self.working.store(1, Ordering::Release);
        while self.wanted.load(Ordering::Relaxed) == 1 {
            once(times);
            times += 1;
            if let Some(pace) = pace {
                next += pace;
                while Instant::now() < next && self.wanted.load(Ordering::Relaxed) == 1 {
                    hint::spin_loop();
                }
            }
        }
        self.times.store(times, Ordering::Relaxed);
        self.nanoseconds.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.working.store(0, Ordering::Release);
    }

    fn wait_until(&self, working: u32) -> Outcome {
        let start = Instant::now();
        while self.working.load(Ordering::Acquire) != working {
            if start.elapsed() > Duration::from_secs(10) {
                return Err("what is to work beside this process does not".into());
            }
            thread::yield_now();
        }
        Ok(())
    }

    fn stir(&self, on: bool, tell: impl FnOnce() -> Outcome) -> Outcome {
        self.wanted.store(on.into(), Ordering::Release);
        if on {
            tell()?;
        }
        self.wait_until(on.into())
    }

    /// Says so if less was done than was to be.
    fn complain(&self, contender: &str) {
        let seconds = self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9;
        let rate = self.times.load(Ordering::Relaxed) as f64 / seconds;
        if rate < 0.9 / PACE.as_secs_f64() {
            eprintln!("peers: beside {contender} there were only {:.2} million writes a second", rate / 1e6);
        }
    }
}

/// Another process, killed at the end.
pub(crate) struct Beside {
    process: Child,
    input: ChildStdin,
    control: Region,
    /// Whose work is to have a certain pace.
    paced: Option<&'static str>,
}

impl Beside {
    /// Starts this program once more, to do `what` with what has this name.
    pub(crate) fn start<K: Kept>(what: &str, name: &str) -> Outcome<Self> {
        let control_name = new_name();
        let control = Region::create(&control_name, size_of::<Control>())?;
        let with = format!("{what} {name} {control_name}");
        let mut process = role::command("beside", K::NAME, &with)?.stdin(Stdio::piped()).spawn()?;
        let input = process.stdin.take().ok_or("a process without a pipe")?;
        Ok(Beside { process, input, control, paced: (what == "write").then_some(K::NAME) })
    }

    /// Lets it work, or lets it stop.
    pub(crate) fn stir(&mut self, on: bool) -> Outcome {
        let input = &mut self.input;
        Control::of(&self.control).stir(on, || Ok(input.write_all(b"g")?))
    }

    /// What is called around samples.
    pub(crate) fn into_stir(mut self) -> Stir {
        Box::new(move |on| self.stir(on))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.process.kill();
        if let Err(error) = self.process.wait() {
            eprintln!("peers: the other process: {error}");
        }
        if let Some(contender) = self.paced {
            Control::of(&self.control).complain(contender);
        }
    }
}

/// A thread that writes, where a value belongs to one process.
pub(crate) fn thread_that_writes(contender: &'static str, write: impl Fn(Value) + Send + 'static) -> Stir {
    struct Joined(Arc<Control>, &'static str);
    impl Drop for Joined {
        fn drop(&mut self) {
            self.0.complain(self.1);
        }
    }
    let control = Joined(Arc::default(), contender);
    let (tell, told): (Sender<()>, _) = channel();
    let theirs = Arc::clone(&control.0);
    thread::spawn(move || {
        cores::leave();
        while told.recv().is_ok() {
            theirs.work(Some(PACE), |times| write([times; 8]));
        }
    });
    Box::new(move |on| {
        let control = &control;
        control.0.stir(on, || Ok(tell.send(())?))
    })
}

/// Is the other process, until it is killed, or who has started it has ended.
pub(crate) fn be(contender: &str, with: &str) -> Outcome {
    let words: Vec<&str> = with.split(' ').collect();
    let [what, name, control] = words[..] else { return Err("three words".into()) };
    let control = Region::open(control, size_of::<Control>(), true)?;
    let control = Control::of(&control);
    if what != "answer" {
        cores::leave();
    }
    match (what, contender) {
        ("write", Sequenced::NAME) => write::<Sequenced>(name, control),
        ("write", RawMutex::NAME) => write::<RawMutex>(name, control),
        ("write", RawRwLock::NAME) => write::<RawRwLock>(name, control),
        ("write", PlainCopy::NAME) => write::<PlainCopy>(name, control),
        ("add", Guarded::NAME) => add::<Guarded>(name, control),
        ("add", RawMutex::NAME) => add::<RawMutex>(name, control),
        ("add", Robust::NAME) => add::<Robust>(name, control),
        ("answer" | "answer-apart", Events::NAME) => answer::<Events>(name, control),
        ("answer" | "answer-apart", RawEvents::NAME) => answer::<RawEvents>(name, control),
        ("answer" | "answer-apart", Futexes::NAME) => answer::<Futexes>(name, control),
        ("answer" | "answer-apart", Eventfds::NAME) => answer::<Eventfds>(name, control),
        _ => Err(format!("nobody does `{what}` for `{contender}`").into()),
    }
}

/// Calls `work` each time it is told to.
fn whenever_told(mut work: impl FnMut()) -> Outcome {
    let mut byte = [0];
    while io::stdin().read(&mut byte)? == 1 {
        work();
    }
    Ok(())
}

fn write<W: Whole>(name: &str, control: &Control) -> Outcome {
    let value = W::open(name)?;
    whenever_told(|| control.work(Some(PACE), |times| value.write([times; 8])))
}

fn add<L: Locked>(name: &str, control: &Control) -> Outcome {
    let value = L::open(name)?;
    whenever_told(|| control.work(None, |_| value.with(|value| value[0] += 1)))
}

fn answer<S: Signals>(name: &str, control: &Control) -> Outcome {
    let signals = S::open(name)?;
    whenever_told(|| {
        control.working.store(1, Ordering::Release);
        loop {
            signals.take(0);
            signals.set(1);
        }
    })
}
