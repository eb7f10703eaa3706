//! The numbers of a process's pool.

use commonage::{Shared, SharedMut, SharedSlice, SharedSliceMut, Stats, stats, trim};

use crate::{
    puppet::Puppet,
    scene::{BOTH, nobody_else, scene},
    support::{PUNCHES, on_both_backings},
};

fn shared(len: usize) -> SharedSlice<u8> {
    Shared::new(&(1, len)).unwrap()
}

fn blocks_live_tickets() -> (usize, u64, usize) {
    let Stats { blocks, live, tickets, .. } = stats();
    (blocks, live, tickets)
}

#[test]
fn a_process_that_has_made_nothing_has_nothing() {
    on_both_backings("stats::a_process_that_has_made_nothing_has_nothing", || {
        assert_eq!(stats(), Stats::default());
        commonage::sweep();
        trim();
        assert_eq!(stats(), Stats::default());
    });
}

#[test]
fn every_make_drop_and_send_is_counted() {
    on_both_backings("stats::every_make_drop_and_send_is_counted", || {
        let small = shared(100);
        assert_eq!(blocks_live_tickets(), (1, 128, 0));
        let kilobyte = shared(1000);
        assert_eq!(blocks_live_tickets(), (2, 128 + 1024, 0));
        let page = shared(4096);
        assert_eq!(blocks_live_tickets(), (3, 128 + 1024 + 4096, 0));
        let pages = shared(5000);
        assert_eq!(blocks_live_tickets(), (4, 128 + 1024 + 4096 + 8192, 0));
        assert_eq!((stats().segments, stats().participants), (1, 1));
        // Handles and parts are not values.
        let (again, part) = (pages.clone(), pages.slice(1..2));
        assert_eq!(stats().blocks, 4);
        drop(pages);
        assert_eq!(stats().blocks, 4);
        drop((again, part));
        assert_eq!(blocks_live_tickets(), (3, 128 + 1024 + 4096, 0));
        // Messages.
        let ticket = small.ticket().unwrap();
        let token = kilobyte.clone().into_token().unwrap();
        let gone = page.into_token().unwrap();
        assert_eq!(blocks_live_tickets(), (3, 128 + 1024 + 4096, 3));
        drop(ticket);
        assert_eq!(stats().tickets, 2);
        let claimed = SharedSlice::<u8>::from_token(&token).unwrap();
        assert_eq!(blocks_live_tickets(), (3, 128 + 1024 + 4096, 1));
        drop((kilobyte, claimed));
        assert_eq!(blocks_live_tickets(), (2, 128 + 4096, 1));
        let page = SharedSlice::<u8>::from_token(&gone).unwrap();
        assert_eq!(blocks_live_tickets(), (2, 128 + 4096, 0));
        drop((small, page));
        assert_eq!(blocks_live_tickets(), (0, 0, 0));
        assert_eq!((stats().segments, stats().participants), (1, 1));
    });
}

#[test]
fn a_serialized_exclusive_value_is_one_message_until_it_is_claimed() {
    on_both_backings("stats::a_serialized_exclusive_value_is_one_message_until_it_is_claimed", || {
        let value: SharedSliceMut<u8> = SharedMut::new(&(1, 3000)).unwrap();
        let message = postcard::to_stdvec(&value).unwrap();
        assert_eq!(postcard::to_stdvec(&value).unwrap(), message);
        assert_eq!(blocks_live_tickets(), (1, 3072, 1));
        drop(value);
        assert_eq!(blocks_live_tickets(), (1, 3072, 1));
        let value: SharedSliceMut<u8> = postcard::from_bytes(&message).unwrap();
        assert_eq!(blocks_live_tickets(), (1, 3072, 0));
        let value = value.freeze().unwrap();
        assert_eq!(blocks_live_tickets(), (1, 3072, 0));
        drop(value);
        assert_eq!(blocks_live_tickets(), (0, 0, 0));
    });
}

