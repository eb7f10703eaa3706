//! What goes wrong with the other crate goes wrong with links, for the same reason.

use std::{
    os::windows::io::{FromRawHandle, OwnedHandle},
    ptr,
    time::Duration,
};

use commonage::{Error, Link, LinkFault, Shareable, link::ReadWrite};
use win_shared_memory::{ReadOnly as TheirReadOnly, ReadWrite as TheirReadWrite, SharedMemoryLink};
use windows_sys::Win32::{
    Foundation::{ERROR_ACCESS_DENIED, INVALID_HANDLE_VALUE},
    Security::{
        ACL, ACL_REVISION, AddAccessAllowedAce, CreateWellKnownSid, InitializeAcl, InitializeSecurityDescriptor,
        SECURITY_ATTRIBUTES, SECURITY_DESCRIPTOR, SetSecurityDescriptorDacl, WinWorldSid,
    },
    System::{
        Memory::{CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, PAGE_READWRITE, SEC_RESERVE},
        Threading::CreateEventW,
    },
};

use super::{Writable, raw, said_of};
use crate::named::{Name, fault};

type TheirLink<T, Access> = Result<SharedMemoryLink<T, Access>, win_shared_memory::SharedMemoryError>;

/// What the other crate says, which must be an error.
#[track_caller]
fn theirs<T, Access>(link: TheirLink<T, Access>) -> String {
    said_of(&link.err().expect("it is refused there"))
}

fn wide(name: &str) -> Vec<u16> {
    name.encode_utf16().chain([0]).collect()
}

/// The two ways to open, of each.
struct Refusals {
    read: (String, LinkFault),
    write: (String, LinkFault),
    create: (String, LinkFault),
    either: (String, LinkFault),
}

#[track_caller]
fn refusals<T: Shareable>(name: &str) -> Refusals {
    Refusals {
        read: (theirs(SharedMemoryLink::<T, TheirReadOnly>::open(name)), fault(raw::<T, _>(name).open())),
        write: (
            theirs(SharedMemoryLink::<T, TheirReadWrite>::open_existing(name)),
            fault(raw::<T, _>(name).open_existing()),
        ),
        create: (theirs(SharedMemoryLink::<T, TheirReadWrite>::create(name)), fault(raw::<T, _>(name).create())),
        either: (
            theirs(SharedMemoryLink::<T, TheirReadWrite>::get_or_create(name)),
            fault(raw::<T, _>(name).open_or_create()),
        ),
    }
}

fn is_denied(fault: &LinkFault) -> bool {
    matches!(fault, LinkFault::Denied(error) if error.raw_os_error() == Some(ERROR_ACCESS_DENIED.cast_signed()))
}

/// A mapping that everybody may do only so much with, and its maker no more than they.
pub(crate) fn restricted(name: &str, access: u32) -> OwnedHandle {
    #[repr(C, align(8))]
    struct Room([u8; 128]);
    let (mut sid, mut list, mut descriptor) = (Room([0; 128]), Room([0; 128]), SECURITY_DESCRIPTOR::default());
    let (sid, list, mut len) = (sid.0.as_mut_ptr().cast(), list.0.as_mut_ptr().cast::<ACL>(), 128);
    let descriptor_at = (&raw mut descriptor).cast();
    // SAFETY: writes to the room for it, whose size it is told; here and below.
    assert_ne!(unsafe { CreateWellKnownSid(WinWorldSid, ptr::null_mut(), sid, &raw mut len) }, 0);
    // SAFETY: as above.
    assert_ne!(unsafe { InitializeAcl(list, 128, ACL_REVISION) }, 0);
    if access != 0 {
        // SAFETY: both were made above, and the list has room.
        assert_ne!(unsafe { AddAccessAllowedAce(list, ACL_REVISION, access, sid) }, 0);
    }
    // SAFETY: fills in the descriptor.
    assert_ne!(unsafe { InitializeSecurityDescriptor(descriptor_at, 1) }, 0);
    // SAFETY: the list lives as long as the descriptor.
    assert_ne!(unsafe { SetSecurityDescriptorDacl(descriptor_at, 1, list, 0) }, 0);
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: descriptor_at,
        bInheritHandle: 0,
    };
    mapping(name, &raw const attributes, PAGE_READWRITE)
}

/// One page.
fn mapping(name: &str, attributes: *const SECURITY_ATTRIBUTES, kind: u32) -> OwnedHandle {
    let name = wide(name);
    // SAFETY: the attributes, if any, and the name, which ends in a zero, live longer than the call.
    let handle = unsafe { CreateFileMappingW(INVALID_HANDLE_VALUE, attributes, kind, 0, 4096, name.as_ptr()) };
    assert!(!handle.is_null());
    // SAFETY: a new handle that is nobody else's.
    unsafe { OwnedHandle::from_raw_handle(handle) }
}

