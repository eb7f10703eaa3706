//! Peers that write what they like while the owner works.

use super::*;

/// What is live in this process, by address: nothing is handed out twice.
#[derive(Default)]
struct Live(BTreeMap<usize, (SharedSliceMut<u8>, u8)>);

impl Live {
    fn add(&mut self, value: SharedSliceMut<u8>, tag: u8) {
        let (start, end) = (value.as_ptr().addr(), value.as_ptr().addr() + value.len());
        if let Some((before, (other, _))) = self.0.range(..end).next_back() {
            assert!(
                before + other.len() <= start,
                "handed out twice: {start:x}..{end:x} and {} from {before:x}",
                other.len()
            );
        }
        self.0.insert(start, (value, tag));
    }

    fn remove(&mut self, n: usize) -> Option<SharedSliceMut<u8>> {
        let at = *self.0.keys().nth(n)?;
        let (value, tag) = self.0.remove(&at)?;
        assert!(value.iter().all(|byte| *byte == tag), "somebody else has written");
        Some(value)
    }
}

/// The owner makes, sends and drops values for a while.
fn work(seed: u64, steps: u32, between: impl Fn(&mut Random)) {
    let (mut random, mut live, mut made) = (Random::new(seed), Live::default(), 0);
    for step in 0..steps {
        between(&mut random);
        match random.below(12) {
            0..=5 if live.0.len() < 200 => {
                let len = 1 + match random.below(4) {
                    0 => random.below(128),
                    1 => random.below(4096),
                    _ => random.below(40_000),
                };
                let tag = random.next() as u8;
                if let Ok(value) = SharedSliceMut::<u8>::new(&(tag, len as usize)) {
                    made += 1;
                    live.add(value, tag);
                }
            }
            // On its way, nobody holds it: whatever becomes of it, it is no longer among the live.
            10 => {
                let sent = live.remove(random.below(200) as usize).map(SharedMut::into_token);
                if let Some(Ok(token)) = sent {
                    drop(SharedSliceMut::<u8>::from_token(&token));
                }
            }
            11 if step % 100 == 0 => trim(),
            _ => {
                let count = live.0.len().max(1) as u64;
                drop(live.remove(random.below(count) as usize));
            }
        }
    }
    while live.remove(0).is_some() {}
    assert!(made > steps / 100, "only {made} values could be made in {steps} steps");
}

