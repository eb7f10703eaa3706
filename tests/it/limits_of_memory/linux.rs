//! Files that may not be larger. A file system has room for what of a segment is used.

use commonage::{Error, Shared, SharedSlice};

use super::{MIB, right};
use crate::{
    scene::{ANONYMOUS, scene},
    support::child,
};

/// Bytes of a file system with room for a few values.
pub(super) const SMALL: u64 = MIB;
/// With room for an owner of 2 MB and its heir of 2.5 MB, one after the other, and what the heir has before.
pub(super) const FOR_ONE: u64 = 4 * MIB;
pub(super) const BEFORE: usize = 100_000;

/// What a process has goes before it can be known to be dead.
pub(super) fn when_freed<T>(make: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    make()
}

/// The system ends, by a signal, a process that makes a file larger than it may.
#[test]
fn a_limit_on_the_size_of_files_is_no_space() {
    const TEST: &str = "limits_of_memory::linux::a_limit_on_the_size_of_files_is_no_space";
    let main = || drop(child(TEST, "limited").run_to_success());
    let role = |_: &str| {
        let limit = libc::rlimit { rlim_cur: 64 << 20, rlim_max: 64 << 20 };
        // SAFETY: a limit of this process's own, read by the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
        let value: SharedSlice<u8> = Shared::new(&(1, 1 << 20)).unwrap();
        let error = SharedSlice::<u8>::new(&(1, 100 << 20)).unwrap_err();
        assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
        // Segments that would be larger are as large as they may be.
        let values: Vec<SharedSlice<u8>> = (0..12).map(|fill| Shared::new(&(fill, 12 << 20)).unwrap()).collect();
        assert!(right(&values) && value[77] == 1);
    };
    scene(TEST, ANONYMOUS, main, role);
}

#[test]
fn a_limit_on_the_size_of_files_that_comes_later_changes_nothing() {
    const TEST: &str = "limits_of_memory::linux::a_limit_on_the_size_of_files_that_comes_later_changes_nothing";
    let main = || drop(child(TEST, "limited").run_to_success());
    let role = |_: &str| {
        let before: SharedSlice<u8> = Shared::new(&(1, 1 << 20)).unwrap();
        let limit = libc::rlimit { rlim_cur: 4096, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: a limit of this process's own, read by the call.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &limit) }, 0);
        // Into memory that nobody has used.
        let source = vec![2_u8; 2 << 20];
        let value: SharedSlice<u8> = Shared::copy_from(&source[..]).unwrap();
        assert!(*value == source[..] && before[77] == 1);
    };
    scene(TEST, ANONYMOUS, main, role);
}
