//! Tickets made explicitly: the same however often they are sent, forwarded, claimed and taken back.

use std::{collections::HashSet, thread};

use commonage::{Counts, Error, Kind, Shared, SharedMut, SharedSlice, SharedSliceMut, Ticket};

use super::Format;
use crate::support::on_both_backings;

#[test]
fn a_ticket_is_the_same_however_often_and_by_whom_it_is_sent() {
    on_both_backings("formats::tickets::a_ticket_is_the_same_however_often_and_by_whom_it_is_sent", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[1, 2][..]).unwrap();
        let ticket = shared.ticket().unwrap();
        let message = postcard::to_stdvec(&ticket).unwrap();
        assert_eq!(postcard::to_stdvec(&ticket).unwrap(), message);
        assert_eq!(postcard::experimental::serialized_size(&ticket).unwrap(), message.len());
        drop(ticket);
        assert_eq!(shared.counts().in_flight, 1, "it has been sent");

        // Through as many hands as there are formats, none of which has a handle.
        let mut forwarded: Ticket<[u8]> = postcard::from_bytes(&message).unwrap();
        for format in Format::ALL {
            forwarded = format.send(forwarded);
            forwarded = Ticket::from_token(&forwarded.into_token()).unwrap();
            assert_eq!(shared.counts(), Counts { handles: 1, holders: 1, in_flight: 1 }, "{format:?}");
        }
        assert_eq!(postcard::to_stdvec(&forwarded).unwrap(), message);
        // Dropped unsent, but not its issuer's.
        drop(postcard::from_bytes::<Ticket<[u8]>>(&message).unwrap());
        assert_eq!(shared.counts().in_flight, 1);
        // What forwards it may be the handle, and the other way round.
        let received: SharedSlice<u8> = postcard::from_bytes(&message).unwrap();
        assert!(received.ptr_eq(&shared));
        assert_eq!(shared.counts(), Counts { handles: 2, holders: 1, in_flight: 0 });
        assert!(forwarded.claim().unwrap().ptr_eq(&shared), "it joins");
        drop((shared, received));
        assert!(matches!(forwarded.claim(), Err(Error::Expired { .. })));
    });
}

#[test]
fn a_ticket_is_forwarded_without_a_look_at_its_segment() {
    on_both_backings("formats::tickets::a_ticket_is_forwarded_without_a_look_at_its_segment", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[1][..]).unwrap();
        let original = shared.ticket().unwrap();
        let mut message = postcard::to_stdvec(&original).unwrap();
        // The segment's number, which follows a length, magic, length, kind and backing: a segment that is nowhere.
        message[1 + 4 + 4 + 1 + 1] ^= 0xff;
        let mut ticket: Ticket<[u8]> = postcard::from_bytes(&message).unwrap();
        for format in Format::ALL {
            ticket = format.send(ticket);
        }
        assert_eq!(postcard::to_stdvec(&ticket).unwrap(), message);
        assert!(ticket.claim().is_err());
        assert!(ticket.revoke().is_err());
        assert!(original.revoke().unwrap());

        assert!(postcard::from_bytes::<Ticket<[u8]>>(&message[..50]).is_err());
        assert!(serde_json::from_str::<Ticket<[u8]>>("\"no token\"").is_err());
        assert!(serde_json::from_str::<Ticket<[u8]>>("7").is_err());
    });
}

#[test]
fn a_ticket_with_a_changed_byte_is_altered_and_the_right_one_can_still_be_claimed() {
    on_both_backings(
        "formats::tickets::a_ticket_with_a_changed_byte_is_altered_and_the_right_one_can_still_be_claimed",
        || {
            let message = postcard::to_stdvec(&SharedSliceMut::<u8>::copy_from(&[1, 2, 3][..]).unwrap()).unwrap();
            for at in [message.len() - 1, message.len() - 9] {
                let mut changed = message.clone();
                changed[at] ^= 1;
                let ticket: Ticket<[u8]> = postcard::from_bytes(&changed).unwrap();
                assert!(matches!(ticket.claim_mut(), Err(Error::Altered { .. })));
                assert!(matches!(ticket.revoke(), Err(Error::Altered { .. })));
            }
            assert_eq!(*postcard::from_bytes::<Ticket<[u8]>>(&message).unwrap().claim_mut().unwrap(), [1, 2, 3]);
        },
    );
}

#[test]
fn a_ticket_of_one_kind_can_still_be_claimed_after_a_claim_of_the_other() {
    on_both_backings("formats::tickets::a_ticket_of_one_kind_can_still_be_claimed_after_a_claim_of_the_other", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[1][..]).unwrap();
        let ticket = shared.ticket().unwrap();
        assert_eq!(ticket.kind(), Kind::Shared);
        assert!(matches!(ticket.claim_mut(), Err(Error::WrongKind { expected: Kind::SharedMut, found: Kind::Shared })));
        assert_eq!(*ticket.claim().unwrap(), [1]);
        let exclusive: SharedSliceMut<u8> = SharedMut::copy_from(&[2][..]).unwrap();
        let ticket = exclusive.into_ticket().unwrap();
        assert_eq!(ticket.kind(), Kind::SharedMut);
        assert!(matches!(ticket.claim(), Err(Error::WrongKind { expected: Kind::Shared, found: Kind::SharedMut })));
        assert_eq!(*ticket.claim_mut().unwrap(), [2]);
        assert!(matches!(ticket.claim_mut(), Err(Error::AlreadyClaimed { .. })));
        let other: Ticket<str> =
            postcard::from_bytes(&postcard::to_stdvec(&shared.ticket().unwrap()).unwrap()).unwrap();
        assert!(matches!(other.claim(), Err(Error::WrongType { .. })));
        assert!(other.revoke().unwrap());
    });
}