/// Runs the owner's `work` in a process of its own, with a hostile hand in its control area: at every step, or all the
/// time, from other threads.
fn besieged(test: &str, clear_holds: bool) {
    match role() {
        None => return run_owner(test),
        Some(_) => without_wills().claim_deadline(Duration::from_millis(5)).install().unwrap(),
    }
    let anchor = pool::allocate(64, 1, true, 0, Kind::Shared).unwrap();
    let at = Arc::clone(&anchor.hold().at);
    at.segment.reserve(0..at.segment.control_len()).unwrap();
    let strike = |random: &mut Random| {
        let control = &at.control;
        let blocks = control.layout.blocks;
        let block = random.below(600) as u32;
        let header = control.block(block);
        let any = match random.below(4) {
            0 => random.next(),
            1 => random.below(u64::from(blocks) + 10),
            2 => random.odd(),
            _ => random.below(600),
        };
        match random.below(10) {
            0 => header.word.store(random.odd(), Ordering::SeqCst),
            1 => header.next.store(any, Ordering::SeqCst),
            2 => control.returned().store(any, Ordering::SeqCst),
            3 => {
                header.offset.store(any, Ordering::SeqCst);
                header.length.store(random.odd(), Ordering::SeqCst);
            }
            4 => header.serial.store(any, Ordering::SeqCst),
            5 => {
                let row = control.ticket(random.below(200) as u32);
                match random.below(4) {
                    0 => row.word.store(random.next(), Ordering::SeqCst),
                    1 => row.block.store(any as u32, Ordering::SeqCst),
                    2 => row.signal.store(any as u32, Ordering::SeqCst),
                    _ => row.serial.store(any, Ordering::SeqCst),
                }
            }
            // A block that says that nobody has it, on the stack, alone or in a ring.
            6 | 7 => {
                let other = random.below(600) as u32;
                header.word.store(0, Ordering::SeqCst);
                header.next.store(u64::from(other) + 1, Ordering::SeqCst);
                control.block(other).word.store(0, Ordering::SeqCst);
                control.block(other).next.store(if any % 2 == 0 { u64::from(block) + 1 } else { 0 }, Ordering::SeqCst);
                if clear_holds {
                    for number in [block, other] {
                        let (word, bit) = control.hold_bit(at.slot, number);
                        word.fetch_and(!bit, Ordering::SeqCst);
                    }
                }
                control.returned().store(u64::from(block) + 1, Ordering::SeqCst);
            }
            8 => control.slot(random.below(8) as u32).mark.store(any, Ordering::SeqCst),
            _ => control.raise_blocks_backed(any as u32),
        }
    };
    for seed in 0..4 {
        work(seed, 4000, |random| (0..random.below(4)).for_each(|_| strike(random)));
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for seed in 0..2 {
            let (strike, stop) = (&strike, &stop);
            scope.spawn(move || {
                let mut random = Random::new(seed + 100);
                while !stop.load(Ordering::Relaxed) {
                    strike(&mut random);
                    thread::sleep(Duration::from_micros(random.below(50)));
                }
            });
        }
        let stops = StopOnDrop(&stop);
        for seed in 0..4 {
            work(seed + 200, 4000, |_| ());
        }
        drop(stops);
    });
    println!("done");
}

/// The others end, also after a panic.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_peer_that_overwrites_words_tickets_and_the_returned_stack() {
    besieged("peers::a_peer_that_overwrites_words_tickets_and_the_returned_stack", false);
}

#[test]
fn a_peer_that_clears_the_owners_hold_bits_too() {
    besieged("peers::a_peer_that_clears_the_owners_hold_bits_too", true);
}

#[test]
fn a_block_that_is_held_here_is_not_taken_from_the_returned_stack() {
    let test = "peers::a_block_that_is_held_here_is_not_taken_from_the_returned_stack";
    if role().is_none() {
        return run_owner(test);
    }
    for clear_bit in [false, true] {
        let mut held = Vec::new();
        for _ in 0..50 {
            let part = pool::allocate(10_000, 1, false, 0, Kind::Shared).unwrap();
            let (hold, at) = (part.hold(), &part.hold().at);
            at.control.block(hold.block).word.store(0, Ordering::SeqCst);
            if clear_bit {
                let (word, bit) = at.control.hold_bit(at.slot, hold.block);
                word.fetch_and(!bit, Ordering::SeqCst);
            }
            at.control.block(hold.block).next.store(0, Ordering::SeqCst);
            at.control.returned().store(u64::from(hold.block) + 1, Ordering::SeqCst);
            held.push(part);
        }
        let numbers: BTreeSet<u32> = held.iter().map(|part| part.hold().block).collect();
        assert_eq!(numbers.len(), held.len(), "handed out twice, hold bit cleared: {clear_bit}");
    }
}

#[test]
fn a_stack_of_returned_blocks_with_a_cycle_ends() {
    let test = "peers::a_stack_of_returned_blocks_with_a_cycle_ends";
    if role().is_none() {
        return run_owner(test);
    }
    let anchor = pool::allocate(10_000, 1, false, 0, Kind::Shared).unwrap();
    let at = &anchor.hold().at;
    at.segment.reserve(0..at.segment.control_len()).unwrap();
    let blocks = at.control.layout.blocks;
    let first = anchor.hold().block;
    for (next, top) in [
        (first + 1, u64::from(first) + 1),
        (first + 2, u64::from(first) + 1),
        (first + 1, u64::from(first) + 2),
        (0, u64::from(blocks)),
        (0, u64::from(blocks) + 1),
        (0, u64::from(u32::MAX)),
        (0, u64::from(u32::MAX) + 1),
        (u32::MAX, u64::from(first) + 1),
        (0, u64::MAX),
    ] {
        for block in [first, first + 1] {
            at.control.block(block).next.store(u64::from(next), Ordering::SeqCst);
        }
        at.control.returned().store(top, Ordering::SeqCst);
        let made: Vec<SharedSlice<u8>> = (0..20).map(|_| Shared::new(&(1, 10_000)).unwrap()).collect();
        let places: BTreeSet<usize> = made.iter().map(|value| value.as_ptr().addr()).collect();
        assert_eq!(places.len(), made.len(), "handed out twice");
    }
}

