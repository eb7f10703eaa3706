//! In one process: what is never sent, what is taken back, and what handles on files are besides.

use std::{
    io::{self, Write},
    iter,
};

use commonage::{Counts, Kind};
use serde::Serialize;

use super::*;

fn text(error: &impl ToString) -> String {
    error.to_string()
}

#[test]
fn handles_on_files_are_cut_cloned_and_put_together_as_any_other() {
    let place = Place::new();
    let mut value = created(&place.path, 1000, 0);
    let mut parts = {
        let tail = value.split_off(600);
        let middle = value.split_off(300);
        assert_eq!(value.counts(), Counts { handles: 3, holders: 1, in_flight: 0 });
        vec![tail, value, middle]
    };
    parts.iter_mut().zip(1..).for_each(|(part, number)| part.fill(number));
    let refused = parts.pop().unwrap().freeze().unwrap_err();
    assert!(matches!(refused.reason, Error::NotAlone(Counts { handles: 3, .. })), "{refused}");
    parts.push(refused.handle);
    let lost = parts.pop().unwrap();
    let refused = SharedSliceMut::unsplit_all(parts).unwrap_err();
    let Error::Missing { missing, length: 1000 } = &refused.reason else { panic!("{refused}") };
    assert!(missing.iter().eq(iter::once(&(300..600))));
    let whole = SharedSliceMut::unsplit_all(refused.handle.into_iter().chain([lost])).unwrap();
    assert_eq!((whole[0], whole[300], whole[600]), (2, 3, 1));

    let value = whole.freeze().unwrap();
    let copies: Vec<_> = (0..5).map(|_| value.clone()).collect();
    assert!(copies.iter().all(|copy| copy.ptr_eq(&value)));
    assert_eq!(value.counts(), Counts { handles: 6, holders: 1, in_flight: 0 });
    let part = value.slice(250..350);
    assert_eq!(part.slice(40..60)[..], [[2; 10], [3; 10]].concat());
    let shown = format!("{value:?}");
    assert!(shown.contains("value") && shown.contains("1000") && !shown.contains("segment"), "{shown}");
    assert!(matches!(value.try_into_mut().unwrap_err().reason, Error::NotAlone(Counts { handles: 7, .. })));
    drop((copies, part));
    assert_eq!(file::read::<[u8]>(&place.path).unwrap()[599..601], [3, 1]);
}

#[test]
fn parts_of_different_files_are_not_put_together() {
    let places = [Place::new(), Place::new()];
    let [one, other] = [0, 1].map(|index| created(&places[index].path, 100, 1));
    let refused = one.unsplit(other).unwrap_err();
    let Error::OtherFile { path: Some(one), other_path: Some(other) } = &refused.reason else { panic!("{refused}") };
    assert_eq!([one, other].map(|path| path.to_str().unwrap()), [0, 1].map(|index| &places[index].path[..]));
    let (one, _) = refused.handle;
    let refused = SharedMut::<[u8]>::zeroed(100).unwrap().unsplit(one).unwrap_err();
    assert!(matches!(&refused.reason, Error::OtherFile { path: None, other_path: Some(_) }), "{refused}");
    assert!(text(&refused.reason).contains("in memory"), "{}", refused.reason);
}

#[test]
fn what_can_not_be_sent_says_why_and_stays() {
    let place = Place::new();
    let not_sent = |value: SharedSliceMut<u8>, why: &str| {
        let refused = value.into_ticket().unwrap_err();
        assert!(text(&refused.reason).contains(why), "{why}: {}", refused.reason);
        assert!(matches!(&refused.reason, Error::File { fault: FileFault::NotSent { .. }, .. }), "{refused}");
        let error = serde_json::to_string(&refused.handle).unwrap_err();
        assert!(text(&error).contains(why), "{error}");
        assert_eq!(refused.handle[0], 7, "it has not been marked");
        assert!(matches!(fault(refused.handle.into_token()), FileFault::NotSent { .. }));
    };
    not_sent(file::anonymous::<[u8]>(&(7, 100)).unwrap(), "without a file");
    file::write(&place.path, &[7u8; 100][..]).unwrap();
    // SAFETY: nobody changes it.
    not_sent(unsafe { file::open_private(&place.path) }.unwrap(), "copy");
    let mut whole = open_mut(&place.path);
    not_sent(whole.split_off(50), "part");
    not_sent(whole, "part");
    assert_eq!(open(&place.path), [7; 100]);

    // What has no header can be sent to be read, not to be written.
    fs::write(&place.path, [7; 100]).unwrap();
    // SAFETY: nobody changes it.
    let foreign = unsafe { file::options::<[u8]>().raw().open_mut(&place.path) }.unwrap();
    not_sent(foreign, "header");
    // SAFETY: as above.
    let foreign = unsafe { file::options::<[u8]>().raw().open_mut(&place.path) }.unwrap().freeze().unwrap();
    let token = foreign.into_token().unwrap();
    assert_eq!(SharedSlice::<u8>::from_token(&token).unwrap(), [7; 100]);
}

