//! Values in files, which outlive every process.
//!
//! A value of any [`ShmemBacked`] type is kept in a file and mapped by whoever needs it: any number of processes read
//! it where it stays, or one writes it there. What comes of it is a [`Shared`] or a [`SharedMut`] as any other, and can
//! be sent as any other: the receiver maps the same file.
//!
//! ```
//! use commonage::{SharedSlice, file};
//! # let directory = std::env::temp_dir().join(format!("commonage-docs-file-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory)?;
//! # let path = directory.join("primes");
//!
//! // One process writes it: there is the old file, or the whole new one, and nothing between.
//! file::write(&path, &[2u64, 3, 5, 7, 11][..])?;
//!
//! // Others map it, without a copy,
//! // SAFETY: nobody changes the file but through this crate.
//! let primes: SharedSlice<u64> = unsafe { file::open(&path) }?;
//! assert_eq!(primes, [2, 3, 5, 7, 11]);
//! # drop(primes);
//!
//! // or take a copy, which is safe whatever becomes of the file.
//! let primes: SharedSlice<u64> = file::read(&path)?;
//! assert_eq!(primes[4], 11);
//! # drop(primes);
//! # std::fs::remove_dir_all(&directory)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which function
//!
//! | you want | | safe |
//! |---|---|---|
//! | a value that exists into a file, whole or not at all | [`write`](fn@write), [`write_shared`], [`write_shared_mut`] | yes |
//! | a value built in the file, then brought into view | [`draft`] | yes |
//! | the value, in memory of this process's pool: one copy | [`read`] | yes |
//! | the value, mapped, where the system itself guards the file | [`open_guarded`] | yes |
//! | the value, mapped, for many | [`open`] | `unsafe` |
//! | the value, to be changed where it stays | [`open_mut`] | `unsafe` |
//! | the value, to be changed by this process alone and for itself | [`open_private`] | `unsafe` |
//! | a new file, in view at once, to be changed on | [`create`], [`create_from`] | `unsafe` |
//! | memory without a file, but with a file's options | [`anonymous`] | yes |
//! | a file of another program's, or of another language | [`Options::raw`], [`Options::raw_as`] | |
//!
//! All of them take [`options`]. [`SharedMut::flush`] brings what was written to the disk.
//! The [guide](crate::guide::files) says when to take a file, and when a pool, a link, a ring or a channel.
//!
//! # Safety
//!
//! A mapped file is memory that other programs can reach: whoever may write the file can change what a `&[T]` refers
//! to, or cut the file short, so that the next look at what is gone ends the process (`SIGBUS` on Unix; Windows refuses
//! to cut a file that is mapped). No library can keep a stranger from that. So a function that maps a file is `unsafe`,
//! and its caller promises:
//!
//! - As long as any handle lives that was made from it, in any process, **nobody changes the file or cuts it**, but
//!   through handles of this crate.
//! - Where the type's [`check`] is not complete (it is for the types of this crate, see [`ShmemChecked`]), the file was
//!   made by this crate, as this type.
//!
//! Handles of this crate keep that promise among themselves, by locks. To remove the file, to rename it, or to put
//! another in its place is no change of it: who has it mapped keeps what it was.
//!
//! What is safe does not rely on strangers: [`read`] looks at a copy; [`write`](fn@write) and [`draft`] make a file
//! that nobody else has; [`open_guarded`] insists that the system keeps others away.
//!
//! # One writes, or many read
//!
//! As long as a [`SharedMut`] of a file lives, no other process has the file, and as long as a [`Shared`] of it lives,
//! none writes it. Who comes at the wrong time gets [`FileFault::Locked`], which says what it wanted and who is in its
//! way, or waits for as long as [`Options::lock_timeout`] says. [`SharedMut::freeze`] lets readers in;
//! [`Shared::try_into_mut`] waits for nobody, and is refused while others read.
//!
//! These are locks of the open file, let go by the system however a process ends. On Unix they are advisory: they bind
//! who asks for them, which is this crate, and on Linux whoever locks by `fcntl` (Python's `fcntl.lockf`, SQLite). On
//! NFS they hold between machines if its server and its mount have locks. On Windows they bind everybody, and nobody
//! else can open the file for writing at all while it is open here; only who had mapped it for writing before, and closed
//! its handle, can still write to it. A forked child can look at what its parent has open, and drop it; the parent's
//! lock is let go by the parent.
//!
//! # What a crash leaves
//!
//! A **new** file ([`write`](fn@write), [`draft`], [`create`]) is written where nobody sees it, brought to the disk,
//! and then given its name in one step; the directory is brought to the disk after that. A process that is killed at
//! any moment leaves the old file or the whole new one, and so does a machine that loses power, if the disk keeps what
//! it says it has written. With [`Options::durable(false)`](Options::durable), the system writes the file when it
//! likes: a killed process still leaves one or the other, but after a loss of power there may be anything, of which
//! what is checked is found out at the next opening. On Linux a file without a name is nobody's once its maker is gone.
//! Where a system or a file system has no such files, the file has the name `.NAME.commonage-draft` beside its place
//! until it is ready: one process at a time can make it, and what a killed one has left is replaced by the next.
//! Windows replaces no file that somebody has open. Both is [`FileFault::Locked`].
//!
//! A file that is changed **where it stays** ([`open_mut`], and [`create`] once it has returned) is at each moment what
//! has been written to it. A process that is killed leaves what it had written, whole stores each, nothing of it lost;
//! a machine that loses power leaves what [`flush`](SharedMut::flush) had brought to the disk, and any part of what
//! came later. Whether a value makes sense then only its writer knows. So a file says that it is being written from
//! when a writer takes it until that drops it, or freezes it; a writer that was killed, or has panicked, leaves it so,
//! and readers get [`FileFault::Unfinished`]. Who can repair it opens it with [`open_mut`]; who takes it as it is, with
//! [`Options::unfinished`]. A state that must be whole after any crash is better written anew each time:
//! [`write`](fn@write).
//!
//! # Sending
//!
//! A handle on a mapped file is sent as any other: the token names the file, and the receiver maps it too, with a lock
//! of its own, also when the sender is gone. What the token says has to be there still: a file that somebody has
//! written since, or replaced, is [`FileFault::Changed`]. There is nothing in flight, so [`counts`](Shared::counts)
//! knows of this process only, and a ticket that nobody claims keeps nothing alive. What a token leads to must be a
//! regular file of this process's user or of root, which is not for all users to write ([`FileFault::Owner`]), because
//! who sends a token could otherwise have the receiver map what a third can cut: the users of the file's group are
//! trusted not to, if its mode lets them write. A `SharedMut` can be sent if it is a whole file with a header; the
//! receiver waits for the sender to drop it. A part, a file of another program's, private and anonymous memory can't:
//! [`FileFault::NotSent`].
//!
//! # What is in a file
//!
//! The header, in the first page, says what the value is; then the data, at a multiple of the page size and of the
//! type's [`ALIGNMENT`](ShmemBacked::ALIGNMENT), exactly as they are in shared memory: other programs can map them
//! there. All numbers are little-endian.
//!
//! | offset | bytes | field | |
//! |---|---|---|---|
//! | 0 | 8 | magic | `cmn-file` |
//! | 8 | 4 | version of the header | |
//! | 12 | 4 | length of the metadata | in bytes |
//! | 16 | 8 | [fingerprint](ShmemBacked::fingerprint) of the type | |
//! | 24 | 8 | where the metadata begin | right behind the header, or behind the data if there is no room for them |
//! | 32 | 8 | where the data begin | |
//! | 40 | 8 | length of the data | in bytes |
//! | 48 | 8 | id of the file | random |
//! | 56 | 16 | key of the tokens' MACs | random |
//! | 72 | 8 | checksum | of all that stands before it, and of the metadata |
//! | 80 | 8 | generation | 1; greater by a random number each time that a writer takes the file |
//! | 88 | 4 | state | 0: finished, 1: being written |
//! | 92 | 4 | process id of the writer | |
//! | 96 | | the metadata, in postcard | |
//!
//! The checksum does not cover the data: to open a file costs the same at any size. Content is looked at as when it
//! comes from another process: UTF-8, `bool`, `char`, enums, and whatever a type of your own checks.
//!
//! **A type's fingerprint has to last as long as its files.** By default, it is made of the type's name, with the path
//! of its module: after a type has been moved or renamed, its files are of another type ([`FileFault::Type`]). Files of
//! numbers, strings and arrays of numbers are the same for ever. A type of your own that is kept in files has a
//! [`fingerprint`](ShmemBacked::fingerprint) made by [`fingerprint_of`](crate::fingerprint_of) from a name and a
//! version that you choose, and change when its layout changes. Files whose type has got another name are opened by
//! [`Options::raw_as`], with the metadata from elsewhere and the offset that is in the table above.
//!
//! What changes metadata in memory ([`SharedMut::metadata_mut`], a `resize` of a slice) changes nothing in the file: it
//! says what it said when it was made. A value in a file never grows ([`Error::TooLarge`]): a larger one is written
//! anew.
//!
//! [`check`]: ShmemBacked::check