/// A block that is on its way comes back to its owner, whose next value is made of it.
#[test]
fn a_block_is_used_again_where_it_is_whatever_its_header_says() {
    let test = "peers::a_block_is_used_again_where_it_is_whatever_its_header_says";
    if role().is_none() {
        return run_owner(test);
    }
    let allocate = || pool::allocate(100, 1, false, 0, Kind::Shared).unwrap();
    let neighbour = allocate();
    let at = &neighbour.hold().at;
    // Another value's memory, and what is no memory at all.
    for said in [neighbour.hold().offset(), at.segment.data_len()] {
        let part = allocate();
        let (block, offset, locator) = (part.hold().block, part.hold().offset(), part.locator());
        let issued = part.into_issued(Kind::Shared).map_err(|(_, error)| error).unwrap();
        at.control.block(block).offset.store(said as u64, Ordering::SeqCst);
        at.control.block(block).length.store(0, Ordering::SeqCst);
        drop(Source::find(&locator).unwrap().claim(&issued, Kind::Shared, 0, 0, |_| Ok(())).unwrap());
        let next = allocate();
        assert_eq!((next.hold().block, next.hold().offset()), (block, offset));
    }
}

/// What stands in the slot of a process that is dead: where a lock on the slot says who lives, anything does.
fn identity_of_the_dead() -> u64 {
    if sys::anonymous_works() {
        return id().into();
    }
    let number = sys::random_u64().unwrap() >> 8;
    // Nobody has it locked.
    drop(sys::create_private(&sys::named_directory().join(format!("commonage-id-{number:016x}"))).unwrap());
    number
}

#[test]
fn a_dead_peer_that_has_left_rubbish_in_its_row_is_swept() {
    let test = "peers::a_dead_peer_that_has_left_rubbish_in_its_row_is_swept";
    if role().is_none() {
        return run_owner(test);
    }
    const DEAD: u32 = 5;
    let value = SharedSlice::<u8>::new(&(1, 5000)).unwrap();
    let part = pool::allocate(5000, 1, false, 0, Kind::Shared).unwrap();
    let (at, block) = (&part.hold().at, part.hold().block);
    at.segment.reserve(0..at.segment.control_len()).unwrap();
    let control = &at.control;
    // It has a hold, as it may; and bits of blocks that there are not.
    control.block(block).word.fetch_add(1, Ordering::SeqCst);
    let bit_of = |block| control.hold_bit(DEAD, block);
    for block in [block, control.blocks_backed(), control.layout.blocks - 1] {
        let (word, bit) = bit_of(block);
        word.fetch_or(bit, Ordering::SeqCst);
    }
    control.slot(DEAD).mark.store(identity_of_the_dead() << 8 | 1, Ordering::SeqCst);
    assert_eq!(part.counts().holders, 2);
    let swept = sweep();
    assert_eq!((swept.participants, swept.later), (1, 0));
    assert_eq!((part.counts().holders, value.counts().holders), (1, 1));
    assert_eq!(control.slot(DEAD).mark.load(Ordering::SeqCst), 0);
    assert!(
        (0..control.layout.blocks).all(|block| bit_of(block).0.load(Ordering::SeqCst) == 0),
        "the row is not empty"
    );
}
