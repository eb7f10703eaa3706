//! A process sends and exits: nothing is lost.

use std::sync::OnceLock;

use commonage::{Error, Shared, SharedMut, SharedSlice, SharedSliceMut, SharedStr, Ticket, sweep};
use ipc_channel::ipc::{IpcOneShotServer, IpcSender};

use crate::{
    puppet::Puppet,
    scene::{BOTH, is_named, left, nobody_else, scene, value},
    support::child,
};

const NOTHING: [String; 0] = [];

/// Claims a value that is all `fill`.
#[track_caller]
fn claimed(token: &str, len: usize, fill: u8) {
    let value = SharedSlice::<u8>::from_token(token).unwrap();
    assert_eq!(value.len(), len);
    assert!(value.iter().all(|byte| *byte == fill));
}

#[test]
fn a_token_of_a_process_that_sent_it_and_returned_is_claimed_later() {
    later("wills::a_token_of_a_process_that_sent_it_and_returned_is_claimed_later", None);
}

#[test]
fn a_token_of_a_process_that_sent_it_and_called_exit_is_claimed_later() {
    later("wills::a_token_of_a_process_that_sent_it_and_called_exit_is_claimed_later", Some("exit 3"));
}

#[test]
fn a_token_of_a_process_that_sent_it_and_panicked_is_claimed_later() {
    later("wills::a_token_of_a_process_that_sent_it_and_panicked_is_claimed_later", Some("panic"));
}

fn later(test: &'static str, end: Option<&str>) {
    let main = || {
        let mut sender = Puppet::new(test);
        sender.get("make 100000 5");
        sender.get("make 100 6");
        sender.get("make_mut 3000000 7");
        let tokens: Vec<String> = (0..3).map(|value| sender.get(format!("send {value}"))).collect();
        if let Some(end) = end {
            sender.tell(end);
        }
        let status = sender.end();
        let code = if end.is_none() {
            0
        } else if end == Some("panic") {
            101
        } else {
            3
        };
        assert_eq!(status.code(), Some(code));
        // A segment that has a name is its own will.
        assert!(is_named() || left().len() == 3, "{:?}", left());
        sweep();
        claimed(&tokens[0], 100_000, 5);
        claimed(&tokens[1], 100, 6);
        let mut exclusive = SharedSliceMut::<u8>::from_token(&tokens[2]).unwrap();
        assert!(exclusive.iter().all(|byte| *byte == 7));
        exclusive[17] = 9;
        drop(exclusive);
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene(test, BOTH, main, nobody_else);
}

#[test]
fn a_message_in_a_pipe_outlives_its_sender() {
    const TEST: &str = "wills::a_message_in_a_pipe_outlives_its_sender";
    let main = || {
        let said = String::from_utf8(child(TEST, "sender").run_to_success().stdout).unwrap();
        let json = said.lines().find_map(|line| line.strip_prefix("value ")).unwrap();
        let (text, numbers): (SharedStr, SharedSliceMut<u64>) = serde_json::from_str(json).unwrap();
        assert_eq!((&*text, &numbers[..]), ("to whom it may concern", &[8; 700][..]));
        drop((text, numbers));
        sweep();
        assert_eq!(left(), NOTHING);
    };
    let sender = |_: &str| {
        let text = SharedStr::copy_from("to whom it may concern").unwrap();
        let numbers: SharedSliceMut<u64> = SharedMut::new(&(8, 700)).unwrap();
        println!("\nvalue {}", serde_json::to_string(&(text, numbers)).unwrap());
    };
    scene(TEST, BOTH, main, sender);
}

#[test]
fn a_message_in_an_ipc_channel_outlives_its_sender() {
    const TEST: &str = "wills::a_message_in_an_ipc_channel_outlives_its_sender";
    type Message = (SharedSlice<u32>, SharedSliceMut<u32>);
    let main = || {
        let (server, name) = IpcOneShotServer::<Message>::new().unwrap();
        child(TEST, "sender").env("SERVER", &name).run_to_success();
        let (_, (shared, exclusive)) = server.accept().unwrap();
        assert!(shared.iter().eq((0..50_000).collect::<Vec<_>>().iter()));
        assert_eq!(*exclusive, [4; 20]);
        drop((shared, exclusive));
        sweep();
        assert_eq!(left(), NOTHING);
    };
    let sender = |_: &str| {
        let numbers: Vec<u32> = (0..50_000).collect();
        let message: Message = (Shared::copy_from(&numbers[..]).unwrap(), SharedMut::new(&(4, 20)).unwrap());
        IpcSender::connect(value("SERVER")).unwrap().send(message).unwrap();
    };
    scene(TEST, BOTH, main, sender);
}

#[test]
fn a_receiver_that_comes_in_the_middle_of_the_exit_has_the_value() {
    race("wills::a_receiver_that_comes_in_the_middle_of_the_exit_has_the_value", 25);
}

#[test]
#[ignore = "takes minutes"]
fn a_receiver_that_comes_in_the_middle_of_a_thousand_exits_has_the_value() {
    race("wills::a_receiver_that_comes_in_the_middle_of_a_thousand_exits_has_the_value", 1000);
}

fn race(test: &'static str, rounds: usize) {
    const EACH: usize = 16;
    let main = || {
        for round in 0..rounds {
            let mut sender = Puppet::new(test);
            let mut shared = Vec::new();
            let mut exclusive = Vec::new();
            for i in 0..EACH {
                sender.get(format!("make {} {i}", 1000 + 3000 * (i % 4)));
                shared.push(sender.get(format!("copy {}", 2 * i)));
                sender.get(format!("make_mut 2000 {i}"));
                exclusive.push(sender.get(format!("send {}", 2 * i + 1)));
            }
            sender.tell("exit 0");
            // The receivers come earlier or later in it, from both ends.
            let delay = || (0..round % 25 * 4000).for_each(|_| std::hint::spin_loop());
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    delay();
                    for (i, token) in shared.iter().enumerate() {
                        let value = SharedSlice::<u8>::from_token(token)
                            .unwrap_or_else(|error| panic!("round {round}, value {i}: {error}"));
                        assert!(value.iter().all(|byte| usize::from(*byte) == i), "round {round}, value {i}");
                    }
                });
                delay();
                for (i, token) in exclusive.iter().enumerate().rev() {
                    let value = SharedSliceMut::<u8>::from_token(token)
                        .unwrap_or_else(|error| panic!("round {round}, exclusive value {i}: {error}"));
                    assert!(value.iter().all(|byte| usize::from(*byte) == i), "round {round}, exclusive value {i}");
                }
            });
            assert_eq!(sender.end().code(), Some(0));
        }
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene(test, BOTH, main, nobody_else);
}

