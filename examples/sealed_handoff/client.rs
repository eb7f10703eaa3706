//! Who reads what it is given.

use std::path::Path;

use super::{Failure, receive};

pub(crate) fn run(name: &str, socket: &Path) -> Result<(), Failure> {
    let (config, motto) = receive(socket)?;
    println!("{name} client: {}; {motto:?}", config.as_view(), motto = &*motto);
    Ok(())
}
