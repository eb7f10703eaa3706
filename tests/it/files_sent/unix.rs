//! What is so on Unix: a file that is mapped can be replaced, and has a time.

use std::time::Duration;

use super::{changed::refused, *};

#[test]
fn who_has_it_keeps_what_was_replaced_and_can_pass_it_on_here_only() {
    let place = Place::new();
    let value = bytes_in(&place.path, 100, 7);
    file::write(&place.path, &[8u8; 100][..]).unwrap();
    assert_eq!(value, [7; 100]);
    // It is found among what this process has, not at its path.
    let token = value.clone().into_token().unwrap();
    assert!(SharedSlice::<u8>::from_token(&token).unwrap().ptr_eq(&value));
    drop(value);
    assert!(matches!(refused(&token), FileFault::Changed { .. }));

    // A pipe is not even opened: that would let go whoever waits for its other end.
    let exclusive = open_mut(&place.path).into_token().unwrap();
    fs::remove_file(&place.path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&place.path).status().unwrap().success());
    let opened = Opened::of(&place.path);
    assert!(matches!(refused(&token), FileFault::NotAFile(_)));
    assert!(matches!(fault(SharedSliceMut::<u8>::from_token(&exclusive)), FileFault::NotAFile(_)));
    assert!(!opened.since());
}

/// Whether something is opened by anybody.
struct Opened {
    #[cfg(target_os = "linux")]
    watch: rustix::fd::OwnedFd,
}

#[cfg(target_os = "linux")]
impl Opened {
    fn of(path: &str) -> Opened {
        use rustix::fs::inotify;

        let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watch, path, inotify::WatchFlags::OPEN).unwrap();
        let opened = Opened { watch };
        drop(fs::File::options().read(true).write(true).open(path));
        assert!(opened.since());
        opened
    }

    fn since(&self) -> bool {
        rustix::io::read(&self.watch, &mut [0; 4096]).is_ok()
    }
}

/// Nobody says.
#[cfg(not(target_os = "linux"))]
impl Opened {
    fn of(_path: &str) -> Opened {
        Opened {}
    }

    fn since(&self) -> bool {
        false
    }
}

#[test]
fn a_foreign_file_is_known_by_its_time() {
    let place = Place::new();
    fs::write(&place.path, [7; 100]).unwrap();
    // SAFETY: nobody changes it while it is open.
    let value = unsafe { file::options::<[u8]>().raw().open(&place.path) }.unwrap();
    let token = value.into_token().unwrap();
    assert_eq!(SharedSlice::<u8>::from_token(&token).unwrap(), [7; 100]);
    let file = fs::File::options().write(true).open(&place.path).unwrap();
    let earlier = file.metadata().unwrap().modified().unwrap() - Duration::from_secs(10);
    file.set_modified(earlier).unwrap();
    let changed = refused(&token);
    assert!(matches!(changed, FileFault::Changed { what: "the time of its last change", .. }), "{changed}");

    // What it was when it was frozen before is another value, though the page is one that has been written to: the system
    // does not see that it is written to again.
    fs::write(&place.path, [7; 10_000]).unwrap();
    // SAFETY: as above.
    let mut value = unsafe { file::options::<[u8]>().raw().open_mut(&place.path) }.unwrap();
    value[9000] = 8;
    let frozen = value.freeze().unwrap();
    let token = frozen.clone().into_token().unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    let mut value = frozen.try_into_mut().unwrap();
    value[9000] = 9;
    // As if all of that was within one tick of the clock.
    file.set_modified(time).unwrap();
    let frozen = value.freeze().unwrap();
    for _ in 0..2 {
        let changed = refused(&token);
        assert!(matches!(changed, FileFault::Changed { what: "the time of its last change", .. }), "{changed}");
    }
    let token = frozen.clone().into_token().unwrap();
    assert!(SharedSlice::<u8>::from_token(&token).unwrap().ptr_eq(&frozen));
    drop(frozen);
    assert_eq!(SharedSlice::<u8>::from_token(&token).unwrap()[9000], 9);

    // Nor is it the same if it is not frozen again.
    // SAFETY: as above.
    let frozen = unsafe { file::options::<[u8]>().raw().open_mut(&place.path) }.unwrap().freeze().unwrap();
    let token = frozen.clone().into_token().unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    let mut value = frozen.try_into_mut().unwrap();
    value[9000] = 10;
    file.set_modified(time).unwrap();
    drop(value);
    let changed = refused(&token);
    assert!(matches!(changed, FileFault::Changed { what: "the time of its last change", .. }), "{changed}");

    // Nor if another writer opens it within the tick in which the token was made.
    // SAFETY: as above.
    let value = unsafe { file::options::<[u8]>().raw().open(&place.path) }.unwrap();
    let token = value.into_token().unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    // SAFETY: as above.
    let mut value = unsafe { file::options::<[u8]>().raw().open_mut(&place.path) }.unwrap();
    value[9000] = 11;
    file.set_modified(time).unwrap();
    drop(value);
    let changed = refused(&token);
    assert!(matches!(changed, FileFault::Changed { what: "the time of its last change", .. }), "{changed}");
}

#[test]
fn a_second_claim_does_not_wait_for_the_first_to_let_it_go() {
    let place = Place::new();
    let token = created(&place.path, 100, 7).into_token().unwrap();
    let value = SharedSliceMut::<u8>::from_token(&token).unwrap();
    // Not that it is still held.
    assert!(matches!(fault(SharedSliceMut::<u8>::from_token(&token)), FileFault::AlreadyClaimed));
    assert_eq!(*value, [7; 100]);
}
