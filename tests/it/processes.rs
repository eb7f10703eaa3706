//! Values between real processes: every channel, both backings, every way for one of them to end.

use std::{
    env,
    io::{BufReader, Read, Write},
};

use commonage::{Error, Shared, SharedMut, SharedSlice, SharedSliceMut, SharedStr, Ticket};
use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};

use crate::support::{
    BOTH, child, example, has_trapped, is_child, maps, remove_what_the_dead_left, role, said, will_trap,
};

fn value(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("the parent sets {name}"))
}

fn each_backing(test: impl Fn(&str)) {
    BOTH.iter().for_each(|backing| test(backing));
}

/// The parent of a test that must itself choose a backing runs as a child.
fn main_or_child(test: &str, body: impl Fn(), as_child: impl Fn(&str)) {
    match role().as_deref() {
        None => each_backing(|backing| {
            child(test, "main").env("COMMONAGE_TEST_BACKING", backing).run_to_success();
        }),
        Some("main") => body(),
        Some(role) => as_child(role),
    }
}

#[test]
fn a_token_reaches_a_child_by_argv_and_environment() {
    const TEST: &str = "processes::a_token_reaches_a_child_by_argv_and_environment";
    main_or_child(
        TEST,
        || {
            let numbers: Vec<u64> = (0..1_000_000).collect();
            let shared = Shared::copy_from(&numbers[..]).unwrap();
            let by_env = shared.clone().into_token().unwrap();
            let by_argv = shared.clone().into_token().unwrap();
            child(TEST, "reader").env("TOKEN", &by_env).arg(&format!("--skip={by_argv}")).run_to_success();
            assert_eq!(shared.counts().holders, 1, "the child has given back what it held");
            assert_eq!(shared.counts().in_flight, 0);
        },
        |_| {
            let by_argv = env::args().find_map(|arg| Some(arg.strip_prefix("--skip=")?.to_owned())).unwrap();
            for token in [value("TOKEN"), by_argv] {
                let shared = SharedSlice::<u64>::from_token(&token).unwrap();
                assert_eq!(shared.len(), 1_000_000);
                assert!(shared.iter().enumerate().all(|(i, x)| *x == i as u64));
                assert_eq!(shared.counts().holders, 2);
            }
        },
    );
}

#[test]
fn a_pipe_carries_values_both_ways() {
    const TEST: &str = "processes::a_pipe_carries_values_both_ways";
    main_or_child(
        TEST,
        || {
            let mut running = child(TEST, "echo").spawn();
            let mut to = running.child().stdin.take().unwrap();
            let mut from = BufReader::new(running.child().stdout.take().unwrap());
            for round in 0..50u32 {
                let value: SharedSliceMut<u32> = SharedMut::new(&(round, 10_000)).unwrap();
                writeln!(to, "{}", serde_json::to_string(&value).unwrap()).unwrap();
                drop(value);
                let answer = {
                    let json = said(&mut from, "answer ");
                    serde_json::from_str::<SharedSliceMut<u32>>(&json).unwrap()
                };
                assert!(answer.iter().all(|x| *x == round + 1));
            }
            drop(to);
            running.success();
        },
        |_| {
            for line in std::io::stdin().lines() {
                let mut value: SharedSliceMut<u32> = serde_json::from_str(&line.unwrap()).unwrap();
                value.iter_mut().for_each(|x| *x += 1);
                println!("\nanswer {}", serde_json::to_string(&value).unwrap());
                drop(value);
            }
        },
    );
}

/// None when there is no more.
type Work = Option<(SharedSlice<f64>, SharedSliceMut<f64>, IpcSender<SharedSliceMut<f64>>)>;

#[test]
fn an_ipc_channel_carries_shared_and_exclusive_values() {
    const TEST: &str = "processes::an_ipc_channel_carries_shared_and_exclusive_values";
    main_or_child(
        TEST,
        || {
            let (server, name) = IpcOneShotServer::<IpcSender<Work>>::new().unwrap();
            let running = child(TEST, "worker").env("SERVER", &name).spawn();
            let (_, work) = server.accept().unwrap();
            let input = Shared::copy_from(&[1.5; 4096][..]).unwrap();
            for round in 0..100 {
                let (answer_to, answer) = ipc::channel().unwrap();
                let output: SharedSliceMut<f64> = SharedSliceMut::zeroed(4096).unwrap();
                work.send(Some((input.clone(), output, answer_to))).unwrap();
                let output = answer.recv().unwrap();
                assert!(output.iter().all(|x| *x == 3.0), "round {round}");
            }
            work.send(None).unwrap();
            running.success();
            assert_eq!(input.counts().in_flight, 0);
            assert_eq!(input.counts().holders, 1);
            assert!(input.try_into_mut().is_ok());
        },
        |_| {
            let (to, work): (_, IpcReceiver<Work>) = ipc::channel().unwrap();
            IpcSender::connect(value("SERVER")).unwrap().send(to).unwrap();
            while let Some((input, mut output, answer)) = work.recv().unwrap() {
                output.iter_mut().zip(&*input).for_each(|(o, i)| *o = 2.0 * i);
                answer.send(output).unwrap();
            }
        },
    );
}

