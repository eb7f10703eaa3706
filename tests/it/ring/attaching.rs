//! What can be attached to, what it is then, and how it ends.

use commonage::{
    Error, RingFault,
    bytemuck::{AnyBitPattern, NoUninit},
    ring::{self, ALIGNMENT, RingError, required_memory},
};

use super::memory::{CONSUMER_KIND, Element, Frame, HEAD, Memory, PRODUCER_CLOSED, PRODUCER_KIND, SLOTS, TAIL};

#[track_caller]
fn fault<S>(result: Result<S, Error>) -> RingFault {
    match result {
        Err(Error::Ring(fault)) => fault,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("an error expected"),
    }
}

#[test]
fn the_capacity_is_the_largest_power_of_two_for_which_there_is_room() {
    fn each_length<T: Element>() {
        for len in 0..SLOTS + 40 * size_of::<T>() {
            let mut memory = Memory::new(len);
            let room = len.saturating_sub(SLOTS) / size_of::<T>();
            if room == 0 {
                let needed = SLOTS + size_of::<T>();
                assert_eq!(fault(memory.producer::<T>()), RingFault::TooShort { found: len, needed });
                assert_eq!(fault(memory.consumer::<T>()), RingFault::TooShort { found: len, needed });
                continue;
            }
            let (producer, consumer) = memory.both::<T>();
            let expected = (0..).map(|power| 1 << power).take_while(|power| *power <= room).last().unwrap();
            assert_eq!((producer.capacity(), consumer.capacity()), (expected, expected), "{len} bytes");
            assert!(required_memory::<T>(expected) <= len && required_memory::<T>(expected + 1) > len);
        }
    }
    each_length::<u8>();
    each_length::<[u16; 3]>();
    each_length::<u64>();
    each_length::<[u8; 24]>();
    each_length::<Frame>();
    assert_eq!(required_memory::<u64>(0), required_memory::<u64>(1));
    assert_eq!(required_memory::<u64>(usize::MAX), usize::MAX);
    assert_eq!(required_memory::<u64>(usize::MAX / 4), usize::MAX);
}

#[test]
fn memory_that_begins_elsewhere_is_misaligned() {
    let mut memory = Memory::of::<u64>(64);
    for offset in (1..ALIGNMENT).chain([ALIGNMENT + 64]) {
        let bytes = memory.from(offset);
        let address = bytes.cast::<u8>().addr().get();
        // SAFETY: the memory is there, and nobody else uses it.
        let result = unsafe { ring::Producer::<u64>::attach(bytes) };
        assert_eq!(fault(result), RingFault::Misaligned { address, alignment: ALIGNMENT });
    }
    let bytes = memory.from(ALIGNMENT);
    // SAFETY: as above.
    assert_eq!(unsafe { ring::Consumer::<u64>::attach(bytes) }.unwrap().capacity(), 32);
}

#[test]
fn an_element_that_is_aligned_to_more_than_a_ring_is_refused() {
    #[derive(Clone, Copy, AnyBitPattern, NoUninit)]
    #[bytemuck(crate = "commonage::bytemuck")]
    #[repr(C, align(256))]
    struct Wide([u8; 256]);
    let refused = |error| matches!(error, Some(Error::Alignment { requested: 256, limit: ALIGNMENT }));
    assert!(refused(Memory::new(4096).producer::<Wide>().err()));
    assert!(refused(ring::split::<Wide>(&mut [0; 4096]).err()));
}

#[test]
fn memory_at_any_address_can_be_split() {
    let mut bytes = vec![7; 4096];
    for skipped in 0..ALIGNMENT {
        let memory = &mut bytes[skipped..];
        memory.fill(skipped as u8);
        let (mut producer, mut consumer) = ring::split::<u16>(memory).unwrap();
        assert_eq!(producer.capacity(), 1024);
        producer.try_push(5).unwrap();
        assert_eq!((consumer.try_pop(), consumer.try_pop()), (Ok(5), Err(RingError::Empty)));
    }
    for len in 0..SLOTS {
        assert!(matches!(fault(ring::split::<u8>(&mut bytes[..len])), RingFault::TooShort { .. }));
    }
}

#[test]
fn sides_that_take_a_ring_for_different_ones_are_told() {
    let mut memory = Memory::of::<u64>(64);
    let producer = memory.producer::<u64>().unwrap();
    assert!(matches!(fault(memory.consumer::<i64>()), RingFault::Kind { expected, found } if expected != found));
    assert!(matches!(fault(memory.consumer::<u32>()), RingFault::Kind { .. }));
    assert!(matches!(fault(memory.consumer::<[u32; 2]>()), RingFault::Kind { .. }));
    let half = SLOTS + 63 * 8;
    let bytes = std::ptr::NonNull::slice_from_raw_parts(memory.bytes().cast(), half);
    // SAFETY: it is a part of the memory.
    assert!(matches!(fault(unsafe { ring::Consumer::<u64>::attach(bytes) }), RingFault::Kind { .. }));
    assert_eq!(memory.word(CONSUMER_KIND), 0, "who was told has not attached");
    drop(memory.consumer::<u64>().unwrap());
    drop(producer);
    // Nobody is left who takes it for anything.
    assert_eq!((memory.word(PRODUCER_KIND), memory.word(PRODUCER_CLOSED)), (0, 1));
    assert_eq!(memory.both::<i64>().0.capacity(), 64);
}

