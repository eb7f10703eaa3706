//! Surroundings that containers and services give a process: namespaces, other users, no `/proc`, a full or missing
//! `/dev/shm`, limits, filters. A value arrives intact, or an error names the cause and the way out.

mod daemons;
mod directories;
#[cfg(target_os = "linux")]
pub(crate) mod filters;
#[cfg(target_os = "linux")]
mod groups;
#[cfg(target_os = "linux")]
mod limits;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod proc;
#[cfg(target_os = "linux")]
mod users;
#[cfg(windows)]
mod windows;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

#[cfg(target_os = "linux")]
pub(crate) use self::linux::{become_nobody, has_other_users};
#[cfg(windows)]
use self::windows as platform;
#[cfg(target_os = "linux")]
use self::{linux as platform, linux::*};
use crate::{
    puppet::{OBEY, Puppet},
    support::child,
};

/// A process that finds no directory for names.
struct Unnamed {
    start: Box<dyn Fn() -> Puppet>,
    /// What an error says of where it would be.
    place: String,
    /// What it says who claims by a name.
    unclaimed: &'static str,
}

/// Is a token for memory with a name?
fn has_name(token: &str) -> bool {
    const AT_BACKING: usize = 9;
    URL_SAFE_NO_PAD.decode(token).expect("a token is base64")[AT_BACKING] == 1
}

/// Values of both kinds and of several lengths go from one to the other and arrive as they were.
#[track_caller]
fn passes(from: &mut Puppet, to: &mut Puppet) {
    for len in [100, 70_000, 3_000_000] {
        arrives(from, to, len);
    }
}

#[track_caller]
fn arrives(from: &mut Puppet, to: &mut Puppet, len: usize) {
    let value = from.get(format!("make {len} 7"));
    let token = from.get(format!("copy {value}"));
    let there = to.get(format!("claim {token}"));
    assert_eq!(to.get(format!("see {there}")), format!("{len}x7"));
    assert_eq!(from.get(format!("counts {value}")), "1 2 0");
    let value = from.get(format!("make_mut {len} 8"));
    let token = from.get(format!("send {value}"));
    let there = to.get(format!("claim_mut {token}"));
    assert_eq!(to.get(format!("see {there}")), format!("{len}x8"));
    to.get(format!("fill {there} 9"));
    assert_eq!(to.get(format!("see {there}")), format!("{len}x9"));
}

/// Values of both kinds are refused, by an error of this name that says all of these; the sender has what it had.
#[track_caller]
fn refused(from: &mut Puppet, to: &mut Puppet, error: &str, says: &[&str]) {
    let value = from.get("make 70000 7");
    let token = from.get(format!("copy {value}"));
    refuses(to, &format!("claim {token}"), error, says);
    let value_mut = from.get("make_mut 70000 8");
    let token = from.get(format!("send {value_mut}"));
    refuses(to, &format!("claim_mut {token}"), error, says);
    assert_eq!(from.get(format!("see {value}")), "70000x7");
    // Nothing is lost of what was refused.
    let again = from.get(format!("claim_mut {token}"));
    assert_eq!(from.get(format!("see {again}")), "70000x8");
}

#[track_caller]
fn refuses(puppet: &mut Puppet, command: &str, error: &str, says: &[&str]) {
    let found = puppet.ask(command).expect_err(command);
    assert!(found.starts_with(error), "{error} expected: {found}");
    says.iter().for_each(|part| assert!(found.contains(part), "`{part}` expected: {found}"));
}
