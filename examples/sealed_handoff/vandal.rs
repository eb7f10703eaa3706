//! Who tries to write what it is given.

use std::{
    ffi::c_void,
    fs::{self, File, Permissions},
    io,
    os::{
        fd::{AsFd, AsRawFd},
        unix::fs::{FileExt, PermissionsExt},
    },
    path::Path,
    ptr::{self, null_mut},
};

use commonage::{Sealed, Value};
use rustix::{
    fs::{FallocateFlags, fallocate},
    mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mprotect},
    param::page_size,
};

use super::{Config, Failure, receive};

pub(crate) fn run(socket: &Path) -> Result<(), Failure> {
    let (config, _) = receive(socket)?;
    let before = *config.as_view();
    let ways = ways(&config)?;
    for (way, came_of_it) in &ways {
        match came_of_it {
            Ok(()) => return Err(format!("to {way} is possible").into()),
            Err(error) => println!("vandal: to {way}: {error}"),
        }
    }
    if *config.as_view() != before {
        return Err("the configuration has changed".into());
    }
    println!("vandal: {} ways, and the configuration is as it was", ways.len());
    Ok(())
}

/// What can be tried, and what came of it.
fn ways(config: &Sealed<Value<Config>>) -> Result<Vec<(&'static str, io::Result<()>)>, Failure> {
    let file = File::from(config.as_fd().try_clone_to_owned()?);
    let path = format!("/proc/self/fd/{}", config.as_fd().as_raw_fd());
    let length = file.metadata()?.len();
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    // Its owner may change who may open it, and anybody may try: what is opened then is as sealed as before.
    let _ = fs::set_permissions(&path, Permissions::from_mode(0o666));
    Ok(vec![
        ("write to the descriptor", file.write_all_at(b"mine", 128)),
        ("cut it short", file.set_len(0)),
        ("make it longer", file.set_len(length * 2)),
        ("take its memory away", fallocate(&file, hole, 0, length).map_err(io::Error::from)),
        ("open it again and write", fs::write(&path, b"mine")),
        ("map it writable", map_writable(&file)),
        ("make its mapping writable", make_writable(config)),
    ])
}

fn map_writable(file: &File) -> io::Result<()> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, at an address that the kernel chooses.
    unsafe { mmap(null_mut(), 4096, access, MapFlags::SHARED, file, 0) }?;
    Ok(())
}

fn make_writable(config: &Sealed<Value<Config>>) -> io::Result<()> {
    // The page that the value is in.
    let page = ptr::from_ref(config.as_view())
        .map_addr(|address| address / page_size() * page_size())
        .cast_mut()
        .cast::<c_void>();
    // SAFETY: the right to read it is not taken away, and nobody writes to it here.
    unsafe { mprotect(page, page_size(), MprotectFlags::READ | MprotectFlags::WRITE) }?;
    Ok(())
}
