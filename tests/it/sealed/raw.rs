//! Memory that holds a value and nothing else.

use std::{
    fs::OpenOptions,
    io::{BufRead, BufReader},
    os::unix::net::UnixStream,
    process::{self, Command, Stdio},
};

use commonage::{HugePages, ShmemBacked, sealed::Options};
use rustix::fs::{FallocateFlags, fallocate, ftruncate};

use super::*;
use crate::support::ChildCommand;

fn raw<E: bytemuck::NoUninit + bytemuck::CheckedBitPattern>() -> Options<[E]> {
    Sealed::<[E]>::options().raw()
}

/// The value as its receiver has it, whose memory is these bytes and nothing else.
#[track_caller]
fn taken<T: ShmemChecked + ShmemBacked + ?Sized>(
    options: &Options<T>,
    made: Result<Sealed<T>, Error>,
    bytes: &[u8],
) -> Sealed<T> {
    let made = made.unwrap();
    assert_eq!(image_of(&made), bytes);
    options.open(made.try_into().unwrap()).unwrap()
}

#[test]
fn the_memory_is_the_value_and_nothing_else_however_it_is_made() {
    let options = raw::<u32>();
    for len in [0, 1, 5, 1023, 1024, 1025, 16383, 16384, 100_003] {
        let source: Vec<u32> = (1..=len).collect();
        let (bytes, len) = (bytemuck::cast_slice(&source), len as usize);
        let each = |at| at as u32 + 1;
        assert_eq!(taken(&options, options.copy_from(&source), bytes), source);
        assert_eq!(taken(&options, options.from_fn(len, each), bytes), source);
        assert_eq!(taken(&options, options.from_exact_iter(source.iter().copied()), bytes), source);
        assert_eq!(taken(&options, options.build(len, |room| room.copy_from_slice(&source)), bytes), source);
        let shared = SharedSlice::copy_from(&source).unwrap();
        assert_eq!(taken(&options, options.copy_shared(&shared), bytes), source);
        let value = taken(&options, options.new(&(7, len)), bytemuck::cast_slice(&vec![7u32; len]));
        assert_eq!(value.to_shared().unwrap(), vec![7; len]);
    }
    // What nobody writes is zero, and has memory.
    taken(&options, options.build(100_003, |room| room[0] = 0), &[0; 400_012]);
    let text = Sealed::<str>::options().raw();
    assert_eq!(*taken(&text, text.copy_from("§"), "§".as_bytes()), *"§");
    assert_eq!(*taken(&text, text.new(""), b""), *"");
}

/// An iterator that says it has more than come.
struct Fewer(u8);

impl Iterator for Fewer {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.0 = self.0.checked_sub(1)?;
        Some(self.0)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (10_000, Some(10_000))
    }
}

impl ExactSizeIterator for Fewer {}

#[test]
fn elements_that_were_promised_and_have_not_come_are_not_in_the_memory() {
    let options = raw::<u8>();
    assert_eq!(taken(&options, options.from_exact_iter(Fewer(3)), &[2, 1, 0]), [2, 1, 0]);
}

#[test]
fn a_program_in_another_language_reads_what_is_made_here_and_makes_what_is_read_here() {
    let works = Command::new("python3").arg("--version").stdout(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        println!("skipped: there is no python3");
        return;
    }
    let source: Vec<u32> = (0..10_001).collect();
    let value = raw().copy_from(&source).unwrap();
    let mut command = Command::new("python3");
    let here = format!("/proc/{}/fd/{}", process::id(), value.as_fd().as_raw_fd());
    command.args(["-c", include_str!("peer.py"), &here]);
    let mut python = ChildCommand::program(command, "the program in Python").spawn();
    let mut said = String::new();
    BufReader::new(python.child().stdout.as_mut().expect("it is piped")).read_line(&mut said).unwrap();
    let numbers: Vec<u32> = said.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [twice, text, half] = numbers[..] else { panic!("{:?}", String::from_utf8(python.output().stderr)) };
    let id = python.child().id();
    let of = |number, write| -> OwnedFd {
        let path = format!("/proc/{id}/fd/{number}");
        OpenOptions::new().read(true).write(write).open(path).unwrap().into()
    };
    let taken = raw::<u32>().open(of(twice, false)).unwrap();
    assert!(taken.iter().copied().eq(source.iter().map(|number| 2 * number)));
    let texts = Sealed::<str>::options().raw();
    let DescriptorFault::Unsealed { missing, .. } = fault(texts.open(of(text, false))) else { panic!("it is sealed") };
    assert_eq!(missing, "write, shrink");
    assert_eq!(*texts.seal(of(text, true)).unwrap(), *"made elsewhere: §");
    let not_whole = DescriptorFault::NotWholeElements { size: 2, element: 4 };
    assert_eq!(fault(raw::<u32>().open(of(half, false))), not_whole);
    assert_eq!(raw::<u16>().open(of(half, false)).unwrap().len(), 1);
    python.success();
}

