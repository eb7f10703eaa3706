//! Names of links that only one test uses, and paths.

use std::{
    path::PathBuf,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use commonage::{Link, Shareable, link::LinkBuilder};

use crate::support::{ChildCommand, Directory, child, named_directory, named_file};

/// The name of the link that a child is to use.
pub(crate) const LINK: &str = "COMMONAGE_TEST_LINK";
/// The path of one.
pub(crate) const PATH: &str = "COMMONAGE_TEST_PATH";

/// A name that nobody else uses; what has it at the end is removed, also when the test fails.
pub(crate) struct Name(pub(crate) String);

impl Name {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Name(format!("commonage-link-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        let _ = Link::remove(&self.0);
    }
}

/// Where a link is.
pub(crate) enum Spot {
    Name(Name),
    File(Directory),
}

impl Spot {
    pub(crate) fn link<T: Shareable, Access>(&self) -> LinkBuilder<T, Access> {
        match self {
            Spot::Name(name) => Link::named(&name.0),
            Spot::File(_) => Link::at_path(self.path()),
        }
    }

    /// The same test in another process, which finds it by what is set there.
    pub(crate) fn child(&self, test: &str, role: &str) -> ChildCommand {
        match self {
            Spot::Name(name) => child(test, role).env(LINK, &name.0),
            Spot::File(_) => child(test, role).env(PATH, &self.path()),
        }
    }

    /// The file, where it is one.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Spot::Name(name) => named_file(&name.0),
            Spot::File(_) => self.path().into(),
        }
    }

    /// What it is opened by.
    pub(crate) fn path(&self) -> String {
        match self {
            Spot::Name(name) => name.0.clone(),
            Spot::File(directory) => format!("{}/link", directory.0),
        }
    }
}

/// What of [`of_both_kinds`] is a file: where the identity files are, of which a test can say how large that is.
#[cfg(target_os = "linux")]
pub(crate) fn that_are_files() -> Vec<Spot> {
    vec![Spot::Name(Name::new()), Spot::File(Directory::within(&named_directory()))]
}

/// What of [`of_both_kinds`] is a file: where the identity files are, of which a test can say how large that is.
#[cfg(not(target_os = "linux"))]
pub(crate) fn that_are_files() -> Vec<Spot> {
    vec![Spot::File(Directory::within(&named_directory()))]
}

/// A link by name, and one by path.
pub(crate) fn of_both_kinds() -> [Spot; 2] {
    [Spot::Name(Name::new()), Spot::File(Directory::new())]
}

/// Links that stay when nobody has them open.
#[cfg(unix)]
pub(crate) fn that_stay() -> Vec<Spot> {
    of_both_kinds().into()
}

/// Links that stay when nobody has them open: a name goes with the last that has.
#[cfg(windows)]
pub(crate) fn that_stay() -> Vec<Spot> {
    vec![Spot::File(Directory::new())]
}

/// The fault in an error that must be of a link.
#[track_caller]
pub(crate) fn fault<T>(result: Result<T, impl Into<commonage::Error>>) -> commonage::LinkFault {
    match result.map_err(Into::into) {
        Err(commonage::Error::Link { fault, .. }) => fault,
        Err(error) => panic!("an error of the link expected, found {error:?}"),
        Ok(_) => panic!("an error of the link expected, and there is none"),
    }
}