#[test]
fn a_ticket_is_forwarded_by_a_process_that_never_attaches() {
    const TEST: &str = "processes::a_ticket_is_forwarded_by_a_process_that_never_attaches";
    main_or_child(
        TEST,
        || {
            let shared: SharedStr = Shared::new("passed on").unwrap();
            let ticket = shared.ticket().unwrap();
            child(TEST, "forwarder").env("TICKET", &serde_json::to_string(&ticket).unwrap()).run_to_success();
            assert_eq!(shared.counts().in_flight, 0, "the last process in the row has claimed it");
            assert_eq!(shared.counts().holders, 1);
        },
        |role| {
            let ticket: Ticket<str> = serde_json::from_str(&value("TICKET")).unwrap();
            if role == "forwarder" {
                let json = serde_json::to_string(&ticket).unwrap();
                assert!(maps(std::process::id(), 0));
                child(TEST, "receiver").env("TICKET", &json).run_to_success();
            } else {
                assert_eq!(&*ticket.claim().unwrap(), "passed on");
            }
        },
    );
}

#[test]
fn a_value_outlives_the_process_that_made_it_as_long_as_somebody_holds_it() {
    const TEST: &str = "processes::a_value_outlives_the_process_that_made_it_as_long_as_somebody_holds_it";
    main_or_child(
        TEST,
        || {
            let mut running = child(TEST, "maker").spawn();
            let mut out = BufReader::new(running.child().stdout.take().unwrap());
            let token = said(&mut out, "token ");
            let value = SharedSlice::<u64>::from_token(&token).unwrap();
            running.success();
            assert_eq!(value.len(), 100_000);
            assert!(value.iter().enumerate().all(|(i, x)| *x == i as u64));
            let second = SharedSlice::<u64>::from_token(&value.clone().into_token().unwrap()).unwrap();
            drop(value);
            assert_eq!(second[99_999], 99_999);
            // A third process reaches it through this one.
            child(TEST, "late").env("TOKEN", &second.clone().into_token().unwrap()).run_to_success();
        },
        |role| {
            if role == "late" {
                let value = SharedSlice::<u64>::from_token(&value("TOKEN")).unwrap();
                assert_eq!(value[99_999], 99_999);
                return;
            }
            let numbers: Vec<u64> = (0..100_000).collect();
            println!("\ntoken {}", Shared::copy_from(&numbers[..]).unwrap().into_token().unwrap());
            let mut rest = Vec::new();
            std::io::stdin().read_to_end(&mut rest).unwrap();
        },
    );
}

#[test]
fn a_token_of_a_process_that_is_gone_is_gone() {
    const TEST: &str = "processes::a_token_of_a_process_that_is_gone_is_gone";
    match role().as_deref() {
        Some(_) => {
            let shared: SharedSlice<u8> = Shared::new(&(1, 10)).unwrap();
            let token = shared.clone().into_token().unwrap();
            drop(SharedSlice::<u8>::from_token(&token).unwrap());
            println!("\ntoken {token}");
        }
        None => each_backing(|backing| {
            let output = child(TEST, "maker").env("COMMONAGE_TEST_BACKING", backing).run_to_success();
            let output = String::from_utf8(output.stdout).unwrap();
            let token = output.lines().find_map(|line| line.strip_prefix("token ")).unwrap();
            let error = SharedSlice::<u8>::from_token(token).unwrap_err();
            assert!(matches!(error, Error::Gone { .. }), "{backing}: {error:?}");
        }),
    }
}

#[test]
fn a_held_value_of_a_sender_that_died_is_claimed_at_once() {
    const TEST: &str = "processes::a_held_value_of_a_sender_that_died_is_claimed_at_once";
    main_or_child(
        TEST,
        || {
            let value: SharedSliceMut<u8> = SharedMut::new(&(5, 100)).unwrap();
            let mut running = child(TEST, "sender").env("TOKEN", &value.into_token().unwrap()).spawn();
            let mut out = BufReader::new(running.child().stdout.take().unwrap());
            let json = said(&mut out, "value ");
            running.child().kill().unwrap();
            running.child().wait().unwrap();
            let value: SharedSliceMut<u8> = serde_json::from_str(&json).unwrap();
            assert_eq!(*value, [5; 100]);
        },
        |_| {
            let value = SharedSliceMut::<u8>::from_token(&value("TOKEN")).unwrap();
            println!("\nvalue {}", serde_json::to_string(&value).unwrap());
            let mut rest = Vec::new();
            std::io::stdin().read_to_end(&mut rest).unwrap();
        },
    );
    if !is_child() {
        // The sender was killed, and nobody sweeps yet.
        remove_what_the_dead_left();
    }
}

