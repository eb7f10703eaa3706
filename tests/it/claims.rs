//! Claims that can't be honoured: each an error that names the cause, and nothing is lost.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use commonage::{
    CheckError, Error, Kind, Shared, SharedMut, SharedSlice, SharedSliceMut, SharedStr, SharedStrMut, ShmemBacked,
    ShmemView, Ticket,
};
use serde::de::DeserializeOwned;

use crate::support::{on_both_backings, remove_what_the_dead_left};

fn bytes(value: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap()
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    postcard::from_bytes(bytes).map_err(|error| error.to_string())
}

#[test]
fn a_token_cut_anywhere_is_an_error_and_the_value_is_still_there() {
    on_both_backings("claims::a_token_cut_anywhere_is_an_error_and_the_value_is_still_there", || {
        let token = SharedSlice::<u8>::copy_from(&[1, 2, 3][..]).unwrap().into_token().unwrap();
        for end in 0..token.len() {
            assert!(SharedSlice::<u8>::from_token(&token[..end]).is_err(), "cut at {end}");
        }
        assert!(SharedSlice::<u8>::from_token(&format!("{token}A")).is_err());
        assert_eq!(*SharedSlice::<u8>::from_token(&token).unwrap(), [1, 2, 3]);
    });
}

#[test]
fn a_message_with_any_bit_flipped_is_an_error_or_the_same_value() {
    on_both_backings("claims::a_message_with_any_bit_flipped_is_an_error_or_the_same_value", || {
        let value: SharedSliceMut<u16> = SharedMut::copy_from(&[1, 2, 3][..]).unwrap();
        let mut message = bytes(&value);
        drop(value);
        for at in 0..message.len() {
            for bit in 0..8 {
                message[at] ^= 1 << bit;
                if let Ok(other) = postcard::from_bytes::<SharedSliceMut<u16>>(&message) {
                    assert_eq!(*other, [1, 2, 3], "bit {bit} of byte {at}");
                    message = bytes(&other);
                    continue;
                }
                message[at] ^= 1 << bit;
            }
        }
        for end in 0..message.len() {
            assert!(read::<SharedSliceMut<u16>>(&message[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(*read::<SharedSliceMut<u16>>(&message).unwrap(), [1, 2, 3]);
    });
}

#[test]
fn a_cut_message_of_several_tickets_loses_nothing() {
    on_both_backings("claims::a_cut_message_of_several_tickets_loses_nothing", || {
        let ticket = |n| SharedMut::copy_from(&[n; 3][..]).unwrap().into_ticket().unwrap();
        let tickets: (Ticket<[u8]>, Ticket<[u8]>) = (ticket(1), ticket(2));
        let message = bytes(&tickets);
        for end in 0..message.len() {
            assert!(read::<(Ticket<[u8]>, Ticket<[u8]>)>(&message[..end]).is_err(), "cut at {end}");
        }
        let (first, second) = read::<(Ticket<[u8]>, Ticket<[u8]>)>(&message).unwrap();
        assert_eq!((first.claim_mut().unwrap()[0], second.claim_mut().unwrap()[0]), (1, 2));
    });
}

#[test]
fn a_cut_message_of_several_exclusive_values_drops_what_it_has_claimed_and_leaks_nothing() {
    const TEST: &str = "claims::a_cut_message_of_several_exclusive_values_drops_what_it_has_claimed_and_leaks_nothing";
    on_both_backings(TEST, || {
        let values = [1, 2].map(|n| SharedSliceMut::<u8>::copy_from(&[n; 3][..]).unwrap());
        let message = bytes(&values);
        drop(values);
        assert!(read::<[SharedSliceMut<u8>; 2]>(&message[..message.len() - 1]).is_err());
        let second = &message[message.len() / 2..];
        assert_eq!(*read::<SharedSliceMut<u8>>(second).unwrap(), [2; 3]);
        assert!(
            read::<SharedSliceMut<u8>>(&message[..message.len() / 2]).is_err(),
            "the first was claimed and dropped"
        );
    });
}

/// A byte that is looked at when it is claimed, by a function that can panic.
struct Watched;

static PANICS: AtomicBool = AtomicBool::new(false);

// SAFETY: one byte, whatever it is, and the view is a copy of it.
unsafe impl ShmemBacked for Watched {
    type NewArg = u8;
    type MetaData = ();

    fn required_memory_arg(_: &u8) -> usize {
        1
    }

    fn required_memory_src(_: &Self) -> usize {
        1
    }

    fn new(data: &mut [u8], value: &u8) {
        data[0] = *value;
    }

    fn new_from_src(_: &mut [u8], _: &Self) {}

    fn check(_: &[u8], _: &()) -> Result<(), CheckError> {
        assert!(!PANICS.load(Ordering::SeqCst), "the look panics");
        Ok(())
    }
}

impl ShmemView<'_> for Watched {
    type View = u8;

    fn view(data: &[u8], _: &()) -> u8 {
        data[0]
    }
}

#[test]
fn a_claim_that_panics_takes_nothing() {
    on_both_backings("claims::a_claim_that_panics_takes_nothing", || {
        let token = SharedMut::<Watched>::new(&7).unwrap().into_token().unwrap();
        PANICS.store(true, Ordering::SeqCst);
        assert!(catch_unwind(|| SharedMut::<Watched>::from_token(&token).is_ok()).is_err());
        PANICS.store(false, Ordering::SeqCst);
        assert_eq!(SharedMut::<Watched>::from_token(&token).unwrap().as_view(), 7);
    });
}

#[test]
fn handles_go_where_their_elements_and_metadata_go() {
    fn goes<T: Send + Sync>() {}
    goes::<SharedSlice<u64>>();
    goes::<SharedSliceMut<u64>>();
    goes::<SharedStr>();
    goes::<SharedStrMut>();
    goes::<Ticket<str>>();
}

#[test]
fn text_that_is_no_token_is_an_error() {
    for text in ["", "x", "no token at all", "AAAA", "🦀", &"A".repeat(200), &"_".repeat(100_000)] {
        assert!(matches!(SharedStr::from_token(text), Err(Error::NotAToken(_))), "{text:.40}");
        assert!(Ticket::<str>::from_token(text).is_err());
    }
}

#[test]
fn a_token_claimed_as_something_else_can_still_be_claimed_as_what_it_is() {
    on_both_backings("claims::a_token_claimed_as_something_else_can_still_be_claimed_as_what_it_is", || {
        let token = SharedSlice::<u32>::copy_from(&[1, 2][..]).unwrap().into_token().unwrap();
        assert!(matches!(SharedSlice::<i32>::from_token(&token), Err(Error::WrongType { .. })));
        assert!(matches!(SharedSlice::<u64>::from_token(&token), Err(Error::WrongType { .. })));
        assert!(matches!(SharedStr::from_token(&token), Err(Error::WrongType { .. })));
        assert!(matches!(
            SharedSliceMut::<u32>::from_token(&token),
            Err(Error::WrongKind { expected: Kind::SharedMut, found: Kind::Shared })
        ));
        assert_eq!(*SharedSlice::<u32>::from_token(&token).unwrap(), [1, 2]);

        let token = SharedStrMut::copy_from("exclusive").unwrap().into_token().unwrap();
        assert!(matches!(
            SharedStr::from_token(&token),
            Err(Error::WrongKind { expected: Kind::Shared, found: Kind::SharedMut })
        ));
        assert_eq!(&*SharedStrMut::from_token(&token).unwrap(), "exclusive");
    });
}

#[test]
fn an_exclusive_value_is_claimed_once() {
    on_both_backings("claims::an_exclusive_value_is_claimed_once", || {
        let token = SharedSliceMut::<u8>::copy_from(&[5][..]).unwrap().into_token().unwrap();
        let mut first = SharedSliceMut::<u8>::from_token(&token).unwrap();
        assert!(matches!(SharedSliceMut::<u8>::from_token(&token), Err(Error::AlreadyClaimed { .. })));
        first[0] = 6;
        drop(first);
        assert!(matches!(SharedSliceMut::<u8>::from_token(&token), Err(Error::AlreadyClaimed { .. })));
    });
}

#[test]
fn many_threads_claim_an_exclusive_value_and_one_has_it() {
    on_both_backings("claims::many_threads_claim_an_exclusive_value_and_one_has_it", || {
        for round in 0..100 {
            let token = SharedSliceMut::<u64>::copy_from(&[round][..]).unwrap().into_token().unwrap();
            let had = thread::scope(|scope| {
                let claims: Vec<_> =
                    (0..4).map(|_| scope.spawn(|| SharedSliceMut::<u64>::from_token(&token).is_ok())).collect();
                claims.into_iter().map(|claim| claim.join().unwrap()).filter(|had| *had).count()
            });
            assert_eq!(had, 1, "round {round}");
        }
    });
}

#[test]
fn a_claim_waits_for_the_sender_to_drop_its_handle() {
    on_both_backings("claims::a_claim_waits_for_the_sender_to_drop_its_handle", || {
        let value: SharedSliceMut<u8> = SharedMut::copy_from(&[1][..]).unwrap();
        let message = bytes(&value);
        thread::scope(|scope| {
            let (claiming, claims) = std::sync::mpsc::channel();
            let claim = scope.spawn(move || {
                claiming.send(()).unwrap();
                read::<SharedSliceMut<u8>>(&message)
            });
            claims.recv().unwrap();
            drop(value);
            assert_eq!(*claim.join().unwrap().unwrap(), [1]);
        });
    });
}

#[test]
fn a_value_that_its_sender_keeps_is_still_held_and_can_be_claimed_later() {
    on_both_backings("claims::a_value_that_its_sender_keeps_is_still_held_and_can_be_claimed_later", || {
        let value: SharedSliceMut<u8> = SharedMut::copy_from(&[1][..]).unwrap();
        let ticket: Ticket<[u8]> = read(&bytes(&value)).unwrap();
        let error = ticket.claim_mut().unwrap_err();
        assert!(matches!(error, Error::StillHeld { waited, .. } if waited >= Duration::from_millis(900)), "{error:?}");
        drop(value);
        assert_eq!(*ticket.claim_mut().unwrap(), [1]);
    });
}

#[test]
fn a_serialized_value_that_is_forgotten_is_still_held() {
    on_both_backings("claims::a_serialized_value_that_is_forgotten_is_still_held", || {
        let value: SharedSliceMut<u8> = SharedMut::copy_from(&[1][..]).unwrap();
        let message = bytes(&value);
        mem::forget(value);
        let error = read::<SharedSliceMut<u8>>(&message).unwrap_err();
        let ticket: Ticket<[u8]> = read(&message).unwrap();
        assert!(matches!(ticket.claim_mut(), Err(Error::StillHeld { .. })), "{error}");
    });
    // What is in flight at the exit of its process stays to be claimed: where memory has names, in a segment.
    remove_what_the_dead_left();
}

#[test]
fn a_serialized_exclusive_value_panics_when_it_is_used() {
    let value: SharedSliceMut<u8> = SharedMut::copy_from(&[1][..]).unwrap();
    let message = bytes(&value);
    let _ = format!("{value:?}"); // does not panic
    let panic = catch_unwind(AssertUnwindSafe(|| value[0])).unwrap_err();
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    assert!(text.is_some_and(|text| text.contains("has been serialized")), "{text:?}");
    drop(value);
    assert_eq!(*read::<SharedSliceMut<u8>>(&message).unwrap(), [1]);
}

#[test]
fn replayed_bytes_of_a_value_that_is_gone_expire() {
    on_both_backings("claims::replayed_bytes_of_a_value_that_is_gone_expire", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[1, 2, 3][..]).unwrap();
        let token = shared.into_token().unwrap();
        let first = SharedSlice::<u8>::from_token(&token).unwrap();
        let second = SharedSlice::<u8>::from_token(&token).unwrap();
        assert_eq!(first, second);
        drop(second);
        let exclusive = first.try_into_mut().unwrap();
        assert!(matches!(SharedSlice::<u8>::from_token(&token), Err(Error::Expired { .. })), "exclusive now");
        let shared = exclusive.freeze().unwrap();
        assert!(matches!(SharedSlice::<u8>::from_token(&token), Err(Error::Expired { .. })), "another value now");
        drop(shared);
        assert!(matches!(SharedSlice::<u8>::from_token(&token), Err(Error::Expired { .. })), "free now");
        let others: Vec<SharedSlice<u8>> = (0..300).map(|i| Shared::new(&(i as u8, 3)).unwrap()).collect();
        assert!(matches!(SharedSlice::<u8>::from_token(&token), Err(Error::Expired { .. })), "reused now");
        assert_eq!(others[7][0], 7);
    });
}

#[test]
fn revoked_tickets_are_gone_and_the_value_stays() {
    on_both_backings("claims::revoked_tickets_are_gone_and_the_value_stays", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[9][..]).unwrap();
        let ticket = shared.ticket().unwrap();
        assert_eq!(shared.counts().in_flight, 1);
        let copy: Ticket<[u8]> = read(&bytes(&ticket)).unwrap();
        assert!(ticket.revoke().unwrap());
        assert_eq!(shared.counts().in_flight, 0);
        // A `Shared`'s value is joined as long as it lives.
        assert_eq!(*copy.claim().unwrap(), [9]);
        drop(shared);
        assert!(matches!(copy.claim(), Err(Error::Expired { .. })));
    });
}