#![allow(unsafe_code)] // What maps a file that a stranger can cut is for its caller to answer for.

#[cfg(feature = "ndarray")]
mod arrays;
mod draft;
mod making;
#[cfg(feature = "ndarray")]
pub mod npy;
mod options;
mod raw;
mod slices;

use std::path::Path;

pub use self::{draft::Draft, options::Options};
pub use crate::mapped::Advice;
use crate::{Error, Shared, SharedMut, ShmemBacked, ShmemChecked};
#[cfg(doc)]
use crate::{FileFault, ShmemView};

/// How a file is made or opened: mode, durability, waiting, advice, files without a header.
///
/// ```
/// use commonage::file;
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-usual-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("cache");
/// // Not worth waiting for the disk: it can be made again.
/// file::options::<str>().durable(false).write(&path, "what can be made again")?;
/// # assert_eq!(&*file::read::<str>(&path)?, "what can be made again");
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn options<T: ShmemBacked + ?Sized>() -> Options<T> {
    Options::usual()
}

/// Writes a value into a file: to the disk, under its name, in place of what had that name, whole or not at all. Who
/// has the old file open keeps it.
///
/// ```
/// use commonage::{Value, file};
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-write-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("step");
/// file::write(&path, &Value(41u64))?;
/// file::write(&path, &Value(42u64))?;
/// assert_eq!(*file::read::<Value<u64>>(&path)?.as_view(), 42);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::NoSpace`], [`Error::TooLarge`], [`Error::Alignment`] (of more than 4096 bytes), [`Error::Metadata`] if
/// postcard can't write the type's metadata, or they are more than 1 MiB; and [`Error::File`] with
/// [`FileFault::NoDirectory`], [`FileFault::Denied`], [`FileFault::Path`], [`FileFault::NotAFile`],
/// [`FileFault::Failed`], [`FileFault::Locked`] where no file is replaced that others have open, or one process at a
/// time can make it (see [what a crash leaves](self#what-a-crash-leaves)). What had the name is as it was then.
pub fn write<T: ShmemBacked + ?Sized>(path: impl AsRef<Path>, src: &T) -> Result<(), Error> {
    options().write(path, src)
}

