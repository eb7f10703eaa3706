//! What it can be told of values in files.

use std::{mem::replace, str::SplitWhitespace};

use commonage::{Error, file};

use super::{Item, filled, next};

/// Does it, if it is of files.
pub(super) fn done(
    command: &str,
    items: &mut Vec<Item>,
    words: &mut SplitWhitespace<'_>,
) -> Option<Result<String, Error>> {
    let done = match command {
        // open PATH, open_mut PATH: the number of the value
        // SAFETY: the tests change files through this crate only, or while nobody has them.
        "open" => unsafe { file::open(word(words)) }.map(Item::Shared),
        // SAFETY: as above.
        "open_mut" => unsafe { file::open_mut(word(words)) }.map(Item::Mut),
        // SAFETY: as above.
        "open_private" => unsafe { file::open_private(word(words)) }.map(Item::Mut),
        // create PATH LEN FILL: the number of the value in the new file
        "create" => {
            let path = word(words);
            // SAFETY: as above.
            unsafe { file::create_from(path, &filled(next(words), next(words))[..]) }.map(Item::Mut)
        }
        // freeze N, thaw N: the number of what it has become
        "freeze" => match replace(&mut items[next::<usize>(words)], Item::Gone) {
            Item::Mut(value) => value.freeze().map(Item::Shared).map_err(|refused| refused.reason),
            _ => panic!("not a `SharedMut`"),
        },
        "thaw" => match replace(&mut items[next::<usize>(words)], Item::Gone) {
            Item::Shared(value) => value.try_into_mut().map(Item::Mut).map_err(|refused| refused.reason),
            _ => panic!("not a `Shared`"),
        },
        // path N: the file it is in
        "path" => {
            let path = match &items[next::<usize>(words)] {
                Item::Shared(value) => value.path(),
                Item::Mut(value) => value.path(),
                Item::Gone => panic!("it is gone"),
            };
            return Some(Ok(path.map(|path| path.display().to_string()).unwrap_or_default()));
        }
        // same N M: whether the two are at one place
        "same" => {
            let mut place = || match &items[next::<usize>(words)] {
                Item::Shared(value) => value.as_ptr(),
                Item::Mut(value) => value.as_ptr(),
                Item::Gone => panic!("it is gone"),
            };
            return Some(Ok((place() == place()).to_string()));
        }
        _ => return None,
    };
    Some(done.map(|item| {
        items.push(item);
        (items.len() - 1).to_string()
    }))
}

fn word(words: &mut SplitWhitespace<'_>) -> String {
    next(words)
}
