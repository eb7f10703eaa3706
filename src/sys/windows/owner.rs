//! Whose a file is: what others have put into the directory of this user's files is not believed.

use std::{fs::File, io, os::windows::io::AsRawHandle, ptr, sync::OnceLock};

use windows_sys::Win32::{
    Foundation::{CloseHandle, HANDLE},
    Security::{
        EqualSid, GetKernelObjectSecurity, GetSecurityDescriptorOwner, GetTokenInformation, IsWellKnownSid,
        OWNER_SECURITY_INFORMATION, PSID, TOKEN_QUERY, TOKEN_USER, TokenUser, WinBuiltinAdministratorsSid,
        WinLocalSystemSid,
    },
    System::Threading::{GetCurrentProcess, OpenProcessToken},
};

/// Room for a description of an owner, or of a user: an id has 68 bytes at most. Words, for the alignment.
type Room = [u64; 32];
const BYTES: u32 = size_of::<Room>() as u32;

/// Does an open file belong to this user, to the administrators, whose the files of an administrator's processes may be,
/// or to the system? It must be open for reading.
pub(super) fn is_ours(file: &File) -> io::Result<bool> {
    let (mut room, mut needed): (Room, u32) = ([0; 32], 0);
    let descriptor = room.as_mut_ptr().cast();
    // SAFETY: the handle is open; fills in as many bytes as there are, and says how many it needs.
    let told = unsafe {
        GetKernelObjectSecurity(file.as_raw_handle(), OWNER_SECURITY_INFORMATION, descriptor, BYTES, &raw mut needed)
    };
    if told == 0 {
        return Err(io::Error::last_os_error());
    }
    let (mut owner, mut by_default): (PSID, i32) = (ptr::null_mut(), 0);
    // SAFETY: the descriptor that was filled in; writes two values.
    if unsafe { GetSecurityDescriptorOwner(descriptor, &raw mut owner, &raw mut by_default) } == 0 {
        return Err(io::Error::last_os_error());
    }
    if owner.is_null() {
        return Ok(false);
    }
    // SAFETY: the id is within `room`, which lives longer than the call.
    unsafe { is_trusted(owner) }
}

/// Is this the id of this user, of the administrators or of the system?
///
/// # Safety
///
/// `id` points to an id that nobody changes during the call.
unsafe fn is_trusted(id: PSID) -> io::Result<bool> {
    // SAFETY: an id, by the caller.
    let known = |which| unsafe { IsWellKnownSid(id, which) } != 0;
    if known(WinBuiltinAdministratorsSid) || known(WinLocalSystemSid) {
        return Ok(true);
    }
    let user = this_user()?.as_ptr().cast::<TOKEN_USER>();
    // SAFETY: the system has filled it in, and it is never changed or moved.
    let user = unsafe { (*user).User.Sid };
    // SAFETY: two ids: the one of this process's user, and the caller's.
    Ok(unsafe { EqualSid(id, user) } != 0)
}

/// The user that this process runs as, which does not change: a `TOKEN_USER` and the id that it points to. It stays where
/// it is.
fn this_user() -> io::Result<&'static Room> {
    static USER: OnceLock<Box<Room>> = OnceLock::new();
    if let Some(user) = USER.get() {
        return Ok(user);
    }
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: asks for the handle of this process, which needs no closing.
    let process = unsafe { GetCurrentProcess() };
    // SAFETY: writes a handle.
    if unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let (mut room, mut needed): (Box<Room>, u32) = (Box::new([0; 32]), 0);
    // SAFETY: the token is open; fills in as many bytes as there are, and says how many it needs.
    let told = unsafe { GetTokenInformation(token, TokenUser, room.as_mut_ptr().cast(), BYTES, &raw mut needed) };
    let error = io::Error::last_os_error();
    // SAFETY: nobody else has this handle.
    unsafe { CloseHandle(token) };
    if told == 0 { Err(error) } else { Ok(USER.get_or_init(|| room)) }
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Security::{CreateWellKnownSid, WELL_KNOWN_SID_TYPE, WinLocalServiceSid, WinWorldSid};

    use super::*;
    use crate::sys;

    fn is_trusted_well_known(which: WELL_KNOWN_SID_TYPE) -> bool {
        let (mut room, mut bytes): (Room, u32) = ([0; 32], BYTES);
        let id = room.as_mut_ptr().cast();
        // SAFETY: fills in an id where there is room for it.
        assert_ne!(unsafe { CreateWellKnownSid(which, ptr::null_mut(), id, &raw mut bytes) }, 0);
        // SAFETY: the id that was made.
        unsafe { is_trusted(id) }.unwrap()
    }

    #[test]
    fn what_this_process_makes_is_its_own_and_what_others_make_is_not() {
        let path = sys::named_directory().join(format!("commonage-owner-{}", std::process::id()));
        let file = sys::create_private(&path).unwrap();
        let ours = is_ours(&file);
        sys::remove_file(&path).unwrap();
        assert!(ours.unwrap());
        assert!(is_trusted_well_known(WinBuiltinAdministratorsSid));
        assert!(is_trusted_well_known(WinLocalSystemSid));
        for other in [WinWorldSid, WinLocalServiceSid] {
            assert!(!is_trusted_well_known(other));
        }
    }
}