/// [`write`](fn@write), of a value that is in shared memory already.
///
/// ```
/// use commonage::{SharedStr, file};
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-shared-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("text");
/// let text = SharedStr::copy_from("kept")?;
/// file::write_shared(&path, &text)?;
/// assert_eq!(file::read::<str>(&path)?, text);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`write`](fn@write).
pub fn write_shared<T: ShmemBacked + ?Sized>(path: impl AsRef<Path>, shared: &Shared<T>) -> Result<(), Error> {
    options().write_shared(path, shared)
}

/// [`write`](fn@write), of a value in shared memory as it is now.
///
/// # Errors
///
/// As [`write`](fn@write).
///
/// # Panics
///
/// If the handle has been [serialized](SharedMut#serialization).
#[track_caller]
pub fn write_shared_mut<T: ShmemBacked + ?Sized>(path: impl AsRef<Path>, shared: &SharedMut<T>) -> Result<(), Error> {
    options().write_shared_mut(path, shared)
}

/// Copies the value in a file into this process's pool, and checks it there: whatever becomes of the file, the copy
/// stays as it is. The file is locked while it is read, and nothing of it is mapped.
///
/// ```
/// use commonage::{SharedSlice, file};
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-read-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("flags");
/// file::write(&path, &[true, false][..])?;
/// let flags: SharedSlice<bool> = file::read(&path)?;
/// std::fs::remove_file(&path)?;
/// assert_eq!(flags, [true, false]);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of [`open`], but for what concerns addresses; and those of [`Shared::new`]. A file that is cut while it is
/// read is [`FileFault::TooShort`].
pub fn read<T: ShmemChecked + ?Sized>(path: impl AsRef<Path>) -> Result<Shared<T>, Error> {
    options().read(path)
}

