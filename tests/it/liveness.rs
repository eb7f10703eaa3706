//! Who is dead, and who only looks like it.

use commonage::{Shared, SharedSlice, stats, sweep};

use crate::{
    puppet::Puppet,
    scene::{BOTH, nobody_else, scene, until},
};

fn shared(len: usize, fill: u8) -> SharedSlice<u8> {
    Shared::new(&(fill, len)).unwrap()
}

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
        // SAFETY: asks whether the process is there.
        assert_eq!(unsafe { libc::kill(peer.pid as libc::pid_t, 0) }, 0);
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
        let program = peer.number("start") as libc::pid_t;
        peer.kill();
        // SAFETY: asks whether the process is there.
        assert_eq!(unsafe { libc::kill(program, 0) }, 0);
        // A program that is about to begin closes what it has inherited.
        until("it has no locks", || (sweep().participants == 1).then_some(()));
        assert_eq!(value.counts().holders, 1);
        // SAFETY: the program was there a moment ago, and nobody waits for it.
        unsafe { libc::kill(program, libc::SIGKILL) };
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
        let pid = peer.pid as libc::pid_t;
        // SAFETY: the process is this one's child, and not waited for.
        let signal = |signal| assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
        signal(libc::SIGSTOP);
        assert_eq!((sweep().participants, value.counts().holders), (0, 2));
        signal(libc::SIGCONT);
        assert_eq!(peer.get("counts 0"), "1 2 0");
    };
    scene(TEST, BOTH, main, nobody_else);
}

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
