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