#[test]
fn revoke_takes_a_ticket_back_once_and_a_claimed_one_not_at_all() {
    on_both_backings("formats::tickets::revoke_takes_a_ticket_back_once_and_a_claimed_one_not_at_all", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[1][..]).unwrap();
        let tickets: Vec<Ticket<[u8]>> = (0..100).map(|_| shared.ticket().unwrap()).collect();
        assert_eq!(shared.counts().in_flight, 100);
        for ticket in tickets {
            let copy = Format::Postcard.read::<Ticket<[u8]>>(&Format::Postcard.write(&ticket));
            assert!(ticket.revoke().unwrap());
            assert!(!copy.revoke().unwrap());
        }
        assert_eq!(shared.counts().in_flight, 0);
        let ticket = shared.ticket().unwrap();
        let claimed = ticket.claim().unwrap();
        assert!(!ticket.revoke().unwrap());
        assert_eq!(*claimed, [1]);
        assert_eq!(shared.counts(), Counts { handles: 2, holders: 1, in_flight: 0 });

        // The last that held the value was the ticket.
        let ticket = SharedSliceMut::<u8>::copy_from(&[2][..]).unwrap().into_ticket().unwrap();
        let copy = Format::Json.read::<Ticket<[u8]>>(&Format::Json.write(&ticket));
        assert!(copy.revoke().unwrap());
        assert!(matches!(ticket.claim_mut(), Err(Error::AlreadyClaimed { .. })));
        assert!(!ticket.revoke().unwrap());
    });
}

#[test]
fn a_ticket_that_its_issuer_drops_unsent_is_revoked() {
    on_both_backings("formats::tickets::a_ticket_that_its_issuer_drops_unsent_is_revoked", || {
        let shared: SharedSlice<u8> = Shared::copy_from(&[1][..]).unwrap();
        for _ in 0..100_000 {
            drop(shared.ticket().unwrap());
        }
        assert_eq!(shared.counts().in_flight, 0);
        // Measured and not written is unsent.
        let ticket = shared.ticket().unwrap();
        postcard::experimental::serialized_size(&ticket).unwrap();
        assert!(postcard::to_slice(&ticket, &mut [0; 20]).is_err());
        assert_eq!(shared.counts().in_flight, 1);
        drop(ticket);
        assert_eq!(shared.counts().in_flight, 0);
        // Text is sent.
        let token = shared.ticket().unwrap().into_token();
        assert_eq!(shared.counts().in_flight, 1);
        assert!(SharedSlice::<u8>::from_token(&token).unwrap().ptr_eq(&shared));
        assert_eq!(shared.counts().in_flight, 0);

        let mut places = HashSet::new();
        for _ in 0..300 {
            let value: SharedSliceMut<u8> = SharedMut::new(&(1, 1 << 17)).unwrap();
            places.insert(value.as_ptr() as usize);
            drop(value.into_ticket().unwrap());
        }
        assert!(places.len() < 40, "{} places for values that never lived together", places.len());
    });
}

#[test]
fn claims_and_revocations_at_once_have_one_winner() {
    on_both_backings("formats::tickets::claims_and_revocations_at_once_have_one_winner", || {
        for round in 0..300_u64 {
            let message = {
                let ticket = SharedSliceMut::<u64>::copy_from(&[round][..]).unwrap().into_ticket().unwrap();
                postcard::to_stdvec(&ticket).unwrap()
            };
            let copy = || postcard::from_bytes::<Ticket<[u64]>>(&message).unwrap();
            let winners = thread::scope(|scope| {
                let rivals: Vec<_> = (0..4)
                    .map(|rival| {
                        scope.spawn(move || match rival % 2 {
                            0 => copy().claim_mut().is_ok_and(|value| *value == [round]),
                            _ => copy().revoke().unwrap(),
                        })
                    })
                    .collect();
                rivals.into_iter().filter_map(|rival| rival.join().unwrap().then_some(())).count()
            });
            assert_eq!(winners, 1, "round {round}");
            assert!(matches!(copy().claim_mut(), Err(Error::AlreadyClaimed { .. })));
        }
        // A `Shared` that lives nowhere but in its ticket: whoever is late finds it expired, or joins whoever was not.
        for round in 0..300_u64 {
            let message = {
                let ticket = SharedSlice::<u64>::copy_from(&[round][..]).unwrap().ticket().unwrap();
                postcard::to_stdvec(&ticket).unwrap()
            };
            let copy = || postcard::from_bytes::<Ticket<[u64]>>(&message).unwrap();
            thread::scope(|scope| {
                for rival in 0..4 {
                    scope.spawn(move || match rival {
                        0 => drop(copy().revoke().unwrap()),
                        _ => match copy().claim() {
                            Ok(value) => assert_eq!(*value, [round]),
                            Err(error) => assert!(matches!(error, Error::Expired { .. }), "{error:?}"),
                        },
                    });
                }
            });
            assert!(matches!(copy().claim(), Err(Error::Expired { .. })));
            assert!(!copy().revoke().unwrap());
        }
    });
}