#[test]
fn counts_tell_handles_holders_and_messages() {
    on_both_backings("claims::counts_tell_handles_holders_and_messages", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[9][..]).unwrap();
        let tokens: Vec<String> = (0..3).map(|_| shared.clone().into_token().unwrap()).collect();
        assert_eq!((shared.counts().handles, shared.counts().holders, shared.counts().in_flight), (1, 1, 3));
        let claimed: Vec<_> = tokens.iter().map(|token| SharedSlice::<u8>::from_token(token).unwrap()).collect();
        assert_eq!((shared.counts().handles, shared.counts().holders, shared.counts().in_flight), (4, 1, 0));
        drop(claimed);
        assert_eq!((shared.counts().handles, shared.counts().holders, shared.counts().in_flight), (1, 1, 0));
    });
}

#[test]
fn a_claim_that_loses_its_ticket_to_one_that_changes_the_value_says_that_it_has_expired() {
    const TEST: &str = "claims::a_claim_that_loses_its_ticket_to_one_that_changes_the_value_says_that_it_has_expired";
    on_both_backings(TEST, || {
        let begin = Barrier::new(2);
        let (say, hear) = mpsc::channel::<String>();
        thread::scope(|scope| {
            let begin = &begin;
            scope.spawn(move || {
                while let Ok(token) = hear.recv() {
                    begin.wait();
                    match SharedSlice::<u8>::from_token(&token) {
                        Ok(value) => assert_eq!(*value, [7; 300]),
                        Err(Error::Expired { .. }) => {}
                        Err(error) => panic!("{error:?}"),
                    }
                    begin.wait();
                }
            });
            for round in 0..3000 {
                let token = SharedSlice::<u8>::copy_from(&[7; 300]).unwrap().into_token().unwrap();
                say.send(token.clone()).unwrap();
                begin.wait();
                if let Ok(Ok(mut value)) = SharedSlice::<u8>::from_token(&token).map(Shared::try_into_mut) {
                    // Where it was there are other values soon, shorter ones among them.
                    value.fill(8);
                    drop(value);
                    drop(SharedSliceMut::<u8>::new(&(9, 260 + round % 20)).unwrap());
                }
                begin.wait();
            }
            drop(say);
        });
    });
}
