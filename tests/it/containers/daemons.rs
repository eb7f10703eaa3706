//! A process that has nothing: no standard descriptors, no environment, no directory of its own, no file mode.

use std::{
    fs,
    path::{Path, PathBuf},
};

use commonage::{Shared, SharedMut, SharedSlice, SharedSliceMut};

use super::*;
use crate::{
    scene::{BOTH, scene, until, value},
    support::Directory,
};

const PLACE: &str = "COMMONAGE_TEST_PLACE";

/// Written whole under another name, then there.
fn put(path: &Path, text: &str) {
    let hidden = path.with_extension("new");
    platform::with_file_mode(|| fs::write(&hidden, text).unwrap());
    fs::rename(hidden, path).unwrap();
}

fn read_when_there(path: &Path) -> String {
    until("a file of the other's", || fs::read_to_string(path).ok())
}

#[test]
fn a_daemon_that_has_nothing_sends_and_receives() {
    const TEST: &str = "containers::daemons::a_daemon_that_has_nothing_sends_and_receives";
    let main = || {
        let directory = Directory::new();
        let place = PathBuf::from(&directory.0);
        // Its program may lie where only its present user may go.
        let daemon = child(TEST, "daemon").env(PLACE, &directory.0).spawn();
        platform::become_ordinary(&place);
        let shared: SharedSlice<u8> = Shared::new(&(1, 70_000)).unwrap();
        put(&place.join("token"), &shared.clone().into_token().unwrap());
        let text = read_when_there(&place.join("tokens"));
        let tokens: Vec<&str> = text.split(' ').collect();
        let [first, second, third] = tokens[..] else { panic!("the daemon has failed: {text}") };
        assert_eq!(shared.counts().holders, 2);
        let value = SharedSlice::<u8>::from_token(first).unwrap();
        assert!(value.len() == 70_000 && value.iter().all(|byte| *byte == 2));
        let mut value = SharedSliceMut::<u8>::from_token(second).unwrap();
        assert!(value.len() == 70_000 && value.iter().all(|byte| *byte == 3));
        value[0] = 4;
        put(&place.join("done"), "");
        // It ends with one more on its way.
        let status = daemon.end();
        assert!(status.success(), "{status}");
        assert_eq!(shared.counts().holders, 1);
        let value = SharedSlice::<u8>::from_token(third).unwrap();
        assert!(value.len() == 70_000 && value.iter().all(|byte| *byte == 5));
    };
    let daemon = |_: &str| {
        let place = PathBuf::from(value(PLACE));
        platform::become_ordinary(&place);
        let hidden = place.clone();
        std::panic::set_hook(Box::new(move |why| put(&hidden.join("tokens"), &why.to_string())));
        platform::become_daemon();
        let token = read_when_there(&place.join("token"));
        let claimed = SharedSlice::<u8>::from_token(&token).unwrap();
        assert!(claimed.len() == 70_000 && claimed.iter().all(|byte| *byte == 1));
        let first = SharedSlice::<u8>::new(&(2, 70_000)).unwrap().into_token().unwrap();
        let second: SharedSliceMut<u8> = SharedMut::new(&(3, 70_000)).unwrap();
        let third = SharedSlice::<u8>::new(&(5, 70_000)).unwrap().into_token().unwrap();
        // Nothing was put where any program takes it for its own.
        platform::assert_no_standard();
        put(&place.join("tokens"), &format!("{first} {} {third}", second.into_token().unwrap()));
        read_when_there(&place.join("done"));
    };
    scene(TEST, BOTH, main, daemon);
}
