//! Files and what else has a name on Windows.

use std::{
    os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle},
    ptr::{self, NonNull},
};

use windows_sys::Win32::{
    Foundation::INVALID_HANDLE_VALUE,
    Security::{
        ACL, ACL_REVISION, AddAccessAllowedAce, CreateWellKnownSid, InitializeAcl, InitializeSecurityDescriptor,
        SECURITY_ATTRIBUTES, SECURITY_DESCRIPTOR, SetSecurityDescriptorDacl, WinWorldSid,
    },
    System::{
        Memory::{CreateFileMappingW, FILE_MAP_READ, FILE_MAP_WRITE, MapViewOfFile, PAGE_READWRITE},
        Threading::{CreateEventW, CreateMutexW},
    },
};

use super::*;

/// There is one.
pub(super) const WAYS: [Make; 1] = [Draft::new];

/// UTF-16 units of the longest name.
pub(super) const LONGEST: usize = 260;

pub(super) fn is_as_it_was_made(at: &Address, size: u64) {
    let Address::Path(path) = at else { panic!("a name is in view at once") };
    let metadata = fs::symlink_metadata(path).unwrap();
    assert!(metadata.is_file());
    assert_eq!(metadata.len(), size);
}

/// Where something is that is no file mapping and no file, what it is, and what keeps it there.
pub(super) fn other_things(_directory: &Directory) -> Vec<(Address, &'static str, Option<OwnedHandle>)> {
    let object = "an event, a mutex or another object";
    let names = [(); 2].map(|()| format!("c-test-{:016x}", random_u64().unwrap()));
    let [event, mutex] = names.each_ref().map(|name| name.encode_utf16().chain([0]).collect::<Vec<u16>>());
    // SAFETY: the name ends in a zero and lives longer than the call; there are no attributes.
    let event = unsafe { CreateEventW(ptr::null(), 0, 0, event.as_ptr()) };
    // SAFETY: as above.
    let mutex = unsafe { CreateMutexW(ptr::null(), 0, mutex.as_ptr()) };
    let handles = [event, mutex].map(|handle| {
        assert!(!handle.is_null(), "{}", io::Error::last_os_error());
        // SAFETY: a new handle that is nobody else's.
        Some(unsafe { OwnedHandle::from_raw_handle(handle) })
    });
    let null = Address::path(Path::new("NUL")).unwrap();
    for writable in [false, true] {
        let found = Place::open(&null, writable);
        assert!(matches!(found, Err(PlaceError::NotAFile("a device or a pipe"))), "{found:?}");
    }
    let address = |name: &String| Address::name(name).unwrap();
    names.iter().zip(handles).map(|(name, handle)| (address(name), object, handle)).collect()
}

/// A name that everybody may read by, and nobody write.
pub(super) fn made_for_reading(_directory: &Directory, bytes: &[u8]) -> (Address, OwnedHandle) {
    let at = format!("c-test-{:016x}", random_u64().unwrap());
    let name: Vec<u16> = at.encode_utf16().chain([0]).collect();
    let (mut everybody, mut len) = ([0_u64; 16], 128);
    // SAFETY: fills in as many bytes as it is told.
    let done = unsafe { CreateWellKnownSid(WinWorldSid, ptr::null_mut(), everybody.as_mut_ptr().cast(), &raw mut len) };
    assert_ne!(done, 0, "{}", io::Error::last_os_error());
    let mut list = [0_u64; 32];
    let acl = list.as_mut_ptr().cast::<ACL>();
    // SAFETY: the list has as many bytes, and is aligned.
    assert_ne!(unsafe { InitializeAcl(acl, 256, ACL_REVISION) }, 0);
    // SAFETY: the list was made above, and so was the identifier.
    let done = unsafe { AddAccessAllowedAce(acl, ACL_REVISION, FILE_MAP_READ, everybody.as_mut_ptr().cast()) };
    assert_ne!(done, 0, "{}", io::Error::last_os_error());
    let mut descriptor = SECURITY_DESCRIPTOR::default();
    let to = (&raw mut descriptor).cast();
    // SAFETY: fills in the struct.
    assert_ne!(unsafe { InitializeSecurityDescriptor(to, 1) }, 0);
    // SAFETY: the struct was filled in above; the list lives longer than it is used.
    assert_ne!(unsafe { SetSecurityDescriptorDacl(to, 1, acl, 0) }, 0);
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: to,
        bInheritHandle: 0,
    };
    // SAFETY: the name ends in a zero; it and the attributes live longer than the call.
    let handle = unsafe {
        CreateFileMappingW(INVALID_HANDLE_VALUE, &raw const attributes, PAGE_READWRITE, 0, 4096, name.as_ptr())
    };
    assert!(!handle.is_null(), "{}", io::Error::last_os_error());
    // SAFETY: a new handle that is nobody else's.
    let handle = unsafe { OwnedHandle::from_raw_handle(handle) };
    // SAFETY: the handle is open, and whoever has made the mapping may write to it; a new view of it.
    let view = unsafe { MapViewOfFile(handle.as_raw_handle(), FILE_MAP_WRITE, 0, 0, 0) };
    let base = NonNull::new(view.Value.cast::<u8>()).expect("a view");
    // SAFETY: mapped above, as many bytes, and nobody else knows of it.
    write(&unsafe { Mapping::new(base, 4096) }, bytes);
    (Address::name(&at).unwrap(), handle)
}

/// What is denied is denied to everybody.
pub(super) fn as_an_ordinary_user(body: impl FnOnce()) {
    body();
}

/// Nothing is another user's here.
pub(super) fn more_is_denied(_directory: &Directory) {}
