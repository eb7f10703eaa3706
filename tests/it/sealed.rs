//! Values for processes that don't trust each other.

mod attacks;
mod bytes;
mod forks;
mod huge;
mod noise;
mod peers;
mod raw;
mod refused;

use std::{
    fs::{self, File},
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::fs::{FileExt, MetadataExt},
    },
};

use commonage::{
    DescriptorFault, Error, Sealed, Shared, SharedMut, SharedSlice, ShmemChecked, Value, bytemuck, sealed::Seals,
};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};

use crate::support::{child, role};

/// Runs `body` in a process that has nothing else to do, so that what it has open can be counted.
fn alone(test: &str, body: impl FnOnce()) {
    if role().is_some() { body() } else { drop(child(test, "alone").run_to_success()) }
}

/// The descriptors of this process.
fn open_here() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

const ALL: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::SEAL);

/// A memfd with these bytes.
fn memfd(bytes: &[u8], seals: SealFlags) -> OwnedFd {
    let file = File::from(memfd_create("of a test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap());
    file.write_all_at(bytes, 0).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file.into()
}

/// What is in the memory of a value.
fn image_of<T: ShmemChecked + ?Sized>(value: &Sealed<T>) -> Vec<u8> {
    let file = File::from(value.as_fd().try_clone_to_owned().unwrap());
    let mut bytes = vec![0; file.metadata().unwrap().size() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// The same value as its receiver has it.
fn received<T: ShmemChecked + ?Sized>(value: &Sealed<T>) -> Sealed<T> {
    value.as_fd().try_clone_to_owned().unwrap().try_into().unwrap()
}

/// What a descriptor is refused for.
#[track_caller]
fn fault<T: ShmemChecked + ?Sized>(refused: Result<Sealed<T>, Error>) -> DescriptorFault {
    match refused {
        Err(Error::Descriptor(fault)) => fault,
        Err(error) => panic!("{error:?}"),
        Ok(value) => panic!("it is taken: {value:?}"),
    }
}

#[derive(Clone, Copy, PartialEq, Debug, bytemuck::NoUninit, bytemuck::CheckedBitPattern)]
#[bytemuck(crate = "commonage::bytemuck")]
#[repr(u8)]
enum Answer {
    No = 3,
    Yes = 7,
}

#[test]
fn values_come_as_they_were_made() {
    for len in [0, 1, 5, 4096, 16383, 16384, 100_003] {
        let source: Vec<u32> = (0..len).collect();
        let value = Sealed::<[u32]>::copy_from(&source).unwrap();
        assert!(value == source && received(&value) == source);
        assert!(len == 0 || value.as_ptr().addr().is_multiple_of(128), "aligned as in a pool");
        let value = Sealed::<[u32]>::from_fn(len as usize, |at| at as u32).unwrap();
        assert_eq!(received(&value), source);
    }
    assert_eq!(*received(&Sealed::copy_from("§ and more").unwrap()), *"§ and more");
    assert_eq!(*received(&Sealed::<str>::new("").unwrap()), *"");
    assert_eq!(received(&Sealed::<[bool]>::new(&(true, 3)).unwrap()), [true; 3]);
    assert_eq!(received(&Sealed::<[char]>::copy_from(&['a', '§', char::MAX]).unwrap()), ['a', '§', char::MAX]);
    assert_eq!(received(&Sealed::<[Answer]>::copy_from(&[Answer::Yes, Answer::No]).unwrap())[1], Answer::No);
    assert_eq!(*received(&Sealed::copy_from(&Value([1.5f64, -0.0])).unwrap()).as_view(), [1.5, -0.0]);
    assert_eq!(received(&Sealed::<[()]>::new(&((), usize::MAX)).unwrap()).len(), usize::MAX);
    // An iterator that promises more than it has.
    let value = Sealed::<[u8]>::from_exact_iter(vec![1, 2, 3]).unwrap();
    assert_eq!(received(&value), [1, 2, 3]);
}

#[test]
fn what_nobody_writes_while_a_value_is_built_is_zero_and_has_memory() {
    let value = Sealed::<[u8]>::build(1 << 20, |bytes| bytes[700_000] = 1).unwrap();
    let value = received(&value);
    assert!(value[700_000] == 1 && value.iter().map(|&byte| usize::from(byte)).sum::<usize>() == 1);
}

#[test]
fn an_alignment_up_to_a_page_holds() {
    #[derive(Clone, Copy, PartialEq, Debug, bytemuck::Pod, bytemuck::Zeroable)]
    #[bytemuck(crate = "commonage::bytemuck")]
    #[repr(C, align(4096))]
    struct Page([u8; 4096]);
    #[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    #[bytemuck(crate = "commonage::bytemuck")]
    #[repr(C, align(8192))]
    struct More([u8; 8192]);

    let value = received(&Sealed::<[Page]>::new(&(Page([7; 4096]), 3)).unwrap());
    assert!(value.as_ptr().is_aligned() && value[2] == Page([7; 4096]));
    let refused = Sealed::<[More]>::new(&(More([0; 8192]), 1));
    assert!(matches!(refused, Err(Error::Alignment { requested: 8192, limit: 4096 })), "{refused:?}");
}

#[cfg(feature = "ndarray")]
#[test]
fn arrays_come_as_they_were_made_with_metadata_of_any_length() {
    use ndarray::{Array, Array2, IxDyn, s};

    let array = Array2::from_shape_fn((30, 40), |(row, column)| (100 * row + column) as f32);
    assert_eq!(received(&Sealed::copy_from(&array).unwrap()).as_view(), array);
    let turned = array.t();
    assert_eq!(received(&Sealed::<Array2<f32>>::copy_from_view(&turned).unwrap()).as_view(), turned);
    let part = array.slice(s![..;-3, 5..9]);
    assert_eq!(received(&Sealed::<Array2<f32>>::copy_from_view(&part).unwrap()).as_view(), part);
    // More axes than there is room for before the data.
    let many = Array::<u16, _>::from_elem(IxDyn(&[1; 3000]), 7);
    let value = received(&Sealed::copy_from(&many).unwrap());
    assert_eq!((value.as_view().ndim(), value.as_view().sum()), (3000, 7));
    let more = Sealed::copy_from(&Array::<u16, _>::from_elem(IxDyn(&vec![1; 1 << 20]), 7)).unwrap_err();
    assert!(matches!(&more, Error::Metadata { reason, .. } if reason.contains("1048576 at most")), "{more}");
    let shared = Shared::copy_from(&array).unwrap().slice_axis(ndarray::Axis(1), 3..11);
    assert_eq!(received(&Sealed::copy_shared(&shared).unwrap()).as_view(), array.slice(s![.., 3..11]));
}

#[test]
fn a_value_goes_from_a_pool_and_into_one_by_a_copy() {
    for len in [3, 1_000_000] {
        let shared: SharedSlice<u16> = Shared::copy_from(&(0..len).map(|n| n as u16).collect::<Vec<_>>()[..]).unwrap();
        let sealed = Sealed::copy_shared(&shared).unwrap();
        assert!(*sealed == *shared);
        let back: SharedSlice<u16> = received(&sealed).to_shared().unwrap();
        assert!(back == shared && !back.ptr_eq(&shared));
        let mut exclusive = SharedMut::copy_from(&*shared).unwrap();
        exclusive[0] = 99;
        let sealed = Sealed::copy_shared_mut(&exclusive).unwrap();
        exclusive[0] = 100;
        assert!(sealed[0] == 99 && sealed[1..] == shared[1..]);
    }
}

#[test]
fn a_value_has_the_seals_that_were_asked_for_and_nobody_may_write_its_file() {
    let seals = |value: &Sealed<str>| fcntl_get_seals(value.as_fd()).unwrap() & ALL;
    let (write, all) = (SealFlags::WRITE | SealFlags::SHRINK, ALL);
    let of = |seals| Sealed::<str>::options().seals(seals).copy_from("sealed").unwrap();
    for (value, expected) in [
        (Sealed::copy_from("sealed").unwrap(), all),
        (of(Seals::default()), all),
        (of(Seals::ALL.without_grow()), write | SealFlags::SEAL),
        (of(Seals::ALL.without_seal()), write | SealFlags::GROW),
        (of(Seals::ALL.without_seal().without_grow()), write),
    ] {
        assert_eq!(seals(&value), expected);
        assert_eq!(*received(&value), *"sealed");
        let file = File::from(value.as_fd().try_clone_to_owned().unwrap());
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o444);
    }
    // What is appended is no part of the value.
    let value = of(Seals::ALL.without_grow());
    rustix::fs::ftruncate(value.as_fd(), 1 << 20).unwrap();
    assert_eq!(*received(&value), *"sealed");
}

#[test]
fn the_memory_has_the_name_that_was_asked_for() {
    let shown = |value: &Sealed<str>| {
        let link = fs::read_link(format!("/proc/self/fd/{}", value.as_fd().as_raw_fd())).unwrap();
        link.to_string_lossy().into_owned()
    };
    assert_eq!(shown(&Sealed::copy_from("x").unwrap()), "/memfd:commonage-sealed (deleted)");
    let options = Sealed::<str>::options().name("settings");
    assert_eq!(shown(&options.copy_from("x").unwrap()), "/memfd:settings (deleted)");
    assert_eq!(
        format!("{options:?}"),
        "Options { name: \"settings\", huge_pages: None, seals: Seals { grow: true, seal: true }, raw: false }"
    );
    for name in ["zero\0", &"n".repeat(250)] {
        let refused = Sealed::<str>::options().name(name).copy_from("x");
        assert!(matches!(refused, Err(Error::Os { operation: "memfd_create", .. })), "{refused:?}");
    }
}

#[test]
fn handles_are_on_one_memory_and_look_like_what_they_hold() {
    const TEST: &str = "sealed::handles_are_on_one_memory_and_look_like_what_they_hold";
    alone(TEST, || {
        let before = open_here();
        let value = Sealed::<[u8]>::copy_from(&[3, 1, 2]).unwrap();
        let clone = value.clone();
        assert!(value.ptr_eq(&clone) && !value.ptr_eq(&received(&value)) && open_here() == before + 1);
        assert!(format!("{value:?}").starts_with("Sealed { type: [u8], descriptor: "));
        // Another descriptor as long as there is another handle.
        let fd = clone.into_fd().unwrap();
        assert_eq!(open_here(), before + 2);
        assert_eq!(Sealed::<[u8]>::try_from(fd).unwrap(), value);
        let number = value.as_fd().as_raw_fd();
        let fd = OwnedFd::try_from(value).unwrap();
        assert_eq!((fd.as_raw_fd(), open_here()), (number, before + 1));
        let value = Sealed::<[u8]>::try_from(fd).unwrap();
        assert_eq!(value.iter().max(), (&value).into_iter().max());
        let text = Sealed::<str>::copy_from("b").unwrap();
        assert!(format!("{text}") == "b" && text > Sealed::copy_from("a").unwrap() && text == *"b");
        let of_threads = std::thread::spawn(move || value.len() + text.len());
        assert_eq!((of_threads.join().unwrap(), open_here()), (4, before));
    });
}
