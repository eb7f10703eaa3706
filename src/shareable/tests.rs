//! What tells types apart, what is synchronized, and what is seen of a value.

use std::{
    cell::UnsafeCell,
    mem::MaybeUninit,
    num::{NonZero, Wrapping},
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering},
    thread,
};

use super::{Fields, Observed, Shareable, Synchronized};

crate::shareable! {
    struct Plain {
        small: u8,
        large: u64,
    }

    struct Atomic {
        small: AtomicU8,
        large: AtomicUsize,
        flags: [AtomicBool; 4],
    }

    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Tuple(u8, u32, [Wrapping<u16>; 2]);

    struct Mixed {
        plain: Plain,
        atomic: Atomic,
    }

    #[repr(align(64))]
    struct Line(u8);
}

/// Two that are alike, and some that differ from them in one thing each.
mod alike {
    crate::shareable! {
        pub(super) struct Sample { pub(super) at: u64, value: f32, count: u32 }
    }
}
mod same {
    crate::shareable! {
        struct Sample { pub at: u64, pub(crate) value: f32, count: u32 }
    }
    pub(super) const FINGERPRINT: u64 = <Sample as crate::Shareable>::FINGERPRINT;
}
mod other {
    use crate::Shareable;
    crate::shareable! {
        struct Other { at: u64, value: f32, count: u32 }
    }
    pub(super) const NAME: u64 = Other::FINGERPRINT;
    pub(super) mod order {
        crate::shareable! { struct Sample { at: u64, count: u32, value: f32 } }
        pub(in super::super) const FINGERPRINT: u64 = <Sample as crate::Shareable>::FINGERPRINT;
    }
    pub(super) mod field {
        crate::shareable! { struct Sample { at: u64, value: f32, number: u32 } }
        pub(in super::super) const FINGERPRINT: u64 = <Sample as crate::Shareable>::FINGERPRINT;
    }
    pub(super) mod kind {
        crate::shareable! { struct Sample { at: u64, value: f32, count: i32 } }
        pub(in super::super) const FINGERPRINT: u64 = <Sample as crate::Shareable>::FINGERPRINT;
    }
    pub(super) mod alignment {
        crate::shareable! { #[repr(align(16))] struct Sample { at: u64, value: f32, count: u32 } }
        pub(in super::super) const FINGERPRINT: u64 = <Sample as crate::Shareable>::FINGERPRINT;
    }
    pub(super) mod tuple {
        crate::shareable! { struct Sample(u64, f32, u32); }
        pub(in super::super) const FINGERPRINT: u64 = <Sample as crate::Shareable>::FINGERPRINT;
    }
    pub(super) mod nested {
        crate::shareable! {
            struct Rest { value: f32, count: u32 }
            struct Sample { at: u64, rest: Rest }
        }
        pub(in super::super) const FINGERPRINT: u64 = <Sample as crate::Shareable>::FINGERPRINT;
    }
}

#[test]
fn structs_that_are_alike_have_the_same_fingerprint_and_others_have_not() {
    let sample = alike::Sample::FINGERPRINT;
    assert_eq!(sample, same::FINGERPRINT);
    let mut all = vec![
        sample,
        other::NAME,
        other::order::FINGERPRINT,
        other::field::FINGERPRINT,
        other::kind::FINGERPRINT,
        other::alignment::FINGERPRINT,
        other::tuple::FINGERPRINT,
        other::nested::FINGERPRINT,
    ];
    let number = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), number);
}

#[test]
fn types_of_the_same_size_have_different_fingerprints() {
    let mut all = vec![
        u32::FINGERPRINT,
        i32::FINGERPRINT,
        f32::FINGERPRINT,
        char::FINGERPRINT,
        AtomicU32::FINGERPRINT,
        Wrapping::<u32>::FINGERPRINT,
        MaybeUninit::<u32>::FINGERPRINT,
        <[u32; 1]>::FINGERPRINT,
        <[u8; 4]>::FINGERPRINT,
        <[[u8; 2]; 2]>::FINGERPRINT,
        <[[u8; 1]; 4]>::FINGERPRINT,
        <[u16; 2]>::FINGERPRINT,
        bool::FINGERPRINT,
        u8::FINGERPRINT,
        <[u8; 0]>::FINGERPRINT,
        <[u16; 0]>::FINGERPRINT,
        <[u8; 2]>::FINGERPRINT,
        <[u8; 3]>::FINGERPRINT,
    ];
    let number = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), number);
}

#[test]
fn fingerprints_are_the_same_in_every_build() {
    // Written down once: programs that were built years apart compare these.
    let found = [u32::FINGERPRINT, <[AtomicU32; 3]>::FINGERPRINT, Line::FINGERPRINT];
    assert_eq!(found, [0x98aa_0963_d256_3300, 0xb7b4_34f0_2722_1802, 0x6506_a29a_467b_83c0], "{found:#x?}");
}

/// Whether a type is something, by which of two methods is found first.
macro_rules! is {
    ($trait:path: $type:ty) => {{
        struct Probe<T>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "one of the two")]
        trait Otherwise {
            const IS: bool = false;
        }
        impl<T> Otherwise for Probe<T> {}
        #[allow(dead_code, reason = "one of the two")]
        impl<T: $trait> Probe<T> {
            const IS: bool = true;
        }
        <Probe<$type>>::IS
    }};
}

