//! What can be said of a file, and what is said of it.

use std::time::{Duration, Instant};

use commonage::{Error, FileFault, SharedMut, SharedSliceMut, file, file::Advice};

use super::{Place, create, fault, open, open_mut, text, try_open, try_open_mut};

#[test]
fn what_is_said_of_memory_changes_no_value() {
    let place = Place::new();
    let path = place.path();
    let advices = [Advice::Normal, Advice::Random, Advice::Sequential, Advice::WillNeed, Advice::HugePages];
    for advice in advices {
        let options = file::options::<[u64]>().populate().advice(advice).lock_in_memory().durable(false);
        options.write(&path, &[7; 3000]).unwrap();
        // SAFETY: nobody changes the file but through the crate, here and below.
        let read = unsafe { options.open(&path) }.unwrap();
        read.advise(advice).unwrap();
        read.unlock_from_memory().unwrap();
        read.lock_in_memory().unwrap();
        assert_eq!(*read, [7; 3000]);
        // A part of a page is advised as its pages.
        read.slice(5..77).advise(advice).unwrap();
        drop(read);
        // SAFETY: as above.
        let mut written = unsafe { options.create(&path, &(8, 3000)) }.unwrap();
        written.advise(advice).unwrap();
        written.unlock_from_memory().unwrap();
        written[0] = 9;
        drop(written);
        // SAFETY: as above.
        assert_eq!(unsafe { options.open_private(&path) }.unwrap()[..2], [9, 8]);
        let mut own = options.anonymous(&(3, 3000)).unwrap();
        own[2999] = 4;
        assert_eq!(own[2998..], [3, 4]);
        own.unlock_from_memory().unwrap();
    }
    let shown = format!("{:?}", file::options::<[u64]>().mode(0o640).raw());
    assert!(shown.contains("[u64]") && shown.contains("0o640") && shown.contains("raw: true"), "{shown}");
    let pool = SharedMut::<[u64]>::new(&(1, 1000)).unwrap();
    pool.advise(Advice::Random).unwrap();
    pool.lock_in_memory().unwrap();
    pool.unlock_from_memory().unwrap();
    assert_eq!(pool.path(), None);
}

#[test]
fn whoever_waits_waits_as_long_as_it_is_told() {
    let place = Place::new();
    let path = place.path();
    let written = create(&path, &[1; 10]);
    let began = Instant::now();
    let options = file::options::<[u64]>().lock_timeout(Duration::from_millis(100));
    assert!(matches!(fault(&path, options.read(&path)), FileFault::Locked { .. }));
    // SAFETY: nobody changes the file but through the crate.
    assert!(matches!(fault(&path, unsafe { options.open_mut(&path) }), FileFault::Locked { .. }));
    assert!(began.elapsed() >= Duration::from_millis(200));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| file::options::<[u64]>().lock_timeout(Duration::from_secs(30)).read(&path));
        drop(written);
        assert_eq!(*waiting.join().unwrap().unwrap(), [1; 10]);
    });
}

#[test]
fn a_writer_that_panics_leaves_it_unfinished_and_one_that_freezes_or_drops_it_does_not() {
    let place = Place::new();
    let path = place.path();
    drop(create(&path, &[1; 10]).freeze().unwrap());
    assert_eq!(*open(&path), [1; 10]);
    let panicked = std::panic::catch_unwind(|| {
        let mut written = open_mut(&path);
        written[0] = 2;
        panic!("in the middle");
    });
    assert!(panicked.is_err());
    let expected = format!("process {}, which was writing it, ended before it had finished", std::process::id());
    assert_eq!(text(&path, try_open(&path)), expected);
    // SAFETY: nobody changes the file but through the crate.
    let seen = unsafe { file::options::<[u64]>().unfinished().open(&path) }.unwrap();
    assert_eq!(seen[..2], [2, 1]);
    drop(seen);
    assert!(matches!(fault(&path, try_open(&path)), FileFault::Unfinished { .. }), "it was only looked at");
    // A copy of the whole takes its place.
    drop(open_mut(&path));
    assert_eq!(open(&path)[0], 2);
}

