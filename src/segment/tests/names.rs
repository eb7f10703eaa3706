//! The life of names, and of the file that lists them.

use std::fs;

use super::{
    files::{Left, of_identity as shown, symlink},
    *,
};

fn listed(number: u64) -> Vec<String> {
    fs::read_to_string(shown(number)).unwrap().lines().map(str::to_owned).collect()
}

fn exists(name: &str) -> bool {
    !named::is_gone(named::id_of(name).unwrap())
}

pub(super) fn child(role: &str, told: &Told) -> bool {
    match role {
        "names" => lives_and_goes(told),
        "sweeps" => loop {
            estates();
            told.say("swept");
            if told.hear().is_none() {
                break;
            }
        },
        // Says what it gets instead of a segment.
        "tries" => {
            let id = SegmentId(sys::random_u64().unwrap());
            let refused = Segment::create(Backing::Named, id, GRANULE, GRANULE).err();
            told.say(&format!("{refused:?}").replace("Some(", ""));
        }
        // Has one segment, occupies it, and stays.
        "has-names" => {
            let made = create(Backing::Named);
            assert!(made.occupy(0).unwrap());
            told.say(&format!("{} {}", made.identity().unwrap(), peer::text(&made.locator())));
            told.hear();
        }
        // Occupies a slot of another's, and exits without vacating.
        "guest" => {
            let here = attach(&told.locator()).unwrap();
            assert!(here.occupy(1).unwrap());
            told.say(&here.identity().unwrap().to_string());
            told.hear();
            std::mem::forget(here);
            identity::clean_exit();
        }
        _ => return false,
    }
    true
}

/// In a process of its own, which has no other names.
fn lives_and_goes(told: &Told) {
    let segments = [(); 3].map(|()| create(Backing::Named));
    let names: Vec<String> = segments.iter().map(|segment| named::name_of(segment.id())).collect();
    let number = segments[0].identity().unwrap();
    assert_eq!(segments[2].identity().unwrap(), number);
    assert!(names.iter().all(|name| exists(name)));
    assert_eq!(listed(number), names);
    assert!(!shown(number).with_extension("new").exists());

    segments[0].remove_name();
    assert_eq!(listed(number), [names[2].clone(), names[1].clone()]);
    assert!(!exists(&names[0]));
    assert_eq!(segments[1].liveness(0, number), Liveness::Alive);

    // What it is in as a guest is listed too: there somebody may ask for it.
    let guest = attach(&segments[1].locator()).unwrap();
    assert!(guest.occupy(4).unwrap());
    segments[1].remove_name();
    segments[2].remove_name();
    assert_eq!(listed(number), [names[1].clone()]);
    guest.vacate(4);
    assert!(!shown(number).exists());
    assert_eq!(segments[1].liveness(0, number), Liveness::Unknown);
    assert!(!names.iter().any(|name| exists(name)));

    // A new file has the same number: a slot may have been given it meanwhile.
    let again = create(Backing::Named);
    assert_eq!(again.identity().unwrap(), number);
    assert_eq!(listed(number), [named::name_of(again.id())]);
    let twin = Segment::create(Backing::Named, again.id(), GRANULE, GRANULE).err().unwrap();
    assert!(matches!(twin, Error::Os { .. }), "{twin}");
    assert!(exists(&named::name_of(again.id())), "the first one's name is still there");
    again.remove_name();
    drop(again);
    assert!(!shown(number).exists());

    let unused = attach(&segments[0].locator()).err().unwrap();
    assert!(matches!(unused, Error::Gone { .. }), "{unused}");
    told.say("done");
}

#[test]
fn the_file_lists_what_there_is() {
    let mut child = Peer::start("names");
    assert_eq!(child.hear(), "done");
    child.end();
}

#[test]
fn a_dead_process_leaves_a_list() {
    let mut child = Peer::start("has-names");
    let said = child.hear();
    let (number, theirs) = said.split_once(' ').unwrap();
    let (number, theirs) = (number.parse().unwrap(), peer::locator(theirs));
    let here = attach(&theirs).unwrap();
    assert_eq!(here.liveness(0, number), Liveness::Alive);
    child.kill();
    assert_eq!(here.liveness(0, number), Liveness::Dead);
    assert_eq!(listed(number), [named::name_of(theirs.id)]);
    attach(&theirs).unwrap();
    here.remove_name();
    here.bury(number, false);
    assert!(!shown(number).exists());
    assert_eq!(here.liveness(0, number), Liveness::Unknown);
}

#[test]
fn a_guest_that_exits_in_its_slot_is_dead_until_it_is_buried() {
    let made = create(Backing::Named);
    let mut guest = Peer::start("guest");
    let number = guest.ask(&peer::text(&made.locator())).parse().unwrap();
    assert_eq!(made.liveness(1, number), Liveness::Alive);
    assert!(shown(number).exists());
    guest.end();
    assert_eq!(made.liveness(1, number), Liveness::Dead);
    made.remove_name();
    made.bury(number, false);
    assert!(!shown(number).exists());
    assert_eq!(made.liveness(1, number), Liveness::Unknown);
}

#[test]
fn a_link_in_place_of_an_identity_is_not_followed() {
    let made = create(Backing::Named);
    let number = sys::random_u64().unwrap();
    let elsewhere = Left::new(&format!("commonage-test-link-{number:016x}"), "");
    if symlink(&elsewhere.0, &shown(number)) {
        assert_eq!(made.liveness(0, number), Liveness::Unknown);
        fs::remove_file(shown(number)).unwrap();
    }
    fs::create_dir(shown(number)).unwrap();
    assert_eq!(made.liveness(0, number), Liveness::Unknown);
    fs::remove_dir(shown(number)).unwrap();
    made.remove_name();
}

/// Not on macOS: there the system refuses so much for other reasons.
#[cfg(any(target_os = "linux", windows))]
#[test]
fn what_there_is_no_room_for_is_refused_and_leaves_no_name() {
    let id = SegmentId(sys::random_u64().unwrap());
    let refused = Segment::create(Backing::Named, id, GRANULE, 1 << 60);
    let refused = refused.and_then(|segment| segment.reserve(0..1 << 60).inspect_err(|_| segment.remove_name()));
    let Err(refused) = refused else { panic!("nobody has so much") };
    assert!(matches!(refused, Error::NoSpace { .. }), "{refused}");
    assert!(named::is_gone(id));
}
