//! Surroundings that containers and services give a process: namespaces, other users, no `/proc`, a full or missing
//! `/dev/shm`, limits, filters. A value arrives intact, or an error names the cause and the way out.

mod daemons;
mod directories;
mod filters;
mod groups;
mod limits;
mod namespaces;
mod proc;
mod users;

use std::{
    env, fs,
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    puppet::{OBEY, Puppet, obey},
    support::{BACKING, ChildCommand, ROLE, child},
};

const NOBODY: u32 = 65534;

/// `unshare` with these flags, and what a script changes there before the program begins.
#[derive(Clone, Copy)]
struct Surroundings {
    flags: &'static [&'static str],
    script: &'static str,
}

impl Surroundings {
    /// Can they be had here? If not, that is said.
    fn can_be_had(self, test: &str) -> bool {
        let mut command = self.command("true");
        let permitted =
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        if !permitted {
            println!(
                "{test}: skipped, `unshare {}` with `{}` is not permitted here",
                self.flags.join(" "),
                self.script
            );
        }
        permitted
    }

    /// The same test there, in a role.
    fn child(self, test: &str, role: &str) -> ChildCommand {
        let mut command = self.command(&env::current_exe().expect("the path of this test binary").to_string_lossy());
        command.args([test, "--exact", "--nocapture", "--test-threads=1", "--include-ignored"]);
        ChildCommand::program(command, &format!("{test} as {role} within `{}`", self.script)).env(ROLE, role)
    }

    fn puppet(self, test: &str) -> Puppet {
        Puppet::start(self.child(test, OBEY))
    }

    fn command(self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(self.flags).args(["sh", "-ec", &format!("{}\nexec \"$@\"", self.script), "sh", program]);
        command
    }
}

/// Of a child that has no configuration: it chooses the backing itself.
fn by_itself(command: ChildCommand) -> ChildCommand {
    command.env(BACKING, "none")
}

/// A puppet whose role is to change something of itself first.
fn puppet_as(test: &str, role: &str) -> Puppet {
    Puppet::start(child(test, role))
}

/// For scenes whose other roles are puppets that begin with a change.
fn changed(test: &str, change: impl FnOnce(&str)) -> impl FnOnce(&str) {
    move |role| {
        change(role);
        obey(test);
    }
}

/// Is this process root, where there are other users? In a user namespace there may be none.
fn has_other_users() -> bool {
    let users = fs::read_to_string("/proc/self/uid_map").expect("the users of this process's namespace");
    let has_nobody = |line: &str| {
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        matches!(numbers[..], [first, _, many] if first <= NOBODY && NOBODY - first < many)
    };
    // SAFETY: asks for a number.
    unsafe { libc::geteuid() == 0 && users.lines().any(has_nobody) }
}

/// The whole process becomes another user, and may be looked into by that user's others.
fn become_nobody() {
    // SAFETY: these change the user and the groups of this process, a child of the test, and nothing else.
    let done = unsafe { libc::setgroups(0, std::ptr::null()) };
    assert_eq!(done, 0);
    // SAFETY: as above.
    let done = unsafe { libc::setresgid(NOBODY, NOBODY, NOBODY) };
    assert_eq!(done, 0);
    // SAFETY: as above.
    let done = unsafe { libc::setresuid(NOBODY, NOBODY, NOBODY) };
    assert_eq!(done, 0);
    dumpable(true);
}

fn dumpable(yes: bool) {
    // SAFETY: says who may look into this process; no memory is touched.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(yes)) }, 0);
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