#[test]
fn indices_that_can_not_be_are_refused() {
    for (head, ahead) in [(0, 65), (0, u64::MAX), (u64::MAX, 65), (1 << 63, 1 << 63), (7, 1 << 32)] {
        let mut memory = Memory::of::<u8>(64);
        let tail = u64::wrapping_add(head, ahead);
        memory.set(HEAD, head);
        memory.set(TAIL, tail);
        let expected = RingFault::Indices { head, tail, capacity: 64 };
        assert_eq!(fault(memory.producer::<u8>()), expected);
        assert_eq!(fault(memory.consumer::<u8>()), expected);
        assert_eq!((memory.word(PRODUCER_KIND), memory.word(CONSUMER_KIND)), (0, 0));
    }
    for ahead in [0, 1, 64] {
        let mut memory = Memory::of::<u8>(64).beginning_at(u64::MAX - 10);
        memory.set(TAIL, (u64::MAX - 10).wrapping_add(ahead));
        let (mut producer, mut consumer) = memory.both::<u8>();
        assert_eq!(producer.slots(), Ok(64 - ahead as usize));
        assert_eq!(consumer.slots(), if ahead == 0 { Ok(0) } else { Ok(ahead as usize) });
    }
}

#[test]
fn the_end_of_the_producer_is_told_when_nothing_is_left() {
    let mut memory = Memory::of::<u64>(4);
    let (mut producer, mut consumer) = memory.both::<u64>();
    producer.try_push_slice(&[1, 2, 3]).unwrap();
    assert!(!consumer.is_closed());
    drop(producer);
    assert!(consumer.is_closed());
    assert_eq!(consumer.read_chunk(4).err(), Some(RingError::Closed), "a fourth will never come");
    assert_eq!(consumer.read_chunk(5).err(), Some(RingError::TooMany { capacity: 4 }));
    assert_eq!((consumer.slots(), consumer.try_pop()), (Ok(3), Ok(1)));
    assert_eq!(consumer.try_pop_slice(&mut [0; 4]), Ok(2));
    assert_eq!(consumer.slots(), Err(RingError::Closed));
    assert_eq!(consumer.try_pop(), Err(RingError::Closed));
    assert_eq!(consumer.try_pop_slice(&mut [0; 4]), Err(RingError::Closed));
    assert_eq!(consumer.try_pop_slice(&mut []), Ok(0));
    let mut producer = memory.producer::<u64>().unwrap();
    assert!(!consumer.is_closed());
    assert_eq!(consumer.try_pop(), Err(RingError::Empty));
    producer.try_push(4).unwrap();
    assert_eq!(consumer.try_pop(), Ok(4));
}

#[test]
fn the_end_of_the_consumer_is_told_when_the_ring_seems_full() {
    let mut memory = Memory::of::<u64>(4);
    let (mut producer, mut consumer) = memory.both::<u64>();
    producer.try_push_slice(&[1, 2, 3]).unwrap();
    assert_eq!(consumer.try_pop(), Ok(1));
    drop(consumer);
    assert!(producer.is_closed());
    assert_eq!(producer.try_push(4), Ok(()), "it has not looked");
    for _ in 0..3 {
        assert_eq!(producer.try_push(5), Err(RingError::Closed), "and pushes nothing after it was told");
    }
    assert_eq!(producer.try_push_slice(&[5]), Err(RingError::Closed));
    assert_eq!(producer.write_chunk(1).err(), Some(RingError::Closed));
    assert_eq!(producer.slots(), Err(RingError::Closed));
    let mut consumer = memory.consumer::<u64>().unwrap();
    assert_eq!(producer.try_push(5), Ok(()));
    let mut into = [0; 9];
    assert_eq!(consumer.try_pop_slice(&mut into), Ok(4));
    assert_eq!(into[..4], [2, 3, 4, 5]);
}

#[test]
fn a_chunk_does_what_it_says_or_panics() {
    let panics = |run: &mut dyn FnMut()| {
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err());
    };
    let mut memory = Memory::of::<u64>(4);
    let (mut producer, mut consumer) = memory.both::<u64>();
    panics(&mut || producer.write_chunk(2).unwrap().set(2, 0));
    panics(&mut || producer.write_chunk(2).unwrap().copy_from_slice(&[0; 3]));
    panics(&mut || producer.write_chunk(2).unwrap().commit(3));
    panics(&mut || producer.write_chunk(2).unwrap().commit_quietly(3));
    panics(&mut || assert_eq!(producer.write_chunk(2).unwrap().fill_from_iter((0..2).map(|n| 1 / n)), 0));
    assert_eq!(consumer.slots(), Ok(0), "nothing was pushed");
    producer.try_push_slice(&[1, 2]).unwrap();
    panics(&mut || consumer.read_chunk(2).unwrap().copy_to_slice(&mut [0; 3]));
    panics(&mut || assert!(consumer.read_chunk(2).unwrap().copy_to_uninit(&mut Box::new_uninit_slice(1)).is_empty()));
    panics(&mut || consumer.read_chunk(2).unwrap().commit(3));
    assert_eq!((consumer.try_pop(), producer.slots()), (Ok(1), Ok(3)), "nothing was popped");
}
