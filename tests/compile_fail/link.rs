//! Links to what is not shareable.

use commonage::{Link, link::ReadWrite, sync::Mutex};

fn main() {
    let _ = Link::<Vec<u8>, ReadWrite>::create("list");
    let _ = Link::<Option<u32>>::open("maybe");
    let _ = Link::<Mutex<String>, ReadWrite>::open_existing("text");
}
