//! Files where there is no room.

use std::{
    fs,
    io::{Seek, Write},
};

use commonage::{Error, file};

use super::{open, open_mut};
use crate::{
    scene::{NAMED, nobody_else, scene_in},
    support::{listing, named_directory},
};

#[test]
fn a_full_file_system_is_no_space_and_leaves_the_old_file_and_no_litter() {
    const TEST: &str = "files::room::a_full_file_system_is_no_space_and_leaves_the_old_file_and_no_litter";
    let main = || {
        let path = named_directory().join("value");
        file::write(&path, &[1u64; 1000][..]).unwrap();
        let no_space = |result: Result<(), Error>| match result {
            Err(Error::NoSpace { .. }) => {}
            result => panic!("{result:?}"),
        };
        let large = vec![2u64; 200_000];
        no_space(file::write(&path, &large[..]));
        no_space(file::draft::<[u64]>(&path, &(1, 200_000)).map(drop));
        no_space(file::Draft::<[u64]>::zeroed(&path, 200_000).map(drop));
        // SAFETY: nobody changes the file but through the crate.
        no_space(unsafe { file::create_from(&path, &large[..]) }.map(drop));
        no_space(file::options::<[u64]>().raw().write(&path, &large[..]));
        assert_eq!(*open(&path), [1; 1000]);
        let mut names = listing(named_directory());
        names.retain(|name| name.contains("value"));
        assert_eq!(names, ["value"]);
        file::write(&path, &[3u64; 1000][..]).unwrap();
        // To the last page: what is reserved can be written, what is not is an error.
        let mut filler = fs::File::create(named_directory().join("filler")).unwrap();
        while filler.write_all(&[1; 4096]).is_ok() {}
        let mut kept = open_mut(&path);
        kept.fill(4);
        kept.flush().unwrap();
        drop(kept);
        no_space(file::write(&path, &[5u64; 1000][..]));
        assert_eq!(*open(&path), [4; 1000]);
        filler.rewind().unwrap();
        filler.set_len(0).unwrap();
        file::write(&path, &[6u64; 1000][..]).unwrap();
        assert_eq!(*open(&path), [6; 1000]);
    };
    scene_in(1 << 20, TEST, NAMED, main, nobody_else);
}
