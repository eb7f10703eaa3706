//! What `unshare` gives a process, other users, and a root that is read-only.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use super::*;
pub(super) use crate::support::{BACKING, ChildCommand};
use crate::{puppet::obey, support::ROLE};

pub(super) const NOBODY: u32 = 65534;

/// `unshare` with these flags, and what a script changes there before the program begins.
#[derive(Clone, Copy)]
pub(super) struct Surroundings {
    pub(super) flags: &'static [&'static str],
    pub(super) script: &'static str,
}

impl Surroundings {
    /// Can they be had here? If not, that is said.
    pub(super) fn can_be_had(self, test: &str) -> bool {
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
    pub(super) fn child(self, test: &str, role: &str) -> ChildCommand {
        let mut command = self.command(&env::current_exe().expect("the path of this test binary").to_string_lossy());
        command.args([test, "--exact", "--nocapture", "--test-threads=1", "--include-ignored"]);
        ChildCommand::program(command, &format!("{test} as {role} within `{}`", self.script)).env(ROLE, role)
    }

    pub(super) fn puppet(self, test: &str) -> Puppet {
        Puppet::start(self.child(test, OBEY))
    }

    fn command(self, program: &str) -> Command {
        let mut command = Command::new("unshare");
        command.args(self.flags).args(["sh", "-ec", &format!("{}\nexec \"$@\"", self.script), "sh", program]);
        command
    }
}

/// Of a child that has no configuration: it chooses the backing itself.
pub(super) fn by_itself(command: ChildCommand) -> ChildCommand {
    command.env(BACKING, "none")
}

/// A puppet whose role is to change something of itself first.
pub(super) fn puppet_as(test: &str, role: &str) -> Puppet {
    Puppet::start(child(test, role))
}

/// For scenes whose other roles are puppets that begin with a change.
pub(super) fn changed(test: &str, change: impl FnOnce(&str)) -> impl FnOnce(&str) {
    move |role| {
        change(role);
        obey(test);
    }
}

/// Is this process root, where there are other users? In a user namespace there may be none.
pub(crate) fn has_other_users() -> bool {
    let users = fs::read_to_string("/proc/self/uid_map").expect("the users of this process's namespace");
    let has_nobody = |line: &str| {
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        matches!(numbers[..], [first, _, many] if first <= NOBODY && NOBODY - first < many)
    };
    // SAFETY: asks for a number.
    unsafe { libc::geteuid() == 0 && users.lines().any(has_nobody) }
}

/// The whole process becomes another user, and may be looked into by that user's others.
pub(crate) fn become_nobody() {
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

pub(super) fn dumpable(yes: bool) {
    // SAFETY: says who may look into this process; no memory is touched.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, libc::c_ulong::from(yes)) }, 0);
}

/// Bytes of a file system with room for a few values.
pub(super) const SMALL: u64 = 1 << 20;

const ALL_READ_ONLY: Surroundings =
    Surroundings { flags: &["-m"], script: "mount -o remount,bind,ro /; mount -t tmpfs -o ro tmpfs /dev/shm" };
/// The same `/dev/shm`, and no writing there.
const READ_ONLY_SHM: Surroundings = Surroundings { flags: &["-m"], script: "mount -o remount,bind,ro /dev/shm" };
/// Another `/dev`, in which there is no directory of that name.
const NO_SHM: Surroundings = Surroundings { flags: &["-m"], script: "mount -t tmpfs tmpfs /dev" };

/// Without a `/dev/shm` to write to; none where that is not permitted.
pub(super) fn without_names(test: &'static str) -> Vec<Unnamed> {
    let mut all = vec![(ALL_READ_ONLY, "Gone"), (READ_ONLY_SHM, "/dev/shm"), (NO_SHM, "/dev/shm")];
    all.retain(|(surroundings, _)| surroundings.can_be_had(test));
    let unnamed = |(surroundings, unclaimed): (Surroundings, _)| Unnamed {
        start: Box::new(move || surroundings.puppet(test)),
        place: "/dev/shm".into(),
        unclaimed,
    };
    all.into_iter().map(unnamed).collect()
}

/// As a service manager of the old kind leaves it.
pub(super) fn become_daemon() {
    for number in 0..3 {
        // SAFETY: whatever of this child of a test still writes there finds it closed.
        assert_eq!(unsafe { libc::close(number) }, 0);
    }
    // SAFETY: a file mode mask has no effect on memory.
    unsafe { libc::umask(0o777) };
    env::set_current_dir("/").unwrap();
    let names: Vec<_> = env::vars_os().map(|(name, _)| name).collect();
    // SAFETY: no other thread of this process looks into the environment: it is a test alone, which runs this.
    names.into_iter().for_each(|name| unsafe { env::remove_var(name) });
}

/// Makes a file that its user may read.
pub(super) fn with_file_mode(make: impl FnOnce()) {
    // SAFETY: a file mode mask has no effect on memory.
    let before = unsafe { libc::umask(0o077) };
    make();
    // SAFETY: as above.
    unsafe { libc::umask(before) };
}

/// Becomes a user for whom file modes count, and who has this directory.
pub(super) fn become_ordinary(place: &Path) {
    if has_other_users() {
        std::os::unix::fs::chown(place, Some(NOBODY), Some(NOBODY)).unwrap();
        become_nobody();
    }
}

/// Nothing is open as standard input or output.
pub(super) fn assert_no_standard() {
    for number in 0..3 {
        let open = fs::read_link(format!("/proc/self/fd/{number}"));
        assert!(open.is_err(), "descriptor {number} is {open:?}");
    }
}
