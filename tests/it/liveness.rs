//! Who is dead, and who only looks like it.

#[cfg(unix)]
use commonage::stats;
use commonage::{Shared, SharedSlice, sweep};

use crate::{
    puppet::Puppet,
    scene::{BOTH, nobody_else, scene, until},
    support::{kill, lives, resume, suspend},
};

fn shared(len: usize, fill: u8) -> SharedSlice<u8> {
    Shared::new(&(fill, len)).unwrap()
}

#[cfg(unix)]
#[test]
fn a_process_that_has_become_another_program_is_dead() {
    const TEST: &str = "liveness::a_process_that_has_become_another_program_is_dead";
    let main = || {
        let value = shared(5000, 1);
        let mut peer = Puppet::new(TEST);
        peer.get(format!("claim {}", value.clone().into_token().unwrap()));
        peer.tell("exec");
        until("its locks go with the program", || (sweep().participants == 1).then_some(()));
        assert_eq!(value.counts().holders, 1);
        assert!(lives(peer.pid));
        peer.kill();
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_program_that_a_killed_process_had_started_does_not_keep_it_alive() {
    const TEST: &str = "liveness::a_program_that_a_killed_process_had_started_does_not_keep_it_alive";
    let main = || {
        let value = shared(5000, 1);
        let mut peer = Puppet::new(TEST);
        peer.get(format!("claim {}", value.clone().into_token().unwrap()));
        let program = peer.number("start") as u32;
        peer.kill();
        assert!(lives(program));
        // A program that is about to begin closes what it has inherited.
        until("it has no locks", || (sweep().participants == 1).then_some(()));
        assert_eq!(value.counts().holders, 1);
        kill(program);
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_process_that_is_stopped_is_not_dead() {
    const TEST: &str = "liveness::a_process_that_is_stopped_is_not_dead";
    let main = || {
        let value = shared(5000, 1);
        let mut peer = Puppet::new(TEST);
        peer.get(format!("claim {}", value.clone().into_token().unwrap()));
        suspend(peer.pid);
        assert_eq!((sweep().participants, value.counts().holders), (0, 2));
        resume(peer.pid);
        assert_eq!(peer.get("counts 0"), "1 2 0");
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[cfg(unix)]
#[test]
fn a_process_that_can_open_no_more_files_takes_nobody_for_dead() {
    const TEST: &str = "liveness::a_process_that_can_open_no_more_files_takes_nobody_for_dead";
    let main = || {
        let value = shared(5000, 1);
        let (mut living, mut killed) = (Puppet::new(TEST), Puppet::new(TEST));
        for peer in [&mut living, &mut killed] {
            peer.get(format!("claim {}", value.clone().into_token().unwrap()));
        }
        killed.kill();
        let files: Vec<_> = {
            let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
            // SAFETY: a limit of this process's own, read by the call.
            assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }, 0);
            std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect()
        };
        assert!(sweep().participants <= 1);
        assert!((2..=3).contains(&value.counts().holders));
        let more = shared(100, 2);
        assert_eq!((*more).len(), 100);
        drop(files);
        sweep();
        assert_eq!((value.counts().holders, stats().participants), (2, 2));
        assert_eq!(living.get("counts 0"), "1 2 0");
    };
    scene(TEST, BOTH, main, nobody_else);
}
