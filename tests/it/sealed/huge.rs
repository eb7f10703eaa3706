//! Memory of huge pages.

use commonage::HugePages;
use rustix::fs::ftruncate;

use super::*;

/// Bytes of one.
const PAGE: u64 = 2 << 20;

#[test]
fn where_no_huge_pages_are_set_aside_there_is_no_space() {
    let free = fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    if free.is_ok_and(|free| free.trim() != "0") {
        println!("skipped: huge pages are set aside here");
        return;
    }
    let options = Sealed::<[u8]>::options().huge_pages(HugePages::Size2MiB);
    match options.new(&(1, 100)) {
        Err(Error::NoSpace { requested: PAGE, available: 0 }) => {}
        // A kernel, or a machine, that knows none.
        Err(Error::Os { operation: "memfd_create", .. }) => println!("skipped: there are no huge pages here"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn huge_pages_are_refused_unless_they_were_asked_for_and_never_trap() {
    let create = || memfd_create("huge", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC | MemfdFlags::HUGETLB);
    let Ok(fd) = create() else {
        println!("skipped: there are no huge pages here");
        return;
    };
    // Without any page; a look at it would be the end of this process.
    ftruncate(&fd, PAGE).unwrap();
    fcntl_add_seals(&fd, ALL).unwrap();
    assert_eq!(fault(Sealed::<[u8]>::try_from(fd.try_clone().unwrap())), DescriptorFault::HugePages);
    assert_eq!(fault(Sealed::<[u8]>::seal(fd.try_clone().unwrap())), DescriptorFault::HugePages);
    // It is read by a call, for which a hole is zero.
    let options = Sealed::<[u8]>::options().huge_pages(HugePages::Default);
    let none = DescriptorFault::NotASealedValue { what: "first number", found: 0 };
    assert_eq!(fault(options.open(fd)), none);
    assert_eq!(
        fault(options.open(create().and_then(|fd| fcntl_add_seals(&fd, ALL).map(|()| fd)).unwrap())),
        DescriptorFault::TooShort { size: 0, needed: 48 }
    );
}

/// Needs huge pages, which root sets aside for the whole machine: `echo 8 > /proc/sys/vm/nr_hugepages`, then
/// `cargo test --test it -- --ignored huge`, and afterwards `echo 0` there.
#[test]
#[ignore = "needs 8 huge pages of 2 MiB: see its documentation"]
fn values_of_huge_pages_come_as_they_were_made() {
    let options = Sealed::<[u32]>::options().huge_pages(HugePages::Size2MiB);
    let source: Vec<u32> = (0..1_000_000).collect();
    for value in [options.copy_from(&source), options.from_fn(source.len(), |at| at as u32)] {
        let value = value.unwrap();
        let fd = || value.as_fd().try_clone_to_owned().unwrap();
        assert!(options.open(fd()).unwrap() == source);
        assert_eq!(fault(Sealed::<[u32]>::try_from(fd())), DescriptorFault::HugePages);
        assert_eq!(fs::metadata(format!("/proc/self/fd/{}", value.as_fd().as_raw_fd())).unwrap().size(), 2 * PAGE);
    }
    let text = Sealed::<str>::options().huge_pages(HugePages::Default).copy_from("short").unwrap();
    assert_eq!(&*text, "short");
    // A value that lacks a page, and as many behind its end: an error, whatever is free.
    let value = options.new(&(1, 1_000_000)).unwrap();
    let mut first = vec![0; PAGE as usize];
    File::from(value.as_fd().try_clone_to_owned().unwrap()).read_exact_at(&mut first, 0).unwrap();
    let flags = MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC | MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB;
    let fd = memfd_create("lacks a page", flags).unwrap();
    ftruncate(&fd, 2 * PAGE).unwrap();
    let access = rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE;
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let base =
        unsafe { rustix::mm::mmap(std::ptr::null_mut(), PAGE as usize, access, rustix::mm::MapFlags::SHARED, &fd, 0) };
    let base = base.unwrap();
    // SAFETY: mapped above, for as many bytes.
    unsafe { base.cast::<u8>().copy_from_nonoverlapping(first.as_ptr(), first.len()) };
    // SAFETY: mapped above, and nothing refers into it.
    unsafe { rustix::mm::munmap(base, PAGE as usize) }.unwrap();
    fcntl_add_seals(&fd, ALL).unwrap();
    assert!(matches!(fault(options.open(fd)), DescriptorFault::Sparse { backed: PAGE, .. }));
}