/// An object of another kind.
fn event(name: &str) -> OwnedHandle {
    let name = wide(name);
    // SAFETY: the name ends in a zero, and lives longer than the call; there are no attributes.
    let handle = unsafe { CreateEventW(ptr::null(), 1, 0, name.as_ptr()) };
    assert!(!handle.is_null());
    // SAFETY: a new handle that is nobody else's.
    unsafe { OwnedHandle::from_raw_handle(handle) }
}

#[test]
fn creating_what_exists_is_refused_by_both_whoever_made_it() {
    let name = Name::new();
    let ours: Writable<u64> = raw(&name.0).create().unwrap();
    assert_eq!(theirs(SharedMemoryLink::<u64, TheirReadWrite>::create(&name.0)), "AlreadyExists");
    drop(ours);
    let their = SharedMemoryLink::<u64, TheirReadWrite>::create(&name.0).unwrap();
    assert!(matches!(fault(raw::<u64, ReadWrite>(&name.0).create()), LinkFault::Exists));
    assert!(matches!(fault(raw::<u64, ReadWrite>(&name.0).create_with(3)), LinkFault::Exists));
    // SAFETY: nobody writes.
    assert_eq!(*unsafe { their.get() }, 0, "what was there is as it was");
}

#[test]
fn opening_what_is_not_there_is_refused_by_both() {
    let name = Name::new();
    assert_eq!(theirs(SharedMemoryLink::<u64, TheirReadOnly>::open(&name.0)), "OpenMapping 2");
    assert_eq!(theirs(SharedMemoryLink::<u64, TheirReadWrite>::open_existing(&name.0)), "OpenMapping 2");
    assert!(matches!(fault(raw::<u64, _>(&name.0).open()), LinkFault::Absent));
    assert!(matches!(fault(raw::<u64, _>(&name.0).open_existing()), LinkFault::Absent));
}

#[test]
fn what_denies_all_access_is_denied_to_both() {
    let name = Name::new();
    let _made = restricted(&name.0, 0);
    let Refusals { read, write, create, either } = refusals::<u64>(&name.0);
    assert_eq!((&read.0[..], &write.0[..]), ("OpenMapping 5", "OpenMapping 5"));
    assert_eq!((&create.0[..], &either.0[..]), ("CreateMapping 5", "CreateMapping 5"));
    for (_, fault) in [read, write, create, either] {
        assert!(is_denied(&fault), "{fault:?}");
    }
}

#[test]
fn what_may_only_be_read_is_read_by_both_and_denied_to_both_for_writing() {
    let name = Name::new();
    let _made = restricted(&name.0, FILE_MAP_READ);
    let their = SharedMemoryLink::<u64, TheirReadOnly>::open(&name.0).unwrap();
    let ours: Link<u64> = raw(&name.0).open().unwrap();
    // SAFETY: nobody writes.
    assert_eq!(unsafe { (*their.get(), *ours.get()) }, (0, 0));
    assert_eq!(theirs(SharedMemoryLink::<u64, TheirReadWrite>::open_existing(&name.0)), "OpenMapping 5");
    assert!(is_denied(&fault(raw::<u64, _>(&name.0).open_existing())));
    assert_eq!(theirs(SharedMemoryLink::<u64, TheirReadWrite>::get_or_create(&name.0)), "CreateMapping 5");
    assert!(is_denied(&fault(raw::<u64, _>(&name.0).open_or_create())));
}

#[test]
fn the_name_of_another_kind_of_object_is_refused_by_both() {
    let name = Name::new();
    let _event = event(&name.0);
    let Refusals { read, write, create, either } = refusals::<u64>(&name.0);
    assert_eq!((&read.0[..], &write.0[..]), ("OpenMapping 6", "OpenMapping 6"));
    assert_eq!((&create.0[..], &either.0[..]), ("CreateMapping 6", "CreateMapping 6"));
    for (_, fault) in [read, write, create, either] {
        assert!(matches!(fault, LinkFault::NotAFile(what) if what.contains("event")), "{fault:?}");
    }
}

#[test]
fn a_name_in_a_directory_that_is_not_there_is_refused_by_both() {
    let name = format!("{}\\no\\where", Name::new().0);
    let Refusals { read, write, create, either } = refusals::<u64>(&name);
    assert_eq!((&read.0[..], &write.0[..]), ("OpenMapping 3", "OpenMapping 3"));
    assert_eq!((&create.0[..], &either.0[..]), ("CreateMapping 3", "CreateMapping 3"));
    for (_, fault) in [read, write, create, either] {
        assert!(matches!(fault, LinkFault::Name(_)), "{fault:?}");
    }
}