#[test]
fn a_part_of_a_value_is_willed_as_that_part() {
    const TEST: &str = "wills::a_part_of_a_value_is_willed_as_that_part";
    let main = || {
        let said = String::from_utf8(child(TEST, "sender").run_to_success().stdout).unwrap();
        let tokens: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("token ")).collect();
        let [middle, end, text] = tokens[..] else { panic!("{said}") };
        for (token, range) in [(middle, 1000..2000), (end, 9_999..10_000)] {
            let value = SharedSlice::<u32>::from_token(token).unwrap();
            assert!(value.iter().copied().eq(range));
        }
        assert_eq!(&*SharedStr::from_token(text).unwrap(), "a part");
        sweep();
        assert_eq!(left(), NOTHING);
    };
    let sender = |_: &str| {
        let numbers: Vec<u32> = (0..10_000).collect();
        let value = Shared::copy_from(&numbers[..]).unwrap();
        println!("\ntoken {}", value.slice(1000..2000).into_token().unwrap());
        println!("\ntoken {}", value.slice(9_999..).into_token().unwrap());
        let text = SharedStr::copy_from("this is a part of it").unwrap();
        println!("\ntoken {}", text.slice(8..14).into_token().unwrap());
    };
    scene(TEST, BOTH, main, sender);
}

