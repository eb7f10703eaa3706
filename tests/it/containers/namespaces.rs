//! Processes in PID namespaces, mount namespaces and user namespaces of their own.

use super::*;
use crate::scene::{ANONYMOUS, NAMED, nobody_else, scene, until};

/// As a container has it.
const CONTAINER: Surroundings = Surroundings { flags: &["-pfm", "--kill-child"], script: "mount -t proc proc /proc" };
/// As `unshare` makes it where nobody mounts a `/proc`.
const OUTER_PROC: Surroundings = Surroundings { flags: &["-pf", "--kill-child"], script: "" };

const UNREACHABLE: &[&str] = &["PID namespace", "Backing::Named"];

#[test]
fn memory_without_a_name_of_another_pid_namespace_is_unreachable_and_never_gone() {
    const TEST: &str =
        "containers::namespaces::memory_without_a_name_of_another_pid_namespace_is_unreachable_and_never_gone";
    let main = || {
        if !CONTAINER.can_be_had(TEST) {
            return;
        }
        let (mut here, mut there, mut beside) = (Puppet::new(TEST), CONTAINER.puppet(TEST), CONTAINER.puppet(TEST));
        refused(&mut there, &mut here, "Unreachable", UNREACHABLE);
        refused(&mut here, &mut there, "Unreachable", UNREACHABLE);
        // Both are the first of their namespaces, and what one of them sends the other has under the same number.
        refused(&mut there, &mut beside, "Unreachable", UNREACHABLE);
        refused(&mut beside, &mut there, "Unreachable", UNREACHABLE);
        // What it leaves when it ends is in a file, which has no PID namespace.
        let token = there.get("copy 0");
        there.leave();
        let value = here.get(format!("claim {token}"));
        assert_eq!(here.get(format!("see {value}")), "70000x7");
    };
    scene(TEST, ANONYMOUS, main, nobody_else);
}

#[test]
fn a_process_whose_proc_shows_another_pid_namespace_starts_with_names() {
    const TEST: &str = "containers::namespaces::a_process_whose_proc_shows_another_pid_namespace_starts_with_names";
    let main = || {
        if !OUTER_PROC.can_be_had(TEST) {
            return;
        }
        let mut here = Puppet::start(by_itself(child(TEST, OBEY)));
        let mut there = Puppet::start(by_itself(OUTER_PROC.child(TEST, OBEY)));
        there.get("make 100 1");
        assert!(has_name(&there.get("copy 0")));
        passes(&mut there, &mut here);
        // The numbers of the outer namespace are those that its `/proc` has.
        passes(&mut here, &mut there);
        // Where it insists, nobody finds it.
        let mut stubborn = OUTER_PROC.puppet(TEST);
        refused(&mut stubborn, &mut here, "Unreachable", UNREACHABLE);
        refused(&mut stubborn, &mut there, "Unreachable", UNREACHABLE);
    };
    scene(TEST, ANONYMOUS, main, nobody_else);
}

#[test]
fn memory_with_a_name_passes_between_pid_namespaces() {
    const TEST: &str = "containers::namespaces::memory_with_a_name_passes_between_pid_namespaces";
    let main = || {
        if !CONTAINER.can_be_had(TEST) {
            return;
        }
        for surroundings in [CONTAINER, OUTER_PROC] {
            let (mut here, mut there) = (Puppet::new(TEST), surroundings.puppet(TEST));
            let mut beside = surroundings.puppet(TEST);
            passes(&mut here, &mut there);
            passes(&mut there, &mut here);
            passes(&mut there, &mut beside);
        }
    };
    scene(TEST, NAMED, main, nobody_else);
}

#[test]
fn who_is_killed_in_another_pid_namespace_is_dead_and_who_lives_there_is_not() {
    const TEST: &str =
        "containers::namespaces::who_is_killed_in_another_pid_namespace_is_dead_and_who_lives_there_is_not";
    let main = || {
        if !CONTAINER.can_be_had(TEST) {
            return;
        }
        let (mut here, mut living, mut killed) = (Puppet::new(TEST), CONTAINER.puppet(TEST), CONTAINER.puppet(TEST));
        here.get("make 70000 5");
        for peer in [&mut living, &mut killed] {
            let token = here.get("copy 0");
            peer.get(format!("claim {token}"));
        }
        assert!(here.get("sweep").contains("participants: 0"));
        assert_eq!(here.get("counts 0"), "1 3 0");
        killed.kill();
        until("its lock goes with it", || here.get("sweep").contains("participants: 1").then_some(()));
        assert_eq!(here.get("counts 0"), "1 2 0");
        // The owner is killed: who is in the other namespace keeps what it has, and sweeps after it.
        let token = here.get("copy 0");
        here.kill();
        assert_eq!(living.get("see 0"), "70000x5");
        let value = living.get(format!("claim {token}"));
        assert_eq!(living.get(format!("see {value}")), "70000x5");
        living.get("drop_all");
        living.leave();
        commonage::sweep();
        assert_eq!(crate::scene::left(), [""; 0]);
    };
    scene(TEST, NAMED, main, nobody_else);
}

/// As `PrivateUsers=` of systemd, and rootless containers: who is outside may look in, who is inside may not look out.
#[test]
fn memory_without_a_name_leaves_a_user_namespace_and_does_not_enter_it() {
    const TEST: &str = "containers::namespaces::memory_without_a_name_leaves_a_user_namespace_and_does_not_enter_it";
    const USERS: Surroundings = Surroundings { flags: &["-r"], script: "" };
    let main = || {
        if !USERS.can_be_had(TEST) {
            return;
        }
        let (mut here, mut there) = (Puppet::new(TEST), USERS.puppet(TEST));
        passes(&mut there, &mut here);
        if has_name(&here.get("copy 0")) {
            passes(&mut here, &mut there);
        } else {
            refused(&mut here, &mut there, "Unreachable", &["user namespace", "Backing::Named"]);
        }
    };
    scene(TEST, crate::scene::BOTH, main, nobody_else);
}

#[test]
fn a_tmp_of_ones_own_changes_nothing() {
    const TEST: &str = "containers::namespaces::a_tmp_of_ones_own_changes_nothing";
    const PRIVATE_TMP: Surroundings =
        Surroundings { flags: &["-m"], script: "mount -t tmpfs tmpfs /var/tmp; mount -t tmpfs tmpfs /mnt" };
    let main = || {
        if !PRIVATE_TMP.can_be_had(TEST) {
            return;
        }
        let (mut here, mut there) = (Puppet::new(TEST), PRIVATE_TMP.puppet(TEST));
        passes(&mut there, &mut here);
        passes(&mut here, &mut there);
        let token = there.get("copy 0");
        there.leave();
        drop(here);
        Puppet::new(TEST).get(format!("claim {token}"));
    };
    scene(TEST, crate::scene::BOTH, main, nobody_else);
}
