//! Children of who makes a value, and of who has one.

use std::{
    io::{Read, Write, pipe},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::*;
use crate::forked::{End, Forked};

/// A child that has all that its parent had, until it is told to end.
struct Kept(Forked, std::io::PipeWriter);

impl Kept {
    fn new() -> Self {
        let (mut told, tell) = pipe().unwrap();
        let child = Forked::new(End::UnderscoreExit, || {
            let _ = told.read(&mut [0]);
        });
        Kept(child, tell)
    }

    fn end(mut self) {
        self.1.write_all(b"x").unwrap();
        self.0.success();
    }
}

#[test]
fn a_child_that_is_forked_while_a_value_is_built_does_not_keep_it_from_being_sealed() {
    const TEST: &str =
        "sealed::forks::a_child_that_is_forked_while_a_value_is_built_does_not_keep_it_from_being_sealed";
    alone(TEST, || {
        let mut kept = None;
        let value = Sealed::<[u8]>::build(100_000, |bytes| {
            bytes[0] = 1;
            kept = Some(Kept::new());
            bytes[99_999] = 2;
        });
        let value = value.unwrap();
        assert_eq!((value[0], value[99_999], received(&value)[99_999]), (1, 2, 2));
        kept.unwrap().end();
    });
}

#[test]
fn values_are_built_while_another_thread_forks() {
    const TEST: &str = "sealed::forks::values_are_built_while_another_thread_forks";
    alone(TEST, || {
        let done = AtomicBool::new(false);
        thread::scope(|threads| {
            let forks = threads.spawn(|| {
                let mut number = 0;
                while !done.load(Ordering::Relaxed) {
                    let children = [(); 4].map(|()| Kept::new());
                    children.into_iter().for_each(Kept::end);
                    number += 4;
                }
                number
            });
            let mut built = 0;
            while built < 2000 {
                if let Err(error) = Sealed::<[u8]>::build(1, |bytes| bytes[0] = 7) {
                    done.store(true, Ordering::Relaxed);
                    panic!("after {built}: {error}");
                }
                built += 1;
            }
            done.store(true, Ordering::Relaxed);
            assert!(forks.join().unwrap() > 0);
        });
    });
}

#[test]
fn a_child_reads_sends_and_drops_what_it_has_inherited_and_its_parent_notices_nothing() {
    const TEST: &str =
        "sealed::forks::a_child_reads_sends_and_drops_what_it_has_inherited_and_its_parent_notices_nothing";
    alone(TEST, || {
        let value = Sealed::<[u32]>::from_fn(1000, |at| at as u32).unwrap();
        let (here, there) = std::os::unix::net::UnixStream::pair().unwrap();
        let child = Forked::new(End::Exit, || {
            assert_eq!(value[999], 999);
            value.send_over(&there).unwrap();
            // SAFETY: a copy of a value that nothing in this process, which only ends now, uses or drops again.
            drop(unsafe { std::ptr::read(&value) });
            let own = Sealed::<[u32]>::new(&(5, 3)).unwrap();
            own.send_over(&there).unwrap();
        });
        let received = Sealed::<[u32]>::receive_over(&here).unwrap();
        let own = Sealed::<[u32]>::receive_over(&here).unwrap();
        child.success();
        assert!(received == value && own == [5; 3] && value[999] == 999);
    });
}
