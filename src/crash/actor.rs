//! An actor: a process that reads what to do from its standard input, a line at a time, and answers each with one.

use std::{
    collections::BTreeMap,
    env,
    io::stdin,
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    Backing, Config, Error, SharedSlice, SharedSliceMut,
    pool::checkpoint::tests::{arm, census, passed},
    reclaim, stats, sweep, sys, trim,
};

/// Before each answer: the test harness writes to the same place.
pub(super) const ANSWER: &str = "answer: ";
/// Before what is said at the very end.
pub(super) const PASSED: &str = "passed: ";
/// Which backing it has.
pub(super) const BACKING: &str = "COMMONAGE_CRASH_BACKING";
pub(super) const NAMED: &str = "named";
/// Where the wills are, if not where names are.
pub(super) const WILLS: &str = "COMMONAGE_CRASH_WILLS";

/// No actor lives longer.
const WATCHDOG: Duration = Duration::from_secs(150);
/// No sweep is put off for longer, but on a machine that stands still.
const PATIENCE: Duration = Duration::from_secs(15);

enum Handle {
    Shared(SharedSlice<u8>),
    Mut(SharedSliceMut<u8>),
}

/// Other bytes for each seed.
fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    for (i, chunk) in bytes.chunks_mut(16).enumerate() {
        let word = (seed << 32 | i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
        let n = chunk.len();
        chunk.copy_from_slice(&[word, word].concat()[..n]);
    }
    bytes
}

/// A thread that sends a value to itself again and again, until it is told to stop.
struct Churn {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(SharedSlice<u8>, u32), String>>,
}

#[derive(Default)]
struct Actor {
    /// By the value's name; what has been claimed twice is there twice.
    handles: BTreeMap<String, Vec<Handle>>,
    fill: Vec<(u64, SharedSlice<u8>)>,
    churns: BTreeMap<String, Churn>,
}

/// Never returns to the test harness: what it does at its end is part of the scene.
pub(super) fn play() -> ! {
    thread::spawn(|| {
        thread::sleep(WATCHDOG);
        process::abort();
    });
    let backing = if env::var(BACKING).as_deref() == Ok(NAMED) { Backing::Named } else { Backing::Anonymous };
    let config = Config::new().backing(backing).claim_deadline(Duration::from_secs(2));
    let config = match env::var(WILLS) {
        Ok(directory) => config.wills_in(directory),
        Err(_) => config,
    };
    config.install().unwrap();
    let mut actor = Actor::default();
    for line in stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        match actor.obey(&words) {
            Ok(said) => println!("\n{ANSWER}ok {said}"),
            Err(error) => println!("\n{ANSWER}{error}"),
        }
    }
    sys::ending::exit()
}

extern "C" fn say_what_was_passed() {
    let steps: Vec<String> = passed().iter().map(|(step, times)| format!("{step}={times}")).collect();
    println!("\n{PASSED}{}", steps.join(" "));
}

/// The variant, for the world to look at, and the rest for whoever reads it.
fn told(error: Error) -> String {
    let shown = format!("{error:?}");
    let variant = shown.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    format!("error {variant} {shown}")
}

fn number(text: &str) -> u64 {
    text.parse().unwrap()
}

impl Actor {
    fn handle(&mut self, name: &str) -> Result<&mut Handle, String> {
        self.handles.get_mut(name).and_then(|all| all.last_mut()).ok_or(format!("there is no {name} here"))
    }

    /// The only handle of a value here.
    fn take(&mut self, name: &str) -> Result<Handle, String> {
        let mut all = self.handles.remove(name).ok_or(format!("there is no {name} here"))?;
        all.truncate(1);
        all.pop().ok_or(format!("there is no {name} here"))
    }

    fn put(&mut self, name: &str, handle: Handle) {
        self.handles.entry(name.to_owned()).or_default().push(handle);
    }