/// A value, made in place from `arg` as [`Shared::new`] makes it, in a file that nobody sees until it is
/// [published](Draft::publish). Slices and arrays are also made [of zeroes](Draft::zeroed) and
/// [by a function](Draft::from_fn).
///
/// # Errors
///
/// As [`write`](fn@write).
pub fn draft<T: ShmemBacked + ?Sized>(path: impl AsRef<Path>, arg: &T::NewArg) -> Result<Draft<T>, Error> {
    options().draft(path, arg)
}

/// Maps the value in a file to be read, if the system itself keeps everybody from changing the file or cutting it while
/// it is mapped. So it is
///
/// - on Linux, if the file is immutable (`chattr +i`), this process is its owner's or root's, and nobody has it open for
///   writing, or mapped so, from before it was; or if it is under fs-verity, or is a memfd with the seals against
///   writing and shrinking, by its path in `/proc`;
/// - nowhere else. On Windows nobody can open the file for writing, cut or replace it while it is open here; but a
///   program that has mapped it for writing before, and closed its handle, can still write to it, and the system does
///   not say whether there is one.
///
/// ```
/// use commonage::{Error, FileFault, Shared, file};
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-guarded-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("table");
/// # file::write(&path, &[1u32, 2, 3][..])?;
/// let table: Shared<[u32]> = match file::open_guarded(&path) {
///     Err(Error::File { fault: FileFault::Unguarded { .. }, .. }) => file::read(&path)?, // a copy
///     mapped => mapped?,
/// };
/// assert_eq!(table, [1, 2, 3]);
/// # drop(table);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`FileFault::Unguarded`], and those of [`open`].
pub fn open_guarded<T: ShmemChecked + ?Sized>(path: impl AsRef<Path>) -> Result<Shared<T>, Error> {
    options().open_guarded(path)
}

/// A value in memory of this process alone, made from `arg` as [`SharedMut::new`] makes it, for the options that files
/// have: [`populate`](Options::populate), [`advice`](Options::advice), [`lock_in_memory`](Options::lock_in_memory). It
/// is in no file and in no pool, and can't be sent: [`FileFault::NotSent`].
///
/// ```
/// use commonage::file;
/// let mut scratch = file::options::<[f32]>().populate().anonymous(&(0.0, 10_000))?;
/// scratch[9999] = 1.0;
/// assert_eq!(scratch.path(), None);
/// # Ok::<(), commonage::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::NoSpace`], [`Error::TooLarge`], [`Error::Alignment`] (of more than 4096 bytes), [`Error::Os`].
pub fn anonymous<T: ShmemBacked + ?Sized>(arg: &T::NewArg) -> Result<SharedMut<T>, Error> {
    options().anonymous(arg)
}

/// Maps the value in a file to be read: without a copy, by any number of processes. The mapping is read-only.
///
/// ```
/// use commonage::{SharedStr, file};
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-open-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("dictionary");
/// # file::write(&path, "aardvark\nabacus\n")?;
/// // SAFETY: nobody changes the file but through this crate.
/// let words: SharedStr = unsafe { file::open(&path) }?;
/// assert_eq!(words.lines().next(), Some("aardvark"));
/// let token = words.into_token()?; // by any channel: the receiver maps the same file
/// # assert_eq!(SharedStr::from_token(&token)?.len(), 16);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// In [`Error::File`]: [`FileFault::Absent`], [`FileFault::Denied`], [`FileFault::Path`], [`FileFault::NotAFile`];
/// [`FileFault::Locked`]; [`FileFault::NoHeader`], [`FileFault::Version`], [`FileFault::Header`],
/// [`FileFault::TooShort`], [`FileFault::Type`], [`FileFault::Unfinished`]; of a file without a header
/// [`FileFault::Misaligned`] and [`FileFault::NotWholeElements`]; [`FileFault::Failed`]. Beside it [`Error::Metadata`]
/// and [`Error::Content`] for what the type's check finds, and [`Error::NoSpace`] if the system has no room for a
/// mapping.
///
/// # Safety
///
/// As long as any handle lives that was made from this one, in any process, nobody changes the file or cuts it, but
/// through handles of this crate. And what passes the type's [`check`](ShmemBacked::check) there is such a value: so it
/// is for each type that is [`ShmemChecked`], and for any type if this crate has made the file.
pub unsafe fn open<T: ShmemBacked + ?Sized>(path: impl AsRef<Path>) -> Result<Shared<T>, Error> {
    // SAFETY: as the caller promises.
    unsafe { options().open(path) }
}