#[test]
fn memory_without_a_file_is_flushed_at_once_and_not_sent() {
    let mut own = file::anonymous::<[u64]>(&(1, 1000)).unwrap();
    own.flush().unwrap();
    own.flush_async().unwrap();
    own.flush_range(8..16).unwrap();
    own[0] = 2;
    assert_eq!(own.path(), None);
    let error = serde_json::to_string(&own).unwrap_err().to_string();
    assert!(error.contains("can't be sent"), "{error}");
    assert_eq!(own[..2], [2, 1], "it is as it was");
    let refused = own.into_ticket().unwrap_err();
    assert!(matches!(refused.reason, Error::File { fault: FileFault::NotSent { .. }, .. }), "{:?}", refused.reason);
    let mut parts = refused.handle.split_into(4);
    parts[3].fill(5);
    let whole = SharedSliceMut::unsplit_all(parts).unwrap();
    assert_eq!(whole[749..751], [1, 5]);
    let seen = whole.freeze().unwrap();
    assert_eq!(seen.clone().slice(750..)[0], 5);
}

#[test]
fn ranges_of_any_place_are_flushed_and_others_are_the_callers_mistake() {
    let place = Place::new();
    let mut written = create(&place.path(), &[1; 5000]);
    for range in [0..0, 0..1, 1..2, 4090..4100, 39_999..40_000, 0..40_000, 40_000..40_000] {
        written.flush_range(range).unwrap();
    }
    written.fill(2);
    let part = written.split_off(2500);
    part.flush().unwrap();
    part.flush_range(3..5000).unwrap();
    written.flush_async().unwrap();
    let whole = written.unsplit(part).unwrap();
    drop(whole);
    assert_eq!(*open(&place.path()), [2; 5000]);
    // Memory of a pool has nothing to be flushed to.
    let pooled = SharedMut::<[u64]>::new(&(1, 10)).unwrap();
    pooled.flush().unwrap();
    pooled.freeze().unwrap().flush().unwrap();
}

#[test]
fn the_parts_of_a_writer_keep_others_away_until_the_last_has_gone() {
    let place = Place::new();
    let path = place.path();
    let parts = create(&path, &[1; 100]).split_into(3);
    for part in parts {
        assert!(matches!(fault(&path, try_open(&path)), FileFault::Locked { .. }));
        drop(part);
    }
    assert_eq!(*open(&path), [1; 100]);
    let seen = open(&path);
    let slice = seen.slice(10..20);
    drop(seen);
    assert!(matches!(fault(&path, try_open_mut(&path)), FileFault::Locked { .. }));
    drop(slice);
    drop(open_mut(&path));
}

#[test]
fn a_value_is_resized_within_its_file_and_never_beyond_it() {
    let place = Place::new();
    let path = place.path();
    let mut written = create(&path, &[1; 100]);
    written.resize(50, 0).unwrap();
    written.resize(100, 3).unwrap();
    assert_eq!(written.path(), Some(&*path));
    let error = written.resize(101, 4).unwrap_err();
    assert!(matches!(error, Error::TooLarge { requested: 808, limit: 800 }), "{error:?}");
    drop(written);
    let seen = open(&path);
    assert_eq!((seen.len(), seen[49], seen[50]), (100, 1, 3));
}

#[test]
fn an_ordinary_file_is_not_guarded_by_the_system() {
    let place = Place::new();
    let path = place.path();
    file::write(&path, &[1u64; 100][..]).unwrap();
    let fault = fault(&path, file::open_guarded::<[u64]>(&path));
    assert!(matches!(fault, FileFault::Unguarded { .. }), "{fault:?}");
    assert_eq!(*file::read::<[u64]>(&path).unwrap(), [1; 100]);
}