#[cfg(feature = "ndarray")]
#[test]
fn an_array_is_willed_with_its_shape() {
    use commonage::{SharedArray, SharedArrayMut};
    use ndarray::{Array2, Ix2};
    const TEST: &str = "wills::an_array_is_willed_with_its_shape";
    let array = || Array2::from_shape_fn((30, 40), |(i, j)| (100 * i + j) as f64);
    let main = || {
        let said = String::from_utf8(child(TEST, "sender").run_to_success().stdout).unwrap();
        let tokens: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("token ")).collect();
        let value = SharedArray::<f64, Ix2>::from_token(tokens[0]).unwrap();
        assert_eq!(value.as_view(), array());
        let mut value = SharedArrayMut::<f64, Ix2>::from_token(tokens[1]).unwrap();
        assert_eq!(value.as_view_mut(), array().reversed_axes());
    };
    let sender = |_: &str| {
        println!("\ntoken {}", Shared::copy_from(&array()).unwrap().into_token().unwrap());
        println!("\ntoken {}", SharedMut::copy_from(&array().reversed_axes()).unwrap().into_token().unwrap());
    };
    scene(TEST, BOTH, main, sender);
}

/// Serialized, and never dropped: by a leak, in a static, in what the end of the process does not unwind.
#[test]
fn an_exclusive_value_that_its_sender_held_until_it_exited_is_claimed_once() {
    const TEST: &str = "wills::an_exclusive_value_that_its_sender_held_until_it_exited_is_claimed_once";
    static KEPT: OnceLock<SharedSliceMut<u8>> = OnceLock::new();
    let main = || {
        let said = String::from_utf8(child(TEST, "sender").run_to_success().stdout).unwrap();
        let values: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("value ")).collect();
        assert_eq!(values.len(), 2);
        for (fill, json) in [8, 9].into_iter().zip(values) {
            let value: SharedSliceMut<u8> = serde_json::from_str(json).unwrap();
            assert!(value.len() == 5000 && value.iter().all(|byte| *byte == fill));
            let again = serde_json::from_str::<Ticket<[u8]>>(json).unwrap().claim_mut().unwrap_err();
            assert!(matches!(again, Error::AlreadyClaimed { .. } | Error::Gone { .. }), "{again:?}");
        }
        sweep();
        assert_eq!(left(), NOTHING);
    };
    let sender = |_: &str| {
        let leaked: SharedSliceMut<u8> = SharedMut::new(&(8, 5000)).unwrap();
        println!("\nvalue {}", serde_json::to_string(&leaked).unwrap());
        std::mem::forget(leaked);
        let kept = KEPT.get_or_init(|| SharedMut::new(&(9, 5000)).unwrap());
        println!("\nvalue {}", serde_json::to_string(kept).unwrap());
    };
    scene(TEST, BOTH, main, sender);
}

#[test]
fn a_will_is_claimed_once_and_by_one() {
    const TEST: &str = "wills::a_will_is_claimed_once_and_by_one";
    let main = || {
        for round in 0..5 {
            let mut sender = Puppet::new(TEST);
            sender.get("make_mut 100000 5");
            let token = sender.get("send 0");
            sender.leave();
            let mut receivers: Vec<_> = (0..3).map(|_| Puppet::new(TEST)).collect();
            let claim = format!("claim_mut {token}");
            receivers.iter_mut().for_each(|receiver| receiver.tell(&claim));
            let results: Vec<_> = receivers.iter_mut().map(|receiver| receiver.hear(&claim)).collect();
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "round {round}: {results:?}");
            for error in results.iter().filter_map(|result| result.as_ref().err()) {
                assert!(error.starts_with("AlreadyClaimed") || error.starts_with("Gone"), "{error}");
            }
            receivers.into_iter().for_each(Puppet::leave);
        }
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn many_messages_of_a_few_values_are_all_willed() {
    const TEST: &str = "wills::many_messages_of_a_few_values_are_all_willed";
    let main = || {
        let mut sender = Puppet::new(TEST);
        let lens = [10, 5000, 200_000, 1_000_000];
        lens.iter().for_each(|len| drop(sender.get(format!("make {len} {}", len % 7))));
        let tokens: Vec<_> = (0..300).map(|i| sender.get(format!("copy {}", i % 4))).collect();
        sender.leave();
        for (i, token) in tokens.iter().enumerate() {
            claimed(token, lens[i % 4], (lens[i % 4] % 7) as u8);
        }
        sweep();
        assert_eq!(left(), NOTHING);
    };
    scene(TEST, BOTH, main, nobody_else);
}