#[test]
fn a_struct_is_synchronized_if_all_its_fields_are() {
    const {
        assert!(is!(Synchronized: AtomicU8));
        assert!(is!(Synchronized: [AtomicBool; 4]));
        assert!(is!(Synchronized: Atomic));
        assert!(!is!(Synchronized: u8));
        assert!(!is!(Synchronized: [u8; 4]));
        assert!(!is!(Synchronized: MaybeUninit<AtomicU8>));
        assert!(!is!(Synchronized: Plain));
        assert!(!is!(Synchronized: Mixed));
        assert!(is!(Sync: Mixed));
    }
}

#[test]
fn what_has_no_value_of_zeroes_is_not_shareable() {
    const {
        assert!(!is!(Shareable: NonZero<u32>));
        assert!(!is!(Shareable: Option<NonZero<u32>>));
        assert!(!is!(Shareable: std::ptr::NonNull<u8>));
    }
}

#[test]
fn the_layout_is_that_of_c() {
    assert_eq!((size_of::<Plain>(), std::mem::offset_of!(Plain, large)), (16, align_of::<u64>()));
    assert_eq!(std::mem::offset_of!(Tuple, 1), 4);
    assert_eq!((size_of::<Line>(), align_of::<Line>()), (64, 64));
}

/// As it would be in memory that others write.
fn observed<T>(value: &UnsafeCell<T>) -> &Observed<T> {
    // SAFETY: it lives as long as the reference, and is aligned.
    unsafe { Observed::from_ptr(value.get()) }
}

#[test]
fn each_field_and_each_element_is_seen_where_it_is() {
    let value = UnsafeCell::new(Mixed {
        plain: Plain { small: 7, large: 1 << 40 },
        atomic: Atomic { small: 0.into(), large: 0.into(), flags: [const { AtomicBool::new(false) }; 4] },
    });
    let seen = observed(&value);
    let Mixed { atomic, .. } = {
        // SAFETY: what is done by it are atomic stores.
        unsafe { &*value.get() }
    };
    atomic.large.store(5, Ordering::Relaxed);
    atomic.flags[2].store(true, Ordering::Relaxed);
    let fields = seen.fields();
    assert_eq!(fields.atomic.fields().large.load(), 5);
    assert_eq!(fields.atomic.fields().small.load(), 0);
    let flags = fields.atomic.fields().flags;
    assert_eq!(flags.iter().map(|flag| flag.load()).collect::<Vec<_>>(), [false, false, true, false]);
    assert!(flags[2].load() && flags.elements()[1..3].iter().any(|flag| flag.load()));
    assert_eq!(flags.len(), flags.into_iter().count());
    // SAFETY: nobody writes these.
    let small = unsafe { fields.plain.fields().small.get() };
    // SAFETY: as above.
    let large = unsafe { fields.plain.fields().large.get() };
    assert_eq!((*small, *large), (7, 1 << 40));
    assert_eq!(seen.as_ptr(), value.get().cast_const());
}

#[test]
fn the_fields_of_a_tuple_have_numbers() {
    let value = UnsafeCell::new(Tuple(1, 2, [Wrapping(3), Wrapping(4)]));
    let fields = Tuple::fields(observed(&value));
    // SAFETY: nobody writes these.
    let second = unsafe { fields.1.get() };
    // SAFETY: as above.
    let last = unsafe { fields.2[1].get() };
    assert_eq!((*second, *last), (2, Wrapping(4)));
}

#[test]
#[should_panic(expected = "index out of bounds: the len is 4 but the index is 4")]
fn an_element_that_is_not_there_panics() {
    let value = UnsafeCell::new([const { AtomicU8::new(0) }; 4]);
    let _ = observed(&value)[4].load();
}

#[test]
fn debug_shows_types_and_no_values() {
    let value = UnsafeCell::new(Plain { small: 77, large: 77 });
    assert_eq!(format!("{:?}", observed(&value)), "Observed<commonage::shareable::tests::Plain>");
    let fields = format!("{:?}", observed(&value).fields());
    assert_eq!(fields, "Plain { small: Observed<u8>, large: Observed<u64> }");
}

#[test]
fn what_was_written_before_a_release_is_seen_after_the_load_that_finds_it() {
    const ROUNDS: usize = 10_000;
    for _ in 0..ROUNDS / 100 {
        let value = UnsafeCell::new([const { AtomicUsize::new(0) }; 2]);
        let seen = observed(&value);
        let [data, flag] = {
            // SAFETY: what is done by it are atomic stores.
            unsafe { &*value.get() }
        };
        thread::scope(|scope| {
            scope.spawn(move || {
                for round in 1..=100 {
                    data.store(round, Ordering::Relaxed);
                    flag.store(round, Ordering::Release);
                }
            });
            let mut last = 0;
            while last < 100 {
                last = seen[1].load();
                assert!(seen[0].load() >= last);
            }
        });
    }
}