/// Takes so many bytes, and then refuses.
struct Short<'a> {
    room: usize,
    taken: &'a mut Vec<u8>,
}

impl Write for Short<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(self.room);
        if len == 0 {
            return Err(io::Error::other("full"));
        }
        self.room -= len;
        self.taken.extend(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What comes after the value makes the serializer fail: the token has left.
#[derive(Serialize)]
struct Torn<'a>(&'a SharedSliceMut<u8>);

#[test]
fn what_is_dropped_without_having_left_is_taken_back() {
    let place = Place::new();
    let value = created(&place.path, 100, 7);
    let whole = serde_json::to_vec(&value).unwrap();
    drop(value);
    let value: SharedSliceMut<u8> = serde_json::from_slice(&whole).unwrap();

    // All of the token is out but the last byte, the quotation mark: it could be put together.
    let mut taken = Vec::new();
    let result = serde_json::to_writer(Short { room: whole.len() - 1, taken: &mut taken }, &Torn(&value));
    assert!(result.is_err());
    drop(value);
    let token = String::from_utf8(taken).unwrap();
    assert_eq!(token.len(), whole.len() - 1);
    let token = token.trim_matches('"');
    assert!(matches!(fault(SharedSliceMut::<u8>::from_token(token)), FileFault::AlreadyClaimed));
    assert_eq!(*open(&place.path), [7; 100], "nothing is unfinished");

    // Likewise where the handle goes in the same step.
    let mut taken = Vec::new();
    let mut serializer = serde_json::Serializer::new(Short { room: whole.len() - 1, taken: &mut taken });
    assert!(open_mut(&place.path).into_serialized(&mut serializer).is_err());
    let token = String::from_utf8(taken).unwrap();
    let token = token.trim_matches('"');
    assert!(matches!(fault(SharedSliceMut::<u8>::from_token(token)), FileFault::AlreadyClaimed));

    // And where it is only measured, nothing has happened.
    let mut value = open_mut(&place.path);
    let size = postcard::experimental::serialized_size(&value).unwrap();
    value[0] = 8;
    assert_eq!(postcard::to_stdvec(&value).unwrap().len(), size);
    drop(value);
}

#[test]
fn one_that_has_been_serialized_is_not_looked_at_and_emits_the_same_again() {
    let place = Place::new();
    let value = created(&place.path, 100, 7);
    let message = postcard::to_stdvec(&value).unwrap();
    assert_eq!(postcard::to_stdvec(&value).unwrap(), message);
    assert!(matches!(value.flush(), Err(Error::Serialized)));
    assert!(matches!(value.flush_range(0..1), Err(Error::Serialized)));
    assert!(matches!(value.advise(file::Advice::Random), Err(Error::Serialized)));
    assert_eq!(value.path(), Some(Path::new(&place.path)));
    assert!(format!("{value:?}").contains("serialized"));
    let refused = value.freeze().unwrap_err();
    assert!(matches!(refused.reason, Error::Serialized));
    drop(refused);
    let mut value: SharedSliceMut<u8> = postcard::from_bytes(&message).unwrap();
    value.flush_range(10..20).unwrap();
    value.flush_range(100..100).unwrap();
    assert!(matches!(value.flush_range(10..101), Err(Error::Range { start: 10, end: 101, length: 100 })));
    value[0] = 1;
    value.flush_async().unwrap();
    value.flush().unwrap();
}

#[test]
fn a_ticket_of_a_file_to_be_read_is_as_good_as_the_file() {
    let place = Place::new();
    let value = bytes_in(&place.path, 100, 7);
    let ticket = value.ticket().unwrap();
    assert_eq!(ticket.kind(), Kind::Shared);
    assert!(format!("{ticket:?}").contains("value"), "{ticket:?}");
    let copy = Ticket::<[u8]>::from_token(&value.ticket().unwrap().into_token()).unwrap();
    drop(ticket);
    drop(value);
    assert_eq!(copy.claim().unwrap(), [7; 100]);
    assert_eq!(copy.claim().unwrap(), [7; 100]);
    assert!(matches!(copy.claim_mut(), Err(Error::WrongKind { expected: Kind::SharedMut, found: Kind::Shared })));
    let again = Ticket::<[u8]>::from_token(&copy.claim().unwrap().into_token().unwrap()).unwrap();
    assert!(!copy.revoke().unwrap(), "there is nothing to take back");
    assert_eq!(again.claim().unwrap(), [7; 100]);
}