#[test]
fn what_is_reserved_is_live_or_warm() {
    on_both_backings("stats::what_is_reserved_is_live_or_warm", || {
        let holds = |what: &str| {
            let stats = stats();
            assert!(stats.live + stats.warm <= stats.reserved, "{what}: {stats:?}");
            stats
        };
        let values: Vec<_> = (0..10).map(|i| shared(4096 << i)).collect();
        let full = holds("full");
        assert_eq!(full.live, (0..10).map(|i| 4096 << i).sum::<u64>());
        // What small blocks leave of their pages is neither, and there are none.
        assert_eq!(full.live + full.warm, full.reserved, "{full:?}");
        drop(values);
        let warm = holds("warm");
        assert_eq!((warm.live, warm.warm, warm.reserved), (0, full.reserved, full.reserved));
        // Warm memory is used again.
        let value = shared(4096 << 9);
        let again = holds("again");
        assert_eq!((again.live, again.reserved), (4096 << 9, full.reserved));
        drop(value);
        trim();
        let trimmed = holds("trimmed");
        assert_eq!((trimmed.live, trimmed.warm), (0, trimmed.reserved), "{trimmed:?}");
        assert!(trimmed.reserved == 0 || !PUNCHES, "{trimmed:?}");
    });
}

#[test]
fn small_values_are_counted_wherever_they_are_cached() {
    on_both_backings("stats::small_values_are_counted_wherever_they_are_cached", || {
        let values: Vec<_> = (0..1000).map(|_| shared(100)).collect();
        assert_eq!(blocks_live_tickets(), (1000, 128_000, 0));
        // Dropped in threads that keep what they have freed.
        let halves: Vec<Vec<_>> = values.chunks(500).map(<[_]>::to_vec).collect();
        drop(values);
        halves.into_iter().for_each(|half| std::thread::spawn(move || drop(half)).join().unwrap());
        let stats = stats();
        assert_eq!((stats.blocks, stats.live), (0, 0));
        assert!(stats.warm <= stats.reserved && stats.reserved >= 128_000, "{stats:?}");
    });
}

#[test]
fn each_segment_is_counted_until_it_is_retired() {
    on_both_backings("stats::each_segment_is_counted_until_it_is_retired", || {
        let first = shared(10 << 20);
        let second = shared(10 << 20);
        assert_eq!((stats().segments, stats().participants), (2, 2));
        // It is a third of the largest segment that others use: it has one for itself.
        let third: SharedSliceMut<u8> = SharedSliceMut::zeroed(600 << 20).unwrap();
        assert_eq!((stats().segments, stats().participants), (3, 3));
        assert_eq!(stats().live, 620 << 20);
        drop(third);
        trim();
        assert_eq!((stats().segments, stats().live), (2, 20 << 20));
        drop((first, second));
        trim();
        assert_eq!((stats().segments, stats().participants), (1, 1));
        assert!(stats().reserved == 0 || !PUNCHES);
    });
}

#[test]
fn pools_of_two_processes_do_not_see_each_others_values() {
    const TEST: &str = "stats::pools_of_two_processes_do_not_see_each_others_values";
    let main = || {
        let mine = shared(5000);
        let mut other = Puppet::new(TEST);
        other.get("make 100 2");
        other.get("make 6000 3");
        assert_eq!((stats().blocks, other.number("blocks")), (1, 2));
        // Whoever holds a value, it is its owner's.
        let token = other.get("send 1");
        assert_eq!((other.number("blocks"), other.number("tickets")), (2, 1));
        let theirs = SharedSlice::<u8>::from_token(&token).unwrap();
        assert_eq!((stats().blocks, stats().live, stats().participants), (1, 8192, 1));
        assert_eq!((other.number("blocks"), other.number("tickets"), other.number("participants")), (2, 0, 2));
        assert_eq!(other.number("live"), 128 + 8192);
        // Sent on by this process, it is still a message of the owner's pool.
        let token = theirs.into_token().unwrap();
        assert_eq!((stats().tickets, other.number("tickets")), (0, 1));
        other.get(format!("claim {token}"));
        other.get("drop 2");
        assert_eq!((other.number("blocks"), other.number("live")), (1, 128));
        drop(mine);
        assert_eq!((stats().blocks, stats().participants), (0, 1));
    };
    scene(TEST, BOTH, main, nobody_else);
}
