//! Why there is no way to another process's descriptors.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use rustix::{
    io::Errno,
    process::{Pid, geteuid, getpid, test_kill_process},
};

use crate::sys::{self, Refusal};

/// What helps where memory without a name can't be reached.
const WAY_OUT: &str = "or choose `Backing::Named` where the value is made";

/// The refusal for a process with this number in whose `/proc` there is nothing to be found.
pub(super) fn by_absence(pid: u32) -> Refusal {
    if fs::symlink_metadata("/proc/self").is_err() {
        // What is not there to be seen may be there all the same.
        return forbidden(format!(
            "this process has no `/proc`, through which memory without a name is found: mount it, {WAY_OUT}"
        ));
    }
    if is_hidden(pid) {
        let why = "`/proc` hides it (`hidepid`), as it does with what is another user's, or not dumpable";
        return forbidden(format!("{why}: change that, {WAY_OUT}"));
    }
    Refusal::Absent
}

/// The refusal for a process with this number into which the system does not let this one look.
pub(super) fn by_right(pid: u32, error: Errno) -> Refusal {
    if is_dying(pid) {
        return Refusal::Absent;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let own = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let error = io::Error::from(error);
    let user = effective_user(&status);
    if let Some(user) = user.filter(|user| *user != geteuid().as_raw()) {
        return of_user(user);
    }
    match (capabilities(&status), capabilities(&own)) {
        (Some(theirs), Some(ours)) if theirs & !ours != 0 => forbidden(format!(
            "{error}: it has capabilities that this process has not: give both the same ones, {WAY_OUT}"
        )),
        _ => forbidden(format!(
            "{error}: it is not dumpable, or is in another user namespace, or the system's rules (Yama, SELinux, AppArmor) \
             are against it: change that, {WAY_OUT}"
        )),
    }
}

/// The refusal for a name that the system does not let this process open.
pub(super) fn by_name(name: &str, error: Errno) -> Refusal {
    let path = sys::named_directory().join(name.trim_start_matches('/'));
    match fs::symlink_metadata(&path) {
        Ok(found) if found.uid() != geteuid().as_raw() => of_user(found.uid()),
        _ => forbidden(format!("{}: {}", path.display(), io::Error::from(error))),
    }
}

/// The refusal for what is another user's.
fn of_user(user: u32) -> Refusal {
    let own = geteuid().as_raw();
    forbidden(format!("it is user {user}'s, and this process is user {own}'s: only processes of one user share memory"))
}

fn forbidden(why: String) -> Refusal {
    Refusal::Forbidden(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Does the `/proc` of this process show the processes of its own PID namespace, by the numbers that they have there?
pub(crate) fn proc_is_our_own() -> bool {
    let own = fs::read_link("/proc/self").ok();
    let number = own.as_deref().and_then(Path::to_str).and_then(|number| number.parse().ok());
    number == Some(getpid().as_raw_nonzero().get())
}

/// What tells the PID namespace of this process from others; none where nobody says.
pub(crate) fn pid_namespace() -> Option<u64> {
    rustix::fs::stat("/proc/self/ns/pid").ok().map(|found| found.st_ino)
}

/// Is there a process that `/proc` does not show (mounted with `hidepid`)?
fn is_hidden(pid: u32) -> bool {
    if fs::exists(format!("/proc/{pid}")).unwrap_or(true) {
        return false; // the process is there to be seen: it is the descriptor that is gone
    }
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw);
    pid.is_some_and(|pid| matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM)))
}

/// Is it a process that has ended, or is ending, and whose descriptors are gone or going? Until its parent has asked for
/// its status, a dead process may not be looked into by an ordinary user, whoever's it was.
fn is_dying(pid: u32) -> bool {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(line) => says_the_end(&line),
        Err(_) => !fs::exists(format!("/proc/{pid}")).unwrap_or(true),
    }
}

/// Is there something in `/proc` that says so? Where processes are hidden, nothing does.
pub(super) fn has_ended(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/stat")).is_ok_and(|line| says_the_end(&line))
}

fn says_the_end(line: &[u8]) -> bool {
    const PF_EXITING: u32 = 4;
    // The second field is the program's name in parentheses, and may hold anything; after it: state, five numbers, flags.
    let line = String::from_utf8_lossy(line);
    let mut fields = line.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace();
    let dead = matches!(fields.next(), Some("Z" | "X"));
    dead || fields.nth(5).and_then(|flags| flags.parse::<u32>().ok()).is_some_and(|flags| flags & PF_EXITING != 0)
}

/// The effective user that a process's status tells.
fn effective_user(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The capabilities that a process's status permits.
fn capabilities(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("CapPrm:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}