#[test]
fn a_ticket_of_a_file_to_be_written_is_claimed_or_taken_back() {
    let place = Place::new();
    let copy = |ticket: &Ticket<[u8]>| postcard::from_bytes::<Ticket<[u8]>>(&postcard::to_stdvec(ticket).unwrap());
    let ticket = created(&place.path, 100, 7).into_ticket().unwrap();
    assert_eq!(ticket.kind(), Kind::SharedMut);
    let sent = copy(&ticket).unwrap();
    let token_len = ticket.into_token().len();
    let value = sent.claim_mut().unwrap();
    assert!(matches!(fault(sent.claim_mut()), FileFault::AlreadyClaimed | FileFault::StillHeld { .. }));

    // An original that is dropped unsent: of its token all is known but the quotation mark at its end.
    let unsent = value.into_ticket().unwrap();
    let mut taken = Vec::new();
    assert!(serde_json::to_writer(Short { room: token_len + 1, taken: &mut taken }, &unsent).is_err());
    drop(unsent);
    let token = String::from_utf8(taken).unwrap();
    let late = Ticket::<[u8]>::from_token(token.trim_matches('"')).unwrap();
    assert!(matches!(fault(late.claim_mut()), FileFault::AlreadyClaimed));

    // One that is taken back after it was sent.
    let value = open_mut(&place.path);
    assert_eq!(*value, [7; 100]);
    let ticket = value.into_ticket().unwrap();
    let sent = copy(&ticket).unwrap();
    assert!(ticket.revoke().unwrap());
    assert!(matches!(fault(sent.claim_mut()), FileFault::AlreadyClaimed));
    assert!(!sent.revoke().unwrap());
    assert_eq!(open(&place.path), [7; 100], "it has been finished");

    // The claim by whom it has gone out from.
    let ticket = open_mut(&place.path).into_ticket().unwrap();
    assert_eq!(*ticket.claim_mut().unwrap(), [7; 100]);
}

#[test]
fn one_range_of_a_file_without_a_header_is_claimed_as_each_type_that_it_is_open_as() {
    let place = Place::new();
    fs::write(&place.path, [7; 64]).unwrap();
    // SAFETY: nobody changes it.
    let bytes = unsafe { file::options::<[u8]>().raw().open(&place.path) }.unwrap();
    // SAFETY: as above.
    let words = unsafe { file::options::<[u32]>().raw().open(&place.path) }.unwrap();
    let tokens = [bytes.clone().into_token().unwrap(), words.clone().into_token().unwrap()];
    let received = SharedSlice::<u8>::from_token(&tokens[0]).unwrap();
    assert!(received == [7; 64] && received.ptr_eq(&bytes), "mapped once");
    let received = SharedSlice::<u32>::from_token(&tokens[1]).unwrap();
    assert!(received == [0x0707_0707; 16] && received.ptr_eq(&words), "mapped once");
}

#[test]
fn a_slice_in_a_file_does_not_leave_it_to_grow() {
    let place = Place::new();
    let mut value = created(&place.path, 100, 7);
    value.resize(50, 0).unwrap();
    value.resize(100, 8).unwrap();
    assert!(matches!(value.resize(101, 0), Err(Error::TooLarge { requested: 101, limit: 100 })));
    assert_eq!((value.len(), value[49], value[50]), (100, 7, 8));
    assert!(value.path().is_some());
}

#[test]
fn a_value_in_the_pool_has_no_file() {
    let mut value = SharedMut::<[u8]>::zeroed(100).unwrap();
    assert_eq!(value.path(), None);
    value.flush().unwrap();
    value.flush_async().unwrap();
    value.flush_range(0..100).unwrap();
    assert!(matches!(value.flush_range(0..101), Err(Error::Range { .. })));
    value.advise(file::Advice::Sequential).unwrap();
    value[0] = 1;
    let value = value.freeze().unwrap();
    assert_eq!(value.path(), None);
    value.advise(file::Advice::WillNeed).unwrap();
    value.lock_in_memory().unwrap();
    value.unlock_from_memory().unwrap();
    assert!(format!("{value:?}").contains("segment"));
}

#[test]
fn advice_and_a_lock_in_memory_change_nothing_that_is_seen() {
    let place = Place::new();
    let value = bytes_in(&place.path, 10_000, 7);
    for advice in [file::Advice::Random, file::Advice::Sequential, file::Advice::WillNeed, file::Advice::Normal] {
        value.slice(100..9000).advise(advice).unwrap();
    }
    value.lock_in_memory().unwrap();
    assert_eq!(value, [7; 10_000]);
    value.unlock_from_memory().unwrap();
    assert_eq!(value, [7; 10_000]);
}
