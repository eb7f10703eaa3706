//! The writable ones: one has it, then another.

use commonage::Config;

use super::*;

#[test]
fn a_file_is_handed_over_there_and_back() {
    const TEST: &str = "files_sent::handed_over::a_file_is_handed_over_there_and_back";
    play(TEST, || {
        let place = Place::new();
        let mut value = created(&place.path, 50_000, 1);
        let mut other = Puppet::new(TEST);
        for round in 0..20u8 {
            value.fill(round);
            let number = other.number(format!("claim_mut {}", value.into_token().unwrap()));
            assert_eq!(other.get(format!("see {number}")), format!("50000x{round}"));
            assert_eq!(other.get(format!("path {number}")), place.path);
            other.get(format!("fill {number} {}", round + 100));
            // As a message, after which the sender drops its handle.
            let json = other.get(format!("serialize {number}"));
            other.get(format!("drop {number}"));
            value = serde_json::from_str(&json).unwrap();
            assert_eq!(*value, [round + 100; 50_000]);
            assert_eq!(value.path(), Some(Path::new(&place.path)));
        }
        let mut value = value.freeze().unwrap().try_into_mut().unwrap();
        value.fill(77);
        drop(value);
        assert_eq!(file::read::<[u8]>(&place.path).unwrap(), [77; 50_000]);
        other.leave();
    });
}

#[test]
fn it_is_claimed_once_by_whomever() {
    const TEST: &str = "files_sent::handed_over::it_is_claimed_once_by_whomever";
    play(TEST, || {
        let place = Place::new();
        let token = created(&place.path, 5000, 1).into_token().unwrap();
        let mut others = [Puppet::new(TEST), Puppet::new(TEST)];
        others.iter_mut().for_each(|other| other.tell(format!("claim_mut {token}")));
        let [first, second] = &mut others;
        let (first_said, second_said) = (first.hear("claim_mut"), second.hear("claim_mut"));
        let (winner, loser, error) = match (first_said, second_said) {
            // It waits for the winner, who does not let it go, until its deadline.
            (Ok(_), Err(error)) => (first, second, error),
            (Err(error), Ok(_)) => (second, first, error),
            other => panic!("one of them claims it: {other:?}"),
        };
        assert!(error.contains("StillHeld") || error.contains("AlreadyClaimed"), "{error}");
        assert_eq!(winner.get("see 0"), "5000x1");
        winner.get("drop 0");
        let error = loser.ask(format!("claim_mut {token}")).unwrap_err();
        assert!(error.contains("AlreadyClaimed"), "{error}");
        assert!(matches!(fault(SharedSliceMut::<u8>::from_token(&token)), FileFault::AlreadyClaimed));
        others.into_iter().for_each(Puppet::leave);
    });
}

#[test]
fn the_receiver_waits_for_the_sender_and_says_when_it_still_holds() {
    const TEST: &str = "files_sent::handed_over::the_receiver_waits_for_the_sender_and_says_when_it_still_holds";
    match role().as_deref() {
        None => {
            child(TEST, "main").run_to_success();
        }
        Some("main") => {
            let place = Place::new();
            let mut other = Puppet::new(TEST);
            other.get(format!("create {} 3000 4", place.path));
            let ticket: Ticket<[u8]> = serde_json::from_str(&other.get("serialize 0")).unwrap();
            Config::new().claim_deadline(std::time::Duration::from_millis(300)).install().unwrap();
            let still_held = fault(ticket.claim_mut());
            assert!(matches!(still_held, FileFault::StillHeld { waited } if waited.as_millis() >= 300), "{still_held}");
            other.get("drop 0");
            assert_eq!(*ticket.claim_mut().unwrap(), [4; 3000]);
            assert!(matches!(fault(ticket.claim_mut()), FileFault::AlreadyClaimed));
            other.leave();
        }
        Some(_) => crate::puppet::obey(TEST),
    }
}

#[test]
fn a_claim_that_waits_gets_it_when_the_sender_drops_it() {
    const TEST: &str = "files_sent::handed_over::a_claim_that_waits_gets_it_when_the_sender_drops_it";
    play(TEST, || {
        let place = Place::new();
        let mut value = created(&place.path, 3000, 4);
        for round in 0..20 {
            let mut message = serde_json::to_string(&value).unwrap();
            // The claim begins before the drop, or after it: both are right.
            let claim = std::thread::spawn(move || serde_json::from_str::<SharedSliceMut<u8>>(&message));
            drop(value);
            value = claim.join().unwrap().unwrap_or_else(|error| panic!("round {round}: {error}"));
            message = serde_json::to_string(&value).unwrap();
            drop(value);
            value = serde_json::from_str(&message).unwrap();
        }
        assert_eq!(*value, [4; 3000]);
    });
}

#[test]
fn a_sender_that_is_killed_before_it_drops_its_handle_has_sent_it() {
    const TEST: &str = "files_sent::handed_over::a_sender_that_is_killed_before_it_drops_its_handle_has_sent_it";
    play(TEST, || {
        let place = Place::new();
        let mut other = Puppet::new(TEST);
        other.get(format!("create {} 3000 4", place.path));
        let json = other.get("serialize 0");
        other.kill();
        let value: SharedSliceMut<u8> = serde_json::from_str(&json).unwrap();
        assert_eq!(*value, [4; 3000]);
    });
}

#[test]
fn on_its_way_it_is_unfinished_for_readers_and_lost_to_a_writer() {
    const TEST: &str = "files_sent::handed_over::on_its_way_it_is_unfinished_for_readers_and_lost_to_a_writer";
    play(TEST, || {
        let place = Place::new();
        let mut other = Puppet::new(TEST);
        other.get(format!("create {} 3000 4", place.path));
        let first = other.get("send 0");
        // SAFETY: nobody changes it.
        let unfinished = fault(unsafe { file::open::<[u8]>(&place.path) });
        assert!(matches!(unfinished, FileFault::Unfinished { process } if process == other.pid), "{unfinished}");
        let value = SharedSliceMut::<u8>::from_token(&first).unwrap();
        assert_eq!(*value, [4; 3000]);
        let second = value.into_token().unwrap();
        other.get(format!("open_mut {}", place.path));
        other.get("fill 1 8");
        other.get("drop 1");
        assert!(matches!(fault(SharedSliceMut::<u8>::from_token(&second)), FileFault::AlreadyClaimed));
        assert_eq!(open(&place.path), [8; 3000], "its new writer has finished it");
        other.leave();
    });
}
