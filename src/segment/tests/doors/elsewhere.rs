//! Where there is no memory without a name: what is behind a door is said by a name alone.

use std::path::Path;

use super::*;

/// The process itself, and no descriptor of it.
pub(super) fn door_to_something() -> (Door, ()) {
    (Door { pid: id(), fd: 1 }, ())
}

/// What goes with a test.
pub(super) type Made = Left;

/// Makes something of these bytes where there should be a segment, and says at which door.
pub(super) fn make(_backing: Backing, id: SegmentId, bytes: &[u8]) -> (Door, Made) {
    let path = of_segment(id);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let name = Left::at(path, "");
    fs::write(&name.0, bytes).unwrap();
    (Door { pid: 1, fd: 0 }, name)
}

/// There are no other doors than names.
pub(super) fn other_things_are_no_segments() {}

/// In the directory of names there are files and directories only.
pub(super) fn names_lead_to_other_things(_path: &Path, _found: &dyn Fn() -> String) {}

/// There is no memory that goes with a process.
pub(super) fn memory_of_a_zombie_is_gone() {}

/// The system keeps what is mapped: a file can be made longer, and no shorter.
pub(super) fn nobody_changes_the_size() {
    let made = create(Backing::Named);
    word(&made, CONTROL + DATA - 8).store(7, Ordering::Relaxed);
    let path = of_segment(made.id());
    let file = fs::File::options().read(true).write(true).open(&path).unwrap();
    for len in [0, CONTROL as u64, (CONTROL + DATA) as u64 - 1] {
        assert!(file.set_len(len).is_err(), "{len}");
        assert!(fs::File::create(&path).is_err());
        assert_eq!(file.metadata().unwrap().len(), (CONTROL + DATA) as u64);
    }
    assert_eq!(word(&made, CONTROL + DATA - 8).load(Ordering::Relaxed), 7);
    drop(file);
    made.remove_name();
}