#[test]
fn what_comes_raw_is_checked_as_ever() {
    const TEST: &str = "sealed::raw::what_comes_raw_is_checked_as_ever";
    alone(TEST, || {
        let before = open_here();
        // Seals.
        let refused = fault(raw::<u8>().open(memfd(b"bytes", SealFlags::WRITE)));
        assert!(matches!(refused, DescriptorFault::Unsealed { .. }), "{refused}");
        let file = File::open("/").unwrap();
        let refused = fault(raw::<u8>().open(file.into()));
        assert!(matches!(refused, DescriptorFault::NotMemory { .. }), "{refused}");
        // Holes, behind which there is as much memory.
        let fd = memfd(&[1; 8192], SealFlags::empty());
        fallocate(&fd, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 4096, 4096).unwrap();
        fallocate(&fd, FallocateFlags::KEEP_SIZE, 8192, 4096).unwrap();
        fcntl_add_seals(&fd, ALL).unwrap();
        assert_eq!(fault(raw::<u8>().open(fd)), DescriptorFault::Sparse { size: 8192, backed: 4096 });
        let fd = memfd(&[], SealFlags::empty());
        ftruncate(&fd, 1 << 62).unwrap();
        fcntl_add_seals(&fd, ALL).unwrap();
        assert_eq!(fault(raw::<u8>().open(fd)), DescriptorFault::Sparse { size: 1 << 62, backed: 0 });
        // Content.
        for bytes in [&[0, 1, 2][..], &[255]] {
            let refused = raw::<bool>().open(memfd(bytes, ALL));
            assert!(matches!(refused, Err(Error::Content { .. })), "{refused:?}");
        }
        let refused = Sealed::<str>::options().raw().open(memfd(b"\xff", ALL));
        assert!(matches!(refused, Err(Error::Content { .. })), "{refused:?}");
        // Length.
        for size in [1, 7, 9, 4095, 4097] {
            let refused = fault(raw::<u64>().open(memfd(&vec![1; size], ALL)));
            assert_eq!(refused, DescriptorFault::NotWholeElements { size: size as u64, element: 8 });
        }
        let no_size = |size| DescriptorFault::NotWholeElements { size, element: 0 };
        assert_eq!(fault(raw::<()>().open(memfd(&[], ALL))), no_size(0));
        assert_eq!(fault(raw::<()>().open(memfd(&[1], ALL))), no_size(1));
        assert_eq!(fault(raw::<()>().new(&((), usize::MAX))), no_size(0));
        assert_eq!(open_here(), before, "what is refused is closed");
    });
}

#[test]
fn raw_memory_is_asked_for_by_both_sides() {
    let (here, there) = UnixStream::pair().unwrap();
    let options = raw::<u8>().name("of both").seals(Seals::ALL.without_grow());
    let value = options.copy_from(b"this is not the beginning of a value that says what it is").unwrap();
    value.send_over(&here).unwrap();
    value.send_over(&here).unwrap();
    assert_eq!(options.receive_over(&there).unwrap(), value);
    let no_value = DescriptorFault::NotASealedValue { what: "first number", found: u64::from_le_bytes(*b"this is ") };
    assert_eq!(fault(Sealed::<[u8]>::receive_over(&there)), no_value);
    assert!(format!("{options:?}").contains("raw: true"));
    // What is appended is seen by who takes it later, and by nobody else.
    let path = format!("/proc/self/fd/{}", value.as_fd().as_raw_fd());
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => {
            file.set_len(100).unwrap();
            assert_eq!(options.open(value.as_fd().try_clone_to_owned().unwrap()).unwrap().len(), 100);
        }
        Err(error) => println!("skipped: its mode forbids it ({error})"),
    }
    assert_eq!(value.len(), 57);
}

#[test]
fn raw_memory_of_huge_pages_is_whole_ones_or_an_error() {
    for len in [0, 1, 4096] {
        match raw::<u8>().huge_pages(HugePages::Default).new(&(1, len)) {
            Err(Error::NoSpace { .. } | Error::Os { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}