    fn obey(&mut self, words: &[&str]) -> Result<String, String> {
        match words {
            ["arm"] => {
                // Before the crate registers its own: the last that is registered is the first that is run.
                assert!(sys::at_exit(say_what_was_passed));
                arm();
            }
            ["make", name, len, seed] => {
                let bytes = pattern(number(seed), number(len) as usize);
                self.put(name, Handle::Shared(SharedSlice::copy_from(&bytes).map_err(told)?));
            }
            ["make_mut", name, len, seed] => {
                let bytes = pattern(number(seed), number(len) as usize);
                self.put(name, Handle::Mut(SharedSliceMut::copy_from(&bytes).map_err(told)?));
            }
            ["huge", name, len] => {
                self.put(name, Handle::Mut(SharedSliceMut::zeroed(number(len) as usize).map_err(told)?));
            }
            ["write", name, seed] => match self.handle(name)? {
                Handle::Mut(value) => {
                    let bytes = pattern(number(seed), value.len());
                    value.copy_from_slice(&bytes);
                }
                Handle::Shared(_) => return Err(format!("{name} can't be written")),
            },
            ["check", name, seed] => self.check(name, number(seed))?,
            ["clone", name] => {
                if let Handle::Shared(value) = self.handle(name)? {
                    drop(value.clone());
                    drop(value.slice(1..));
                }
            }
            ["ticket", name] => match self.handle(name)? {
                Handle::Shared(value) => return serde_json::to_string(&*value).map_err(|error| error.to_string()),
                Handle::Mut(_) => return Err(format!("{name} has no tickets")),
            },
            ["hold", name] => match self.handle(name)? {
                Handle::Mut(value) => return serde_json::to_string(&*value).map_err(|error| error.to_string()),
                Handle::Shared(_) => return Err(format!("{name} is not held")),
            },
            ["send", name] => {
                let token = match self.take(name)? {
                    Handle::Shared(value) => value.into_token(),
                    Handle::Mut(value) => value.into_token(),
                };
                return token.map(|token| format!("\"{token}\"")).map_err(told);
            }
            ["revoke", token] => {
                let ticket = crate::Ticket::<[u8]>::from_token(token.trim_matches('"')).map_err(told)?;
                return ticket.revoke().map(|taken| taken.to_string()).map_err(told);
            }
            ["claim", name, token] => {
                let value = SharedSlice::from_token(token.trim_matches('"')).map_err(told)?;
                self.put(name, Handle::Shared(value));
            }
            ["claim_mut", name, token] => {
                let value = SharedSliceMut::from_token(token.trim_matches('"')).map_err(told)?;
                self.put(name, Handle::Mut(value));
            }
            ["drop", name] => drop(self.handles.remove(*name)),
            ["freeze", name] => match self.take(name)? {
                Handle::Mut(value) => {
                    let value = value.freeze().map_err(|refused| told(refused.reason))?;
                    self.put(name, Handle::Shared(value));
                }
                Handle::Shared(_) => return Err(format!("{name} is frozen")),
            },
            ["thaw", name] => match self.take(name)? {
                Handle::Shared(value) => {
                    let value = value.try_into_mut().map_err(|refused| told(refused.reason))?;
                    self.put(name, Handle::Mut(value));
                }
                Handle::Mut(_) => return Err(format!("{name} is not frozen")),
            },
            ["trim"] => trim(),
            ["fill"] => self.fill()?,
            ["unfill"] => {
                for (seed, value) in self.fill.drain(..) {
                    if *value != *pattern(seed, value.len()) {
                        return Err("a new value has changed".to_owned());
                    }
                }
            }
            ["churn", name] => self.churn(name)?,
            ["still", name] => {
                let churn = self.churns.remove(*name).ok_or("nothing moves")?;
                churn.stop.store(true, Ordering::Relaxed);
                let (value, rounds) = churn.thread.join().map_err(|_| "the churning thread panicked")??;
                self.put(name, Handle::Shared(value));
                return Ok(rounds.to_string());
            }
            ["sweep"] => return sweep_all(),
            ["reclaim"] => return Ok(reclaim(Duration::ZERO).tickets.to_string()),
            ["stats"] => {
                let stats = stats();
                return Ok(format!("{} {} {}", stats.blocks, stats.tickets, stats.participants));
            }
            ["census", whose] => {
                let census = census(*whose == "own");
                if !census.wrong.is_empty() {
                    return Err(census.wrong.join("; "));
                }
                return Ok(format!("{} {} {} {}", census.blocks, census.tickets, census.participants, census.segments));
            }
            ["clear"] => self.handles.clear(),
            ["exit"] => sys::ending::exit(),
            other => return Err(format!("what is {other:?}?")),
        }
        Ok(String::new())
    }

    fn check(&mut self, name: &str, seed: u64) -> Result<(), String> {
        let handles = self.handles.get(name).ok_or(format!("there is no {name} here"))?;
        for handle in handles {
            let bytes: &[u8] = match handle {
                Handle::Shared(value) => value,
                Handle::Mut(value) => value,
            };
            let expected = pattern(seed, bytes.len());
            if *bytes != *expected {
                let at = bytes.iter().zip(&expected).position(|(found, expected)| found != expected);
                return Err(format!("{name} is not as it was written, from byte {at:?} of {} on", bytes.len()));
            }
        }
        Ok(())
    }

    /// New values of the sizes that the scenes use: what was freed too early would show through in them, or they in it.
    fn fill(&mut self) -> Result<(), String> {
        for (i, len) in [(0, 500), (1, 3000), (2, 98_000)] {
            for n in 0..if len < 4096 { 24 } else { 3 } {
                let seed = 900_000 + 100 * i + n;
                self.fill.push((seed, SharedSlice::copy_from(&pattern(seed, len)).map_err(told)?));
            }
        }
        Ok(())
    }

    fn churn(&mut self, name: &str) -> Result<(), String> {
        if self.churns.contains_key(name) {
            return Ok(());
        }
        let Handle::Shared(value) = self.take(name)? else { return Err(format!("{name} can't be churned")) };
        let stop = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let (mut value, mut rounds) = (value, 0);
            while !until.load(Ordering::Relaxed) {
                // Issue and take while it is held here; revoke.
                let ticket = value.ticket().map_err(told)?;
                drop(ticket.claim().map_err(told)?);
                drop(value.ticket().map_err(told)?);
                // The last handle goes over to a ticket, and comes back.
                let token = value.into_token().map_err(told)?;
                value = SharedSlice::from_token(&token).map_err(told)?;
                drop(SharedSlice::<u8>::from_token(&token).map_err(told)?);
                rounds += 1;
                thread::yield_now();
            }
            Ok((value, rounds))
        });
        self.churns.insert(name.to_owned(), Churn { stop, thread });
        Ok(())
    }
}

/// Until nothing has to wait.
fn sweep_all() -> Result<String, String> {
    let began = Instant::now();
    let mut rounds = 1;
    while sweep().later > 0 {
        if began.elapsed() > PATIENCE {
            return Err(format!("something is left for later after {rounds} sweeps: {:?}", sweep()));
        }
        rounds += 1;
        thread::yield_now();
    }
    Ok(rounds.to_string())
}