#[test]
fn what_is_smaller_than_the_type_is_refused_by_both() {
    type Large = [u8; 3 * 4096];
    let name = Name::new();
    let _small: Writable<u64> = raw(&name.0).create().unwrap();
    assert_eq!(theirs(SharedMemoryLink::<Large, TheirReadOnly>::open(&name.0)), "MapView 5");
    assert_eq!(theirs(SharedMemoryLink::<Large, TheirReadWrite>::open_existing(&name.0)), "MapView 5");
    assert_eq!(theirs(SharedMemoryLink::<Large, TheirReadWrite>::get_or_create(&name.0)), "MapView 5");
    let too_short = |fault| matches!(fault, LinkFault::TooShort { expected: 12_288, found: 4096 });
    assert!(too_short(fault(raw::<Large, _>(&name.0).open())));
    assert!(too_short(fault(raw::<Large, _>(&name.0).open_existing())));
    assert!(too_short(fault(raw::<Large, _>(&name.0).open_or_create())));
    // Up to the end of the page there are bytes, and neither of us can tell.
    assert!(SharedMemoryLink::<[u8; 4096], TheirReadOnly>::open(&name.0).is_ok());
    assert!(raw::<[u8; 4096], commonage::link::ReadOnly>(&name.0).open().is_ok());
}

#[test]
fn a_type_without_bytes_is_refused_there_and_made_here() {
    let name = Name::new();
    assert_eq!(theirs(SharedMemoryLink::<[u64; 0], TheirReadWrite>::create(&name.0)), "CreateMapping 87");
    assert_eq!(theirs(SharedMemoryLink::<[u64; 0], TheirReadWrite>::get_or_create(&name.0)), "CreateMapping 87");
    let _made: Writable<[u64; 0]> = raw(&name.0).create().unwrap();
    assert!(SharedMemoryLink::<[u64; 0], TheirReadOnly>::open(&name.0).is_ok());
}

#[test]
fn four_gibibytes_are_too_large_there_and_made_here_where_there_is_room() {
    type Large = [u8; (4 << 30) + 1];
    let name = Name::new();
    assert_eq!(theirs(SharedMemoryLink::<Large, TheirReadWrite>::create(&name.0)), "SizeTooLarge");
    assert_eq!(theirs(SharedMemoryLink::<Large, TheirReadWrite>::get_or_create(&name.0)), "SizeTooLarge");
    match raw::<Large, ReadWrite>(&name.0).create() {
        Ok(made) => assert_eq!(made.bytes(), (4 << 30) + 1),
        Err(error) => assert!(matches!(error, Error::NoSpace { requested: 0x1_0000_0001, .. }), "{error:?}"),
    }
    // Larger than all addresses.
    let error = raw::<u8, ReadWrite>(&name.0).bytes(u64::MAX).create().unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    // Larger than all memory.
    let error = raw::<u8, ReadWrite>(&name.0).bytes(1 << 62).create().unwrap_err();
    assert!(matches!(error, Error::NoSpace { requested: 0x4000_0000_0000_0000, .. }), "{error:?}");
}

#[test]
fn a_name_with_a_nul_is_cut_there_and_refused_here() {
    let name = Name::new();
    let cut = format!("{}\0rest", name.0);
    let _made = SharedMemoryLink::<u64, TheirReadWrite>::create(&cut).unwrap();
    assert!(SharedMemoryLink::<u64, TheirReadOnly>::open(&name.0).is_ok(), "another name than the one that was given");
    assert!(matches!(fault(raw::<u64, _>(&cut).open()), LinkFault::Name(_)));
    assert!(matches!(fault(raw::<u64, _>(&cut).create()), LinkFault::Name(_)));
}

#[test]
fn an_empty_name_leads_nowhere_there_and_is_refused_here() {
    let _made = SharedMemoryLink::<u64, TheirReadWrite>::create("");
    assert!(SharedMemoryLink::<u64, TheirReadOnly>::open("").is_err(), "nobody finds it");
    assert!(matches!(fault(raw::<u64, _>("").create()), LinkFault::Name(_)));
    assert!(matches!(fault(raw::<u64, _>("").open()), LinkFault::Name(_)));
}

#[test]
fn what_has_no_memory_yet_is_opened_there_to_trap_and_refused_here() {
    let name = Name::new();
    let _made = mapping(&name.0, ptr::null(), PAGE_READWRITE | SEC_RESERVE);
    // A look at it would end this process.
    assert!(SharedMemoryLink::<u64, TheirReadOnly>::open(&name.0).is_ok());
    let short = Duration::from_millis(20);
    let fault = fault(raw::<u64, ReadWrite>(&name.0).ready_timeout(short).open_existing());
    assert!(matches!(fault, LinkFault::NotReady { process: 0, waited } if waited >= short), "{fault:?}");
}

#[test]
fn what_may_be_written_but_not_owned_is_denied_there_and_opened_here() {
    let name = Name::new();
    let _made = restricted(&name.0, FILE_MAP_READ | FILE_MAP_WRITE);
    assert_eq!(theirs(SharedMemoryLink::<u64, TheirReadWrite>::open_existing(&name.0)), "OpenMapping 5");
    let mut link: Writable<u64> = raw(&name.0).open_existing().unwrap();
    // SAFETY: nobody else has it.
    *unsafe { link.get_mut() } = 7;
    // SAFETY: nobody writes.
    assert_eq!(unsafe { *SharedMemoryLink::<u64, TheirReadOnly>::open(&name.0).unwrap().get() }, 7);
}
