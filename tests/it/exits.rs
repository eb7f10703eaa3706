//! The end of a process, seen from inside: what still works, and what says that it does not.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use commonage::{Error, Shared, SharedMut, SharedSlice, SharedSliceMut, reclaim, sweep};

use crate::{
    scene::{BOTH, left, scene_alone, until},
    support::{at_exit, child, end_at_once},
};

const NOTHING: [String; 0] = [];

fn shared(fill: u8) -> SharedSlice<u8> {
    Shared::new(&(fill, 5000)).unwrap()
}

/// The exit status of a handler that has found what it should.
const RIGHT: i32 = 42;

/// Ends the process at once, with a status that says what a handler has found.
fn found(right: bool) -> ! {
    end_at_once(if right { RIGHT } else { 43 })
}

static KEPT: std::sync::OnceLock<SharedSlice<u8>> = std::sync::OnceLock::new();
static KEPT_MUT: std::sync::OnceLock<SharedSliceMut<u8>> = std::sync::OnceLock::new();

fn exits_with(test: &'static str, code: i32, role: impl Fn()) {
    let main = || {
        let output = child(test, "exiting").spawn().output();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        // A ticket that a thread was about to drop may have become a will.
        reclaim(Duration::ZERO);
        assert_eq!(left(), NOTHING);
    };
    scene_alone(test, BOTH, main, |_| role());
}

#[test]
fn a_send_after_the_exit_handler_is_refused() {
    extern "C" fn check() {
        let (shared, exclusive) = (KEPT.get().unwrap(), KEPT_MUT.get().unwrap());
        let refused = matches!(shared.ticket(), Err(Error::Exiting))
            && matches!(shared.clone().into_token(), Err(Error::Exiting))
            && postcard::to_stdvec(shared).is_err()
            && postcard::to_stdvec(exclusive).is_err();
        // What was there can be read, and dropped.
        let part = shared.slice(10..20);
        found(refused && *part == [3; 10] && **shared == [3; 5000] && exclusive[0] == 4);
    }
    exits_with("exits::a_send_after_the_exit_handler_is_refused", RIGHT, || {
        at_exit(check);
        KEPT.get_or_init(|| shared(3));
        KEPT_MUT.get_or_init(|| SharedMut::new(&(4, 5000)).unwrap());
    });
}

#[test]
fn values_are_made_and_dropped_after_the_exit_handler_or_refused() {
    extern "C" fn check() {
        let made: Vec<Result<SharedSlice<u8>, Error>> =
            [10, 5000, 100_000, 40 << 20].into_iter().map(|len| Shared::new(&(1, len))).collect();
        let right = made.iter().all(|made| match made {
            Ok(value) => value.iter().all(|byte| *byte == 1),
            Err(error) => matches!(error, Error::Exiting),
        });
        drop(made);
        sweep();
        commonage::stats();
        commonage::trim();
        found(right);
    }
    exits_with("exits::values_are_made_and_dropped_after_the_exit_handler_or_refused", RIGHT, || {
        at_exit(check);
        drop(shared(3));
    });
}

#[test]
fn the_first_use_of_the_crate_in_an_exit_handler_works_or_is_refused() {
    extern "C" fn check() {
        let made: Result<SharedSlice<u8>, Error> = Shared::new(&(1, 5000));
        found(match made {
            Ok(value) => *value == [1; 5000],
            Err(error) => matches!(error, Error::Exiting),
        });
    }
    const TEST: &str = "exits::the_first_use_of_the_crate_in_an_exit_handler_works_or_is_refused";
    exits_with(TEST, RIGHT, || at_exit(check));
}

#[test]
fn a_thread_that_goes_on_sending_is_told_that_the_process_exits() {
    static REFUSED: AtomicU32 = AtomicU32::new(0);
    static WRONG: AtomicU32 = AtomicU32::new(0);
    static SENT: AtomicU32 = AtomicU32::new(0);
    extern "C" fn check() {
        until("a thread is told", || (REFUSED.load(Ordering::SeqCst) > 0).then_some(()));
        found(WRONG.load(Ordering::SeqCst) == 0);
    }
    fn go_on() {
        let value = shared(3);
        loop {
            match value.ticket() {
                Ok(ticket) => drop(ticket),
                Err(Error::Exiting) => {
                    REFUSED.fetch_add(1, Ordering::SeqCst);
                }
                Err(_) => {
                    WRONG.fetch_add(1, Ordering::SeqCst);
                }
            }
            SENT.fetch_add(1, Ordering::SeqCst);
        }
    }
    exits_with("exits::a_thread_that_goes_on_sending_is_told_that_the_process_exits", RIGHT, || {
        at_exit(check);
        for _ in 0..2 {
            thread::spawn(go_on);
        }
        until("the threads send", || (SENT.load(Ordering::SeqCst) > 1000).then_some(()));
    });
}

#[test]
fn what_a_thread_has_sent_before_it_was_refused_is_not_lost() {
    const TEST: &str = "exits::what_a_thread_has_sent_before_it_was_refused_is_not_lost";
    let main = || {
        for round in 0..8 {
            let output = child(TEST, "sender").run_to_success();
            let said = String::from_utf8(output.stdout).unwrap();
            // The last line can be cut short by the end of the process.
            let whole = &said[..said.rfind('\n').unwrap_or(0)];
            let tokens: Vec<&str> = whole.lines().filter_map(|line| line.strip_prefix("token ")).collect();
            assert!(tokens.len() >= 20);
            for (at, token) in tokens.iter().enumerate() {
                let value = SharedSlice::<u8>::from_token(token)
                    .unwrap_or_else(|error| panic!("round {round}, {at} of {}: {error}", tokens.len()));
                assert_eq!(*value, [9; 300]);
            }
            reclaim(Duration::ZERO);
            assert_eq!(left(), NOTHING);
        }
    };
    let sender = |_: &str| {
        static SENT: AtomicU32 = AtomicU32::new(0);
        thread::spawn(|| {
            loop {
                let value: SharedSlice<u8> = Shared::new(&(9, 300)).unwrap();
                let Ok(token) = value.into_token() else { continue };
                println!("\ntoken {token}");
                SENT.fetch_add(1, Ordering::SeqCst);
            }
        });
        until("the thread sends", || (SENT.load(Ordering::SeqCst) > 20).then_some(()));
    };
    scene_alone(TEST, BOTH, main, sender);
}

/// Ends the process when it is written to.
struct Ending;

impl std::io::Write for Ending {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        std::process::exit(RIGHT)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_exit_in_the_middle_of_a_serialization_does_not_hang() {
    exits_with("exits::an_exit_in_the_middle_of_a_serialization_does_not_hang", RIGHT, || {
        let value = (shared(3), SharedMut::<[u8]>::new(&(4, 5000)).unwrap());
        serde_json::to_writer(std::io::LineWriter::with_capacity(1, Ending), &value).unwrap();
    });
}
