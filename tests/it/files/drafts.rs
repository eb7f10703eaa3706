//! What is made is whole when it comes into view, or does not come into view.

use std::panic::{AssertUnwindSafe, catch_unwind};

use commonage::{FileFault, Shared, SharedMut, file, file::Draft};

use super::{Place, fault, open, try_open, try_open_mut};

fn assert_send_and_sync<T: Send + Sync>(_: &T) {}

#[test]
fn nobody_sees_a_draft_before_it_is_published() {
    let place = Place::new();
    let path = place.path();
    let mut draft = file::draft::<[u64]>(&path, &(1, 1000)).unwrap();
    assert_send_and_sync(&draft);
    assert_eq!(draft.path(), path);
    draft.as_view_mut()[999] = 2;
    assert!(matches!(fault(&path, try_open(&path)), FileFault::Absent));
    assert!(format!("{draft:?}").contains("value"), "{draft:?}");
    draft.publish().unwrap();
    assert_eq!(open(&path)[998..], [1, 2]);
    assert_eq!(place.names(), ["value"]);

    let draft = file::draft::<[u64]>(&path, &(3, 5)).unwrap();
    assert_eq!(open(&path).len(), 1000, "the old one is there until then");
    draft.publish().unwrap();
    assert_eq!(*open(&path), [3; 5]);
}

#[test]
fn a_draft_that_is_dropped_leaves_the_old_file_and_nothing_else() {
    let place = Place::new();
    let path = place.path();
    drop(file::draft::<[u64]>(&path, &(1, 1000)).unwrap());
    assert_eq!(place.names(), [""; 0]);
    file::write(&path, &[4u64; 7][..]).unwrap();
    drop(file::draft::<[u64]>(&path, &(1, 1000)).unwrap());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        Draft::<[u64]>::from_fn(&path, 1000, |index| if index < 500 { 1 } else { panic!("in the middle") })
    }));
    assert!(panicked.is_err());
    assert_eq!(*open(&path), [4; 7]);
    assert_eq!(place.names(), ["value"]);
}

#[test]
fn what_must_be_new_is_refused_where_something_is_and_the_draft_comes_back() {
    let place = Place::new();
    let path = place.path();
    let options = file::options::<[u64]>().must_be_new();
    let draft = options.draft(&path, &(1, 10)).unwrap();
    // Another comes into view meanwhile.
    let other = place.file("other");
    options.write(&other, &[2; 3]).unwrap();
    std::fs::rename(other, &path).unwrap();
    let refused = draft.publish().unwrap_err();
    assert!(refused.to_string().ends_with("it exists"), "{refused}");
    let mut draft = refused.handle;
    draft.as_view_mut()[0] = 9;
    assert!(matches!(fault(&path, options.write(&path, &[3; 3])), FileFault::Exists));
    assert!(matches!(
        fault(&path, options.draft(&path, &(1, 1)).and_then(|draft| Ok(draft.publish()?))),
        FileFault::Exists
    ));
    assert_eq!(*open(&path), [2; 3]);
    std::fs::remove_file(&path).unwrap();
    draft.publish().unwrap();
    assert_eq!(open(&path)[..2], [9, 1]);
    assert_eq!(place.names(), ["value"]);
}

#[test]
fn what_is_published_is_read_or_written_on_with_no_one_in_between() {
    let place = Place::new();
    let path = place.path();
    let draft = file::draft::<[u64]>(&path, &(1, 10)).unwrap();
    // SAFETY: nobody changes the file but through the crate, here and below.
    let mut written = unsafe { draft.publish_mut() }.unwrap();
    assert!(matches!(fault(&path, try_open(&path)), FileFault::Locked { .. }));
    assert_eq!(written.path(), Some(&*path));
    written[0] = 5;
    drop(written);
    assert_eq!(open(&path)[..2], [5, 1]);

    let draft = file::draft::<[u64]>(&path, &(2, 10)).unwrap();
    // SAFETY: as above.
    let read = unsafe { draft.publish_shared() }.unwrap();
    assert!(matches!(fault(&path, try_open_mut(&path)), FileFault::Locked { .. }));
    assert_eq!((*open(&path)).to_vec(), *read);
    assert_eq!(read.path(), Some(&*path));
}

#[test]
fn slices_are_written_where_they_stay() {
    let place = Place::new();
    let path = place.path();
    Draft::<[u64]>::from_fn(&path, 3, |index| 10 * index as u64).unwrap().publish().unwrap();
    assert_eq!(*open(&path), [0, 10, 20]);
    let mut zeroes = Draft::<[u64]>::zeroed(&path, 100_000).unwrap();
    assert!(zeroes.as_view().iter().all(|zero| *zero == 0));
    zeroes.as_view_mut()[99_999] = 1;
    zeroes.publish().unwrap();
    assert_eq!(open(&path).iter().sum::<u64>(), 1);
}

#[test]
fn parts_and_shortened_values_are_written_as_they_are_seen() {
    let place = Place::new();
    let path = place.path();
    let shared = Shared::<[u64]>::from_fn(100, |index| index as u64).unwrap();
    file::write_shared(&path, &shared.slice(3..7)).unwrap();
    assert_eq!(*open(&path), [3, 4, 5, 6]);
    let mut exclusive = SharedMut::<[u64]>::new(&(8, 1000)).unwrap();
    exclusive.resize(2, 0).unwrap();
    file::write_shared_mut(&path, &exclusive).unwrap();
    assert_eq!(*open(&path), [8, 8]);
    file::options::<[u64]>().raw().write_shared_mut(&path, &exclusive).unwrap();
    assert_eq!(std::fs::read(&path).unwrap().len(), 16);
}

#[test]
fn a_path_without_a_directory_or_a_name_is_refused() {
    let place = Place::new();
    let path = place.file("nowhere/value");
    assert!(matches!(fault(&path, file::write(&path, &[1u64][..])), FileFault::NoDirectory));
    assert!(matches!(fault(&path, file::draft::<[u64]>(&path, &(1, 1))), FileFault::NoDirectory));
    let path = place.file("");
    let found = file::write(&path, &[1u64][..]).unwrap_err().to_string();
    assert!(found.contains("no file, but a directory") || found.contains("no path of a file"), "{found}");
    let found = file::write("", &[1u64][..]).unwrap_err().to_string();
    assert!(found.contains("no path of a file"), "{found}");
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let place = Place::new();
    let path = place.path();
    std::fs::create_dir(&path).unwrap();
    let text = super::text(&path, file::write(&path, &[1u64][..]));
    assert!(text.contains("a directory"), "{text}");
    let text = super::text(&path, try_open(&path));
    assert!(text.contains("a directory"), "{text}");
    assert_eq!(place.names(), ["value"]);
}
