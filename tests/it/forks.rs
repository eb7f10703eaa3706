//! A forked child has its parent's handles, and nothing of what they stand for.

use std::{
    io::{BufRead, BufReader, PipeReader, PipeWriter, Write, pipe},
    process::Command,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use commonage::{Error, Shared, SharedMut, SharedSlice, SharedSliceMut, Stats, stats, sweep};

use crate::{
    forked::{ENDS, End, Forked},
    puppet::{Puppet, mapped, resident},
    scene::{BOTH, is_named, left, nobody_else, scene, scene_alone, until},
    support::{ChildCommand, child, role, said},
};

fn shared(len: usize, fill: u8) -> SharedSlice<u8> {
    Shared::new(&(fill, len)).unwrap()
}

fn in_use() -> (usize, u64, usize, usize) {
    let Stats { blocks, live, tickets, participants, .. } = stats();
    (blocks, live, tickets, participants)
}

/// Drops what a forked child has inherited.
fn dropped<T>(inherited: &T) {
    // SAFETY: a copy of a value that nothing in this process, which only ends now, uses or drops again.
    drop(unsafe { std::ptr::read(inherited) });
}

fn send(to: &mut PipeWriter, token: &str) {
    writeln!(to, "{token}").unwrap();
}

fn receive(from: &mut BufReader<PipeReader>) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

#[test]
fn a_child_reads_and_drops_what_it_has_inherited_and_the_parent_notices_nothing() {
    const TEST: &str = "forks::a_child_reads_and_drops_what_it_has_inherited_and_the_parent_notices_nothing";
    let main = || {
        let mut peer = Puppet::new(TEST);
        peer.get("make 30000 8");
        let token = peer.get("copy 0");
        let foreign = SharedSlice::<u8>::from_token(&token).unwrap();
        let (value, exclusive) = (shared(50_000, 1), SharedMut::<[u8]>::new(&(2, 700)).unwrap());
        let sent: SharedSliceMut<u8> = SharedMut::new(&(3, 900)).unwrap();
        let message = postcard::to_stdvec(&sent).unwrap();
        let ticket = value.ticket().unwrap();
        let part = value.slice(10..20);
        let before = (in_use(), value.counts(), exclusive.counts(), foreign.counts());
        for end in ENDS {
            Forked::new(end, || {
                assert!(value.iter().all(|byte| *byte == 1) && *part == [1; 10] && *foreign == [8; 30_000]);
                assert!(exclusive.iter().all(|byte| *byte == 2));
                dropped(&value);
                dropped(&part);
                dropped(&foreign);
                dropped(&exclusive);
                dropped(&sent);
                dropped(&ticket);
            })
            .success();
            assert_eq!((in_use(), value.counts(), exclusive.counts(), foreign.counts()), before, "{end:?}");
        }
        assert!(*value == [1; 50_000] && *exclusive == [2; 700] && *part == [1; 10] && *foreign == [8; 30_000]);
        assert_eq!(peer.get("counts 0"), "1 2 0");
        assert_eq!(*ticket.claim().unwrap(), *value);
        drop(sent);
        assert_eq!(*postcard::from_bytes::<SharedSliceMut<u8>>(&message).unwrap(), [3; 900]);
        drop((value, part, exclusive, ticket));
        assert_eq!(in_use(), (0, 0, 0, 1));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_child_can_neither_send_nor_change_what_it_has_inherited() {
    const TEST: &str = "forks::a_child_can_neither_send_nor_change_what_it_has_inherited";
    let main = || {
        let (value, text) = (shared(5000, 1), shared(10, 2));
        let exclusive: SharedSliceMut<u8> = SharedMut::new(&(3, 900)).unwrap();
        let parent = std::process::id();
        let before = in_use();
        Forked::new(End::Exit, move || {
            let inherited =
                |error: Error| assert!(matches!(error, Error::Inherited { process } if process == parent), "{error:?}");
            inherited(value.ticket().map(drop).unwrap_err());
            inherited(value.clone().into_token().unwrap_err());
            inherited(value.location().unwrap_err());
            let error = postcard::to_stdvec(&value).unwrap_err().to_string();
            let json = serde_json::to_string(&value).unwrap_err().to_string();
            assert!(json.contains("inherited") && json.contains(&parent.to_string()), "{json}, {error}");
            let refused = text.try_into_mut().unwrap_err();
            assert_eq!(*refused.handle, [2; 10]);
            inherited(refused.reason);
            assert!(serde_json::to_string(&exclusive).unwrap_err().to_string().contains("inherited"));
            let refused = exclusive.into_ticket().unwrap_err();
            assert_eq!(*refused.handle, [3; 900], "it was not serialized");
            inherited(refused.reason);
            let refused = refused.handle.freeze().unwrap_err();
            inherited(refused.reason);
            inherited(refused.handle.into_token().unwrap_err());
        })
        .success();
        // The closure, and the handles in it, are the parent's too.
        assert!(in_use() <= before);
        assert_eq!(in_use(), (0, 0, 0, 1), "`Forked::new` has dropped them in the parent");
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_child_begins_with_an_empty_pool_and_sends_what_it_makes() {
    const TEST: &str = "forks::a_child_begins_with_an_empty_pool_and_sends_what_it_makes";
    let main = || {
        let value = shared(5000, 1);
        let small: Vec<_> = (0..100).map(|_| shared(50, 2)).collect();
        drop(small);
        let before = in_use();
        for end in ENDS {
            let ((from, mut to), (done, mut go)) = (pipe().unwrap(), pipe().unwrap());
            let child = Forked::new(end, || {
                assert_eq!(stats(), Stats::default());
                let values = [shared(50, 3), shared(60_000, 4)];
                let exclusive: SharedSliceMut<u8> = SharedMut::new(&(5, 700)).unwrap();
                assert_eq!((stats().blocks, stats().segments, stats().participants), (3, 1, 1));
                for value in &values {
                    send(&mut to, &value.clone().into_token().unwrap());
                }
                send(&mut to, &exclusive.into_token().unwrap());
                receive(&mut BufReader::new(done.try_clone().unwrap()));
                assert!(values.iter().all(|value| value.counts().holders == 2));
            });
            let mut from = BufReader::new(from);
            let values = [50, 60_000].map(|len| {
                let value = SharedSlice::<u8>::from_token(&receive(&mut from)).unwrap();
                assert_eq!(value.len(), len);
                value
            });
            let exclusive = SharedSliceMut::<u8>::from_token(&receive(&mut from)).unwrap();
            send(&mut go, "go on");
            child.success();
            assert!(values[0].iter().all(|b| *b == 3) && values[1].iter().all(|b| *b == 4) && *exclusive == [5; 700]);
            assert_eq!(in_use(), before);
            drop((values, exclusive));
            sweep();
            assert_eq!(in_use(), before);
            assert!(left().len() <= 2, "this process's own segment and identity: {:?}", left());
        }
        assert_eq!(*value, [1; 5000]);
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_child_that_sends_and_exits_loses_nothing() {
    const TEST: &str = "forks::a_child_that_sends_and_exits_loses_nothing";
    let main = || {
        let mine = shared(10, 1);
        let (from, mut to) = pipe().unwrap();
        Forked::new(End::Exit, || {
            send(&mut to, &shared(60_000, 4).into_token().unwrap());
            send(&mut to, &SharedMut::<[u8]>::new(&(5, 70)).unwrap().into_token().unwrap());
        })
        .success();
        let mut from = BufReader::new(from);
        assert_eq!(*SharedSlice::<u8>::from_token(&receive(&mut from)).unwrap(), [4; 60_000]);
        assert_eq!(*SharedSliceMut::<u8>::from_token(&receive(&mut from)).unwrap(), [5; 70]);
        sweep();
        // This process's own segment and identity, where it has names, and no will.
        assert!(left().len() <= if is_named() { 2 } else { 0 }, "{:?}", left());
        drop(mine);
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_child_claims_what_its_parent_has_sent() {
    const TEST: &str = "forks::a_child_claims_what_its_parent_has_sent";
    let main = || {
        let value = shared(5000, 1);
        for end in ENDS {
            let before = in_use();
            let token = value.clone().into_token().unwrap();
            let exclusive: SharedSliceMut<u8> = SharedMut::new(&(5, 700)).unwrap();
            let exclusive = exclusive.into_token().unwrap();
            Forked::new(end, || {
                let value = SharedSlice::<u8>::from_token(&token).unwrap();
                assert_eq!(*value, [1; 5000]);
                assert_eq!((value.counts().handles, value.counts().holders), (1, 2));
                let mut exclusive = SharedSliceMut::<u8>::from_token(&exclusive).unwrap();
                exclusive[3] = 9;
                assert_eq!(exclusive[..5], [5, 5, 5, 9, 5]);
                std::mem::forget((value, exclusive));
            })
            .success();
            // Held until its end, whatever end that is.
            sweep();
            assert_eq!(in_use(), before, "{end:?}");
            assert_eq!(value.counts().holders, 1);
        }
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn the_exit_of_a_child_leaves_what_is_the_parents() {
    const TEST: &str = "forks::the_exit_of_a_child_leaves_what_is_the_parents";
    let main = || {
        let value = shared(5000, 1);
        let token = value.into_token().unwrap();
        let held: SharedSliceMut<u8> = SharedMut::new(&(3, 900)).unwrap();
        let message = postcard::to_stdvec(&held).unwrap();
        let (before, names) = (in_use(), left());
        for end in ENDS {
            Forked::new(end, || ()).success();
            // And of one that has used the crate itself.
            Forked::new(end, || drop(shared(100, 1))).success();
            sweep();
            assert_eq!((in_use(), left()), (before, names.clone()), "{end:?}");
        }
        let mut receiver = Puppet::new(TEST);
        receiver.get(format!("claim {token}"));
        assert_eq!(receiver.get("see 0"), "5000x1");
        drop(held);
        assert_eq!(*postcard::from_bytes::<SharedSliceMut<u8>>(&message).unwrap(), [3; 900]);
    };
    scene_alone(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_child_does_not_sweep_its_parents_pool() {
    const TEST: &str = "forks::a_child_does_not_sweep_its_parents_pool";
    let main = || {
        let mut peer = Puppet::new(TEST);
        peer.get(format!("claim {}", shared(5000, 1).into_token().unwrap()));
        peer.kill();
        let token = shared(70, 2).into_token().unwrap();
        let before = in_use();
        Forked::new(End::Exit, || {
            assert_eq!(sweep().participants, 0);
            assert_eq!(commonage::reclaim(std::time::Duration::ZERO).tickets, 0);
            commonage::trim();
        })
        .success();
        assert_eq!(in_use(), before);
        assert_eq!(*SharedSlice::<u8>::from_token(&token).unwrap(), [2; 70]);
        // The parent does, now or at the claim before.
        sweep();
        assert_eq!(commonage::stats().participants, 1);
    };
    scene_alone(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_child_of_a_child_is_a_process_of_its_own() {
    const TEST: &str = "forks::a_child_of_a_child_is_a_process_of_its_own";
    let main = || {
        let value = shared(5000, 1);
        let (from, mut to) = pipe().unwrap();
        Forked::new(End::Exit, || {
            let own = shared(6000, 2);
            let token = own.clone().into_token().unwrap();
            Forked::new(End::Exit, || {
                assert!(matches!(value.ticket(), Err(Error::Inherited { .. })));
                assert!(matches!(own.ticket(), Err(Error::Inherited { .. })));
                assert_eq!(*SharedSlice::<u8>::from_token(&token).unwrap(), [2; 6000]);
                send(&mut to, &shared(7000, 3).into_token().unwrap());
            })
            .success();
            assert_eq!((own.counts().holders, own.counts().in_flight), (1, 0));
        })
        .success();
        let token = receive(&mut BufReader::new(from));
        assert_eq!(*SharedSlice::<u8>::from_token(&token).unwrap(), [3; 7000]);
        assert_eq!(value.counts().holders, 1);
        drop(value);
        assert_eq!(in_use(), (0, 0, 0, 1));
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn a_child_of_a_busy_parent_does_not_hang() {
    const TEST: &str = "forks::a_child_of_a_busy_parent_does_not_hang";
    let main = || {
        static STOP: AtomicBool = AtomicBool::new(false);
        static TURNS: AtomicUsize = AtomicUsize::new(0);
        let kept = shared(3000, 7);
        let before = in_use();
        let threads: Vec<_> = (0..2)
            .map(|thread| {
                thread::spawn(move || {
                    while !STOP.load(Ordering::Relaxed) {
                        let values: Vec<_> = (0..40).map(|i| shared(100 + 4000 * thread * i, 1)).collect();
                        let token = values[3].clone().into_token().unwrap();
                        assert_eq!(SharedSlice::<u8>::from_token(&token).unwrap(), values[3]);
                        if TURNS.fetch_add(1, Ordering::Relaxed).is_multiple_of(16) {
                            sweep();
                            stats();
                        }
                    }
                })
            })
            .collect();
        for round in 0..50 {
            let turns = TURNS.load(Ordering::Relaxed);
            until("the parent is busy", || (TURNS.load(Ordering::Relaxed) > turns).then_some(()));
            let token = kept.clone().into_token().unwrap();
            Forked::new(ENDS[round % 2], || {
                assert_eq!(*SharedSlice::<u8>::from_token(&token).unwrap(), [7; 3000]);
                let own: Vec<_> = (0..20).map(|i| shared(10 + i * 500, 9)).collect();
                let token = own[5].clone().into_token().unwrap();
                assert_eq!(SharedSlice::<u8>::from_token(&token).unwrap(), own[5]);
                drop(own);
                assert_eq!(stats().blocks, 0);
            })
            .success();
        }
        STOP.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        sweep();
        assert_eq!(in_use(), before);
    };
    scene(TEST, BOTH, main, nobody_else);
}

/// The child has the parent's descriptors, and with them its locks, if it keeps them.
#[test]
fn a_killed_parent_is_dead_though_its_child_lives() {
    const TEST: &str = "forks::a_killed_parent_is_dead_though_its_child_lives";
    let main = || {
        let mine = shared(9000, 4);
        let mut running = child(TEST, "parent").env("TOKEN", &mine.clone().into_token().unwrap()).spawn();
        let mut out = BufReader::new(running.child().stdout.take().unwrap());
        let token = said(&mut out, "token ");
        let heir: i32 = said(&mut out, "heir ").parse().unwrap();
        let mut peer = Puppet::new(TEST);
        peer.get(format!("claim {token}"));
        assert_eq!((mine.counts().holders, peer.get("counts 0")), (2, "1 2 0".into()));
        running.kill();
        // SAFETY: asks whether the process is there.
        assert_eq!(unsafe { libc::kill(heir, 0) }, 0, "the child lives on");
        let swept = sweep();
        assert_eq!((swept.participants, swept.later, mine.counts().holders), (1, 0, 1));
        let swept = peer.get("sweep");
        assert!(swept.contains("participants: 1"), "{swept}");
        assert_eq!(peer.get("counts 0"), "1 1 0");
        assert!(resident(peer.pid) < 1 << 20, "{} bytes are resident", resident(peer.pid));
        assert_eq!(peer.get("see 0"), "100x1");
        peer.get("drop 0");
        peer.get("sweep");
        assert_eq!(mapped(peer.pid), Vec::<u64>::new());
        peer.leave();
        // SAFETY: it was this process's grandchild a moment ago, and nobody waits for it.
        unsafe { libc::kill(heir, libc::SIGKILL) };
        drop(mine);
        assert_eq!(in_use(), (0, 0, 0, 1));
    };
    let parent = |_: &str| {
        let theirs = SharedSlice::<u8>::from_token(&crate::scene::value("TOKEN")).unwrap();
        let (small, large) = (shared(100, 1), shared(5 << 20, 2));
        println!("\ntoken {}", small.clone().into_token().unwrap());
        let heir = Forked::new(End::UnderscoreExit, || {
            // SAFETY: waits for the signal of its end.
            unsafe { libc::pause() };
        });
        println!("\nheir {}", heir.0);
        // SAFETY: waits for the signal of its end.
        unsafe { libc::pause() };
        drop((theirs, small, large));
    };
    scene(TEST, BOTH, main, parent);
}

/// As in a PID namespace of its own. What a parent of that id has begun, the child does not go on with.
#[test]
fn a_child_with_its_parents_process_id_has_blocks_of_its_own() {
    const TEST: &str = "forks::a_child_with_its_parents_process_id_has_blocks_of_its_own";
    if role().is_some() {
        assert_eq!(std::process::id(), 1, "it is the first of its namespace");
        let value = shared(1000, 1);
        // SAFETY: from now on this thread's children are in another namespace.
        assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0);
        // SAFETY: the child uses the crate as a child may, and ends without handlers.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let same = std::process::id() == 1;
            let near = shared(1000, 2).as_ptr().addr().abs_diff(value.as_ptr().addr()) < 1 << 16;
            let inherited = matches!(value.clone().into_token(), Err(Error::Inherited { .. }));
            // SAFETY: ends this process.
            unsafe { libc::_exit(i32::from(!same) + 2 * i32::from(near) + 4 * i32::from(!inherited)) };
        }
        let mut status = 0;
        // SAFETY: the child is this process's own; the call writes a number.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        return assert_eq!((value[0], in_use().0), (1, 1));
    }
    if !Command::new("unshare").args(["-p", "-f", "true"]).status().is_ok_and(|status| status.success()) {
        return println!("skipped: no PID namespace can be made");
    }
    let mut command = Command::new("unshare");
    command.args(["-p", "-f", "--kill-child"]).arg(std::env::current_exe().unwrap()).args([
        TEST,
        "--exact",
        "--nocapture",
    ]);
    let command = ChildCommand::program(command, "the first of its namespace");
    command.env("COMMONAGE_TEST_ROLE", "first").run_to_success();
}