#[test]
fn a_claim_waits_for_a_sender_in_another_process_and_says_when_it_still_holds() {
    const TEST: &str = "processes::a_claim_waits_for_a_sender_in_another_process_and_says_when_it_still_holds";
    main_or_child(
        TEST,
        || {
            let value: SharedSliceMut<u8> = SharedMut::new(&(5, 100)).unwrap();
            let mut running = child(TEST, "sender").env("TOKEN", &value.into_token().unwrap()).spawn();
            let mut out = BufReader::new(running.child().stdout.take().unwrap());
            let json = said(&mut out, "value ");
            let ticket: Ticket<[u8]> = serde_json::from_str(&json).unwrap();
            let error = ticket.claim_mut().unwrap_err();
            assert!(matches!(error, Error::StillHeld { waited, .. } if waited.as_secs() >= 4), "{error:?}");
            // It drops the handle when its input ends, which is after this claim has begun, or before: both are right.
            let claim = std::thread::spawn(move || ticket.claim_mut().map(|value| value.to_vec()));
            drop(running.child().stdin.take());
            assert_eq!(claim.join().unwrap().unwrap(), [5; 100]);
            running.success();
        },
        |_| {
            let value = SharedSliceMut::<u8>::from_token(&value("TOKEN")).unwrap();
            println!("\nvalue {}", serde_json::to_string(&value).unwrap());
            let mut rest = Vec::new();
            std::io::stdin().read_to_end(&mut rest).unwrap();
            drop(value);
        },
    );
}

#[test]
fn two_different_programs_exchange_a_value() {
    let numbers: Vec<u64> = (0..1_000_000).collect();
    let shared: SharedSlice<u64> = Shared::copy_from(&numbers[..]).unwrap();
    let output = example("token").arg(&shared.clone().into_token().unwrap()).run_to_success();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("1000000 numbers, the last one 999999"), "{output}");
    assert_eq!(shared.counts().in_flight, 0);
}

#[test]
fn a_stray_write_into_foreign_memory_traps() {
    const TEST: &str = "processes::a_stray_write_into_foreign_memory_traps";
    match role().as_deref() {
        Some(_) => {
            let value = SharedSlice::<u8>::from_token(&value("TOKEN")).unwrap();
            will_trap();
            // SAFETY: none: this is the bug that must not corrupt the owner's memory.
            #[allow(clippy::undocumented_unsafe_blocks, invalid_reference_casting)]
            unsafe {
                (value.as_ptr().cast_mut()).write_volatile(9);
            }
        }
        None => {
            let shared: SharedSlice<u8> = Shared::new(&(1, 10)).unwrap();
            let output = child(TEST, "vandal").env("TOKEN", &shared.clone().into_token().unwrap()).spawn().output();
            assert!(has_trapped(output.status), "{output:?}");
            assert_eq!(shared[0], 1);
        }
    }
}

#[test]
fn a_peer_maps_a_segment_once_and_unmaps_what_the_owner_has_retired() {
    const TEST: &str = "processes::a_peer_maps_a_segment_once_and_unmaps_what_the_owner_has_retired";
    main_or_child(
        TEST,
        || {
            let mut running = child(TEST, "peer").spawn();
            let mut to = running.child().stdin.take().unwrap();
            let mut from = BufReader::new(running.child().stdout.take().unwrap());
            let peer = running.child().id();
            let mut maps_with = |token: String, segments: usize| {
                writeln!(to, "{token}").unwrap();
                said(&mut from, "claimed");
                maps(peer, segments)
            };
            for _ in 0..10 {
                let small: SharedSlice<u8> = Shared::new(&(1, 1000)).unwrap();
                assert!(maps_with(small.into_token().unwrap(), 1));
            }
            let large = SharedSliceMut::<u8>::zeroed(600 << 20).unwrap().freeze().unwrap();
            assert!(maps_with(large.into_token().unwrap(), 2));
            commonage::trim();
            // Another segment makes the peer look at what it has mapped.
            let large = SharedSliceMut::<u8>::zeroed(700 << 20).unwrap().freeze().unwrap();
            assert!(maps_with(large.into_token().unwrap(), 2), "the retired segment is unmapped");
            drop(to);
            running.success();
        },
        |_| {
            for line in std::io::stdin().lines() {
                drop(SharedSlice::<u8>::from_token(&line.unwrap()).unwrap());
                println!("\nclaimed");
            }
        },
    );
}