/// Maps the value in a file to be changed where it stays: by this process alone, until the handle goes. What is written
/// is in the file, and on the disk after [`flush`](SharedMut::flush), or when the system writes it.
///
/// ```
/// use commonage::file;
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-open-mut-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("counters");
/// # file::write(&path, &[0u64; 100][..])?;
/// // SAFETY: nobody changes the file but through this crate.
/// let mut counters = unsafe { file::open_mut::<[u64]>(&path) }?;
/// counters[7] += 1;
/// counters.flush()?;
/// # drop(counters);
/// # assert_eq!(file::read::<[u64]>(&path)?[7], 1);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of [`open`], but for [`FileFault::Unfinished`]: a writer takes what another has left, to repair it.
///
/// # Safety
///
/// As for [`open`].
pub unsafe fn open_mut<T: ShmemBacked + ?Sized>(path: impl AsRef<Path>) -> Result<SharedMut<T>, Error> {
    // SAFETY: as the caller promises.
    unsafe { options().open_mut(path) }
}

/// Maps the value in a file to be changed by this process for itself: a page that is written to becomes a copy, and
/// nothing of it reaches the file. The file is locked as for reading. The handle can't be sent: [`FileFault::NotSent`].
///
/// ```
/// use commonage::file;
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-private-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("image");
/// # file::write(&path, &[1u8; 5000][..])?;
/// // SAFETY: nobody changes the file but through this crate.
/// let mut mine = unsafe { file::open_private::<[u8]>(&path) }?;
/// mine.fill(9);
/// assert_eq!(file::read::<[u8]>(&path)?[0], 1);
/// # drop(mine);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// Those of [`open`].
///
/// # Safety
///
/// As for [`open`].
pub unsafe fn open_private<T: ShmemBacked + ?Sized>(path: impl AsRef<Path>) -> Result<SharedMut<T>, Error> {
    // SAFETY: as the caller promises.
    unsafe { options().open_private(path) }
}

/// A new file with a value, made in place from `arg` as [`SharedMut::new`] makes it, which is in view, whole, when this
/// returns, and can be changed on. It takes the place of a file that is there.
///
/// ```
/// use commonage::file;
/// # let directory = std::env::temp_dir().join(format!("commonage-docs-create-{}", std::process::id()));
/// # std::fs::create_dir_all(&directory)?;
/// # let path = directory.join("grid");
/// // SAFETY: nobody changes the file but through this crate.
/// let mut grid = unsafe { file::create::<[f64]>(&path, &(0.0, 4096)) }?;
/// grid[17] = 1.0;
/// grid.flush()?;
/// let grid = grid.freeze()?; // and now others can read it
/// # drop(grid);
/// # std::fs::remove_dir_all(&directory)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// As [`write`](fn@write).
///
/// # Safety
///
/// As long as any handle lives that was made from this one, in any process, nobody changes the file or cuts it, but
/// through handles of this crate.
pub unsafe fn create<T: ShmemBacked + ?Sized>(path: impl AsRef<Path>, arg: &T::NewArg) -> Result<SharedMut<T>, Error> {
    // SAFETY: as the caller promises.
    unsafe { options().create(path, arg) }
}

/// [`create`], with a copy of `src`.
///
/// # Errors
///
/// As [`write`](fn@write).
///
/// # Safety
///
/// As for [`create`].
pub unsafe fn create_from<T: ShmemBacked + ?Sized>(path: impl AsRef<Path>, src: &T) -> Result<SharedMut<T>, Error> {
    // SAFETY: as the caller promises.
    unsafe { options().create_from(path, src) }
}
