//! sharify 0.1.0's own tests and examples with the crate renamed, under the names they have there.
//!
//! What differs: serializers are postcard's and bincode 2's instead of bincode 1's, `counts()` is a struct and can't fail,
//! elements are bounded by bytemuck's traits instead of `Copy`, and `races` sleeps for less. The hazards that sharify
//! documents are turned round.

mod examples;
mod hazards;

use std::{
    fmt::Debug,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use commonage::{
    Counts, Error, Shared, SharedMut, SharedSliceMut, ShmemBacked, ShmemView, Ticket,
    bytemuck::{CheckedBitPattern, NoUninit},
};
use postcard::ser_flavors::{Flavor, StdVec};
use serde::de::DeserializeOwned;

use crate::support::on_both_backings;

fn serialize_shared<T>(shared: Shared<T>) -> Vec<u8>
where
    T: ShmemBacked + for<'a> ShmemView<'a> + ?Sized,
{
    let mut serializer = postcard::Serializer { output: StdVec::new() };
    shared.into_serialized(&mut serializer).unwrap();
    serializer.output.finalize().unwrap()
}

fn serialize_shared_mut<T>(shared: SharedMut<T>) -> Vec<u8>
where
    T: ShmemBacked + for<'a> ShmemView<'a> + ?Sized,
{
    let mut serializer = postcard::Serializer { output: StdVec::new() };
    shared.into_serialized(&mut serializer).unwrap();
    serializer.output.finalize().unwrap()
}

fn deserialize<S: DeserializeOwned>(bytes: &[u8]) -> Result<S, String> {
    postcard::from_bytes(bytes).map_err(|e| format!("{}", e))
}

/// There by postcard, consumed; here again by bincode 2, by reference.
fn serialization_roundtrip_shared<T>(shared: Shared<T>) -> Shared<T>
where
    T: ShmemBacked + for<'a> ShmemView<'a> + ?Sized,
{
    let shared: Shared<T> = deserialize(&serialize_shared(shared)).unwrap();
    let bytes = bincode::serde::encode_to_vec(&shared, bincode::config::standard()).unwrap();
    drop(shared);
    bincode::serde::decode_from_slice(&bytes, bincode::config::standard()).unwrap().0
}

fn serialization_roundtrip_shared_mut<T>(shared: SharedMut<T>) -> SharedMut<T>
where
    T: ShmemBacked + for<'a> ShmemView<'a> + ?Sized,
{
    let shared: SharedMut<T> = deserialize(&serialize_shared_mut(shared)).unwrap();
    let bytes = bincode::serde::encode_to_vec(&shared, bincode::config::standard()).unwrap();
    drop(shared);
    bincode::serde::decode_from_slice(&bytes, bincode::config::standard()).unwrap().0
}

/// sharify's counts: accesses, and serializations without a deserialization.
fn counts([handles, in_flight]: [usize; 2]) -> Counts {
    Counts { handles, holders: 1, in_flight }
}

fn slice_check_src_shared<T>(slice: &[T])
where
    T: NoUninit + CheckedBitPattern + PartialEq + Debug,
{
    let shared = Shared::<[T]>::from(slice);
    let roundtrip = serialization_roundtrip_shared(shared);
    assert_eq!(roundtrip.as_view(), slice);
}

fn slice_check_src_shared_mut<T>(slice: &[T])
where
    T: NoUninit + CheckedBitPattern + PartialEq + Debug,
{
    let shared = SharedMut::<[T]>::from(slice);
    let roundtrip = serialization_roundtrip_shared_mut(shared);
    assert_eq!(roundtrip.as_view(), slice);
}

#[test]
fn shared_str() {
    on_both_backings("sharify::shared_str", || {
        let s = "sharify_test";
        let shared: Shared<str> = Shared::new(s).unwrap();
        let roundtrip = serialization_roundtrip_shared(shared);
        assert_eq!(roundtrip.as_view(), s);
    });
}

#[test]
fn shared_mut_str() {
    on_both_backings("sharify::shared_mut_str", || {
        let s = "sharify_test";
        let shared: SharedMut<str> = SharedMut::new(s).unwrap();
        let roundtrip = serialization_roundtrip_shared_mut(shared);
        assert_eq!(roundtrip.as_view(), s);
    });
}

enum Slice {
    Usize(&'static [usize]),
    U8(&'static [u8]),
    U64(&'static [u16]),
    I16(&'static [i16]),
    F64(&'static [f64]),
}

impl Slice {
    fn create_slices() -> Vec<Slice> {
        vec![
            Slice::Usize(&[1, 2, 3, 4, 5]),
            Slice::U8(&[1, 2, 3, 4, 5]),
            Slice::U64(&[1, 2, 3, 4, 5]),
            Slice::I16(&[1, 2, 3, 4, 5]),
            Slice::F64(&[1.0, 2.0, 3.0, 4.0, 5.0]),
        ]
    }
}

#[test]
fn shared_slice() {
    on_both_backings("sharify::shared_slice", || {
        let slice: &[usize] = &[0_usize, 0, 0, 0, 0];
        let shared: Shared<[usize]> = Shared::new(&(0_usize, 5)).unwrap();
        let roundtrip = serialization_roundtrip_shared(shared);
        assert_eq!(roundtrip.as_view(), slice);
    });
}

#[test]
fn shared_mut_slice() {
    on_both_backings("sharify::shared_mut_slice", || {
        let slice: &mut [usize] = &mut [1_usize, 2, 3, 4, 5];
        let mut shared: SharedMut<[usize]> = SharedMut::new(&(0_usize, 5)).unwrap();
        shared.deref_mut().copy_from_slice(slice);
        let roundtrip = serialization_roundtrip_shared_mut(shared);
        assert_eq!(roundtrip.as_view(), slice);
    });
}

#[test]
fn shared_slice_from_src() {
    on_both_backings("sharify::shared_slice_from_src", || {
        let slices = Slice::create_slices();
        for s in slices {
            match s {
                Slice::Usize(s) => slice_check_src_shared(s),
                Slice::U8(s) => slice_check_src_shared(s),
                Slice::U64(s) => slice_check_src_shared(s),
                Slice::I16(s) => slice_check_src_shared(s),
                Slice::F64(s) => slice_check_src_shared(s),
            }
        }
    });
}

#[test]
fn shared_mut_slice_from_src() {
    on_both_backings("sharify::shared_mut_slice_from_src", || {
        let slices = Slice::create_slices();
        for s in slices {
            match s {
                Slice::Usize(s) => slice_check_src_shared_mut(s),
                Slice::U8(s) => slice_check_src_shared_mut(s),
                Slice::U64(s) => slice_check_src_shared_mut(s),
                Slice::I16(s) => slice_check_src_shared_mut(s),
                Slice::F64(s) => slice_check_src_shared_mut(s),
            }
        }
    });
}

#[test]
fn shared_memory() {
    on_both_backings("sharify::shared_memory", || {
        let shared: Shared<[usize]> = Shared::new(&(0_usize, 5)).unwrap();
        assert_eq!(shared.counts(), counts([1, 0]));
        let bytes = serialize_shared(shared);
        let deser: Shared<[usize]> = deserialize(bytes.as_slice()).unwrap();
        assert_eq!(deser.counts(), counts([1, 0]));
        // Should be able to create more than one `Shared`
        let mut instances = Vec::new();
        for i in 1..=10 {
            let inst: Shared<[usize]> = deserialize(bytes.as_slice()).unwrap();
            assert_eq!(deser.counts(), counts([1 + i, 0]));
            instances.push(inst);
        }
        // Data should only be freed when all `Shared`s have been dropped.
        assert_eq!(&[0_usize, 0, 0, 0, 0], deser.deref());
        std::mem::drop(instances);
        assert_eq!(deser.counts(), counts([1, 0]));
        assert_eq!(&[0_usize, 0, 0, 0, 0], deser.deref());
        std::mem::drop(deser);
        assert!(deserialize::<Shared<[usize]>>(bytes.as_slice()).is_err());
    });
}

#[test]
fn shared_mut_memory() {
    on_both_backings("sharify::shared_mut_memory", || {
        let shared: SharedMut<[usize]> = SharedMut::new(&(0_usize, 5)).unwrap();
        assert_eq!(shared.counts(), counts([1, 0]));
        let bytes = serialize_shared_mut(shared);
        let deser: SharedMut<[usize]> = deserialize(bytes.as_slice()).unwrap();
        assert_eq!(deser.counts(), counts([1, 0]));
        // Should not be able to create more than one `SharedMut`
        assert!(deserialize::<SharedMut<[usize]>>(bytes.as_slice()).is_err());
        // ...but a deserialization error must leave the data intact.
        assert_eq!(&[0_usize, 0, 0, 0, 0], deser.deref());
        assert_eq!(deser.counts(), counts([1, 0]));
        // Data should only be freed on drop.
        std::mem::drop(deser);
        assert!(deserialize::<SharedMut<[usize]>>(bytes.as_slice()).is_err());
    });
}

#[test]
fn cross_serialization_from_shared() {
    on_both_backings("sharify::cross_serialization_from_shared", || {
        let shared: Shared<[usize]> = Shared::new(&(0_usize, 5)).unwrap();
        assert_eq!(&[0_usize, 0, 0, 0, 0], shared.deref());
        let bytes = serialize_shared(shared);
        // Serializing into a `SharedMut` is not allowed
        assert!(deserialize::<SharedMut<[usize]>>(bytes.as_slice()).is_err());
        // ...but should be able to deserialize back into a `Shared`
        let shared: Shared<[usize]> = deserialize(bytes.as_slice()).unwrap();
        assert_eq!(shared.counts(), counts([1, 0]));
        assert_eq!(&[0_usize, 0, 0, 0, 0], shared.deref());
    });
}

#[test]
fn cross_serialization_from_shared_mut() {
    on_both_backings("sharify::cross_serialization_from_shared_mut", || {
        let shared: SharedMut<[usize]> = SharedMut::new(&(0_usize, 5)).unwrap();
        assert_eq!(&[0_usize, 0, 0, 0, 0], shared.deref());
        let bytes = serialize_shared_mut(shared);
        // Serializing into a `Shared` is not allowed
        assert!(deserialize::<Shared<[usize]>>(bytes.as_slice()).is_err());
        // ...but should be able to deserialize back into a `SharedMut`
        let shared: SharedMut<[usize]> = deserialize(bytes.as_slice()).unwrap();
        assert_eq!(shared.counts(), counts([1, 0]));
        assert_eq!(&[0_usize, 0, 0, 0, 0], shared.deref());
    });
}

#[test]
fn shared_mut_into_shared() {
    on_both_backings("sharify::shared_mut_into_shared", || {
        let mut shared_mut: SharedMut<[usize]> = SharedMut::new(&(0_usize, 5)).unwrap();
        shared_mut.deref_mut().copy_from_slice(&[1, 2, 3, 4, 5]);
        let shared: Shared<[usize]> = shared_mut.try_into().unwrap();
        assert_eq!(shared.counts(), counts([1, 0]));
        assert_eq!(&[1, 2, 3, 4, 5], shared.deref());
    });
}

#[test]
fn shared_clone() {
    on_both_backings("sharify::shared_clone", || {
        let shared = Shared::from(&[1_usize, 2, 3, 4, 5] as &[_]);
        let mut container = Vec::new();
        for i in 0..100 {
            let bytes = serialize_shared(shared.clone());
            container.push((bytes, shared.clone()));
            assert_eq!(shared.counts(), counts([2 + i, 1 + i]));
        }
        assert_eq!(shared.counts(), counts([101, 100]));
        for (i, (bytes, cl)) in container.into_iter().enumerate() {
            let _deser: Shared<[usize]> = deserialize(bytes.as_slice()).unwrap();
            assert_eq!(&[1_usize, 2, 3, 4, 5], cl.deref());
            assert_eq!(shared.counts(), counts([102 - i, 99 - i]));
        }
        assert_eq!(shared.counts(), counts([1, 0]));
        assert_eq!(&[1_usize, 2, 3, 4, 5], shared.deref());
    });
}

#[test]
fn races() {
    on_both_backings("sharify::races", || {
        let shared = Shared::from(&[1_usize, 2, 3, 4, 5] as &[_]);
        let mut handles = Vec::new();
        for mut random in 1..=50_u64 {
            let (send, recv) = std::sync::mpsc::sync_channel(0);
            let bytes_send = serialize_shared(shared.clone());
            let handle = thread::spawn(move || {
                let mut pause = || {
                    random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    thread::sleep(Duration::from_micros((random >> 32) % 200));
                };
                recv.recv().unwrap();
                let mut shared: Shared<[usize]> = deserialize(bytes_send.as_slice()).unwrap();
                assert_eq!(&[1_usize, 2, 3, 4, 5], shared.deref());
                for _ in 0..1000 {
                    pause();
                    let tmp = serialize_shared(shared);
                    pause();
                    shared = deserialize(tmp.as_slice()).unwrap();
                    assert_eq!(&[1_usize, 2, 3, 4, 5], shared.deref());
                }
            });
            handles.push((handle, send));
        }
        thread::sleep(std::time::Duration::from_millis(100));
        for (_, send) in handles.iter() {
            send.send(()).unwrap();
        }
        for (handle, _) in handles {
            handle.join().unwrap();
        }
        assert_eq!(&[1_usize, 2, 3, 4, 5], shared.deref());
        assert_eq!(shared.counts(), counts([1, 0]));
    });
}

#[cfg(feature = "ndarray")]
mod ndarray_tests {
    use commonage::{SharedArray, SharedArrayMut};
    use ndarray::{Array, Axis, IxDyn};

    use super::*;

    #[test]
    fn shared_ndarray() {
        on_both_backings("sharify::ndarray_tests::shared_ndarray", || {
            let shared: SharedArray<u64, IxDyn> = Shared::new(&(0, IxDyn(&[3, 2]))).unwrap();
            let shared = serialization_roundtrip_shared(shared);
            assert_eq!(&[0; 6], shared.as_view().as_slice().unwrap());
        });
    }

    #[test]
    fn shared_mut_ndarray() {
        on_both_backings("sharify::ndarray_tests::shared_mut_ndarray", || {
            let mut shared: SharedArrayMut<f64, IxDyn> = SharedMut::new(&(0.0, IxDyn(&[3, 2]))).unwrap();
            let slice: &[f64] = &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
            for (&x, element) in slice.iter().zip(shared.as_view_mut().iter_mut()) {
                *element = x;
            }
            let roundtrip = serialization_roundtrip_shared_mut(shared);
            assert_eq!(slice, roundtrip.as_view().as_slice().unwrap());
        });
    }

    #[test]
    fn shared_mut_array_layout() {
        on_both_backings("sharify::ndarray_tests::shared_mut_array_layout", || {
            let mut array: SharedArrayMut<f64, ndarray::IxDyn> =
                SharedArrayMut::new(&(0.0, ndarray::IxDyn(&[100, 200, 300]))).unwrap();
            assert_eq!(array.as_view().strides(), &[200 * 300, 300, 1]);
            {
                let mut view = array.as_view_mut();
                assert!(view.is_standard_layout());
                view.swap_axes(0, 1);
                assert_eq!(view.strides(), &[300, 200 * 300, 1]);
                // SAFETY: the metadata are those of a view of all the same elements.
                unsafe {
                    *array.metadata_mut() = commonage::backed::ArrayLayout::of(&view);
                }
            }
            assert_eq!(array.as_view().shape(), &[200, 100, 300]);
            assert_eq!(array.as_view().strides(), &[300, 200 * 300, 1]);
            assert!(!array.as_view().is_standard_layout());
            let bytes = serialize_shared_mut(array);
            let deser: SharedArrayMut<f64, ndarray::IxDyn> = deserialize(bytes.as_slice()).unwrap();
            assert_eq!(deser.as_view().shape(), &[200, 100, 300]);
            assert_eq!(deser.as_view().strides(), &[300, 200 * 300, 1]);
            assert!(!deser.as_view().is_standard_layout());
        });
    }

    #[test]
    fn shared_ndarray_from_src() {
        on_both_backings("sharify::ndarray_tests::shared_ndarray_from_src", || {
            let mut src = Array::from_elem((100, 200, 300), 0_u64);
            src.invert_axis(Axis(1));
            let src_shape = Vec::from(src.shape());
            let array = Shared::new_from_inner(&src).unwrap();
            assert_eq!(src_shape, array.as_view().shape());
            assert!(src.iter().zip(array.as_view().iter()).all(|(src, dst)| src == dst))
        });
    }
}
