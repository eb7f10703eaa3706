//! What comes beside a message, and that nothing of it is kept by accident.

use std::{
    mem::MaybeUninit,
    os::fd::{FromRawFd, OwnedFd, RawFd},
    ptr,
};

use rustix::net::RecvAncillaryBuffer;

/// A descriptor of the process that has sent a message: the kernel puts it there for whoever has asked for that on the socket,
/// or on a duplicate of it.
const SCM_PIDFD: i32 = 4;
/// Bytes of what stands before each thing that comes.
const HEADER: usize = size_of::<libc::cmsghdr>();

const _: () = assert!(align_of::<libc::cmsghdr>() <= 8 && HEADER.is_multiple_of(align_of::<libc::cmsghdr>()));

/// Room for what comes beside a message.
#[repr(align(8))]
pub(crate) struct Beside<const N: usize>([MaybeUninit<u8>; N]);

impl<const N: usize> Beside<N> {
    pub(crate) fn new() -> Self {
        Beside([MaybeUninit::new(0); N])
    }

    /// All of it, to be received into.
    pub(crate) fn buffer(&mut self) -> RecvAncillaryBuffer<'_> {
        RecvAncillaryBuffer::new(&mut self.0)
    }

    /// Closes the descriptors of processes that have come: rustix passes over what it does not know.
    pub(crate) fn close_unasked(self) {
        // SAFETY: they were zero, and the kernel has written to some of them.
        let bytes = self.0.map(|byte| unsafe { byte.assume_init() });
        let mut rest = &bytes[..];
        while rest.len() >= HEADER {
            // SAFETY: so many bytes are there, and any are a header.
            let header: libc::cmsghdr = unsafe { ptr::read_unaligned(rest.as_ptr().cast()) };
            // Zero where nothing has come.
            let Some(len) = (header.cmsg_len as usize).checked_sub(HEADER) else { return };
            let came = &rest[HEADER..];
            let of_a_process = (header.cmsg_level, header.cmsg_type) == (libc::SOL_SOCKET, SCM_PIDFD);
            if let (true, Some((number, _))) = (of_a_process && len >= size_of::<RawFd>(), came.split_first_chunk()) {
                // SAFETY: the kernel has opened it under this number for this message, and nobody else knows of it.
                drop(unsafe { OwnedFd::from_raw_fd(RawFd::from_ne_bytes(*number)) });
            }
            rest = came.get(len.next_multiple_of(align_of::<libc::cmsghdr>())..).unwrap_or_default();
        }
    }
}
