//! Other users, other rights.

use std::{env, os::unix::process::CommandExt, process::Command};

use super::*;
use crate::{
    scene::{ANONYMOUS, BOTH, scene},
    support::ROLE,
};

/// What a puppet does to itself first.
fn change(role: &str) {
    if role.starts_with("nobody") {
        become_nobody();
    }
    match role {
        "nobody" => {}
        "nobody-hidden" => dumpable(false),
        other => panic!("there is no role `{other}`"),
    }
}

/// A puppet that can do no more than its user, though that is root.
fn powerless(test: &str) -> Puppet {
    let mut command = Command::new(env::current_exe().expect("the path of this test binary"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1", "--include-ignored"]);
    let drop_all = || {
        for capability in 0..64 {
            // SAFETY: takes a right from the program that is about to begin; there are fewer, and the rest is refused.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability as libc::c_ulong, 0, 0, 0) };
        }
        Ok(())
    };
    // SAFETY: system calls.
    unsafe { command.pre_exec(drop_all) };
    Puppet::start(ChildCommand::program(command, &format!("{test} without rights")).env(ROLE, OBEY))
}

/// Only root can be another user, or have more rights than another process of its own.
fn root_only(test: &str) -> bool {
    if !has_other_users() {
        println!("{test}: skipped, only root can be another user");
    }
    has_other_users()
}

#[test]
fn another_user_is_refused_both_ways() {
    const TEST: &str = "containers::users::another_user_is_refused_both_ways";
    let main = || {
        if !root_only(TEST) {
            return;
        }
        let (mut root, mut nobody) = (Puppet::new(TEST), puppet_as(TEST, "nobody"));
        refused(&mut root, &mut nobody, "Unreachable", &["user 0's", "user 65534's", "only processes of one user"]);
        // Root may look everywhere, and still takes nothing that another user can change.
        refused(&mut nobody, &mut root, "NotTheSegment", &["of user 65534"]);
        // Two of them are one user, who needs no rights.
        passes(&mut nobody, &mut puppet_as(TEST, "nobody"));
    };
    scene(TEST, BOTH, main, changed(TEST, change));
}

#[test]
fn who_is_not_dumpable_starts_with_names_and_is_unreachable_without() {
    const TEST: &str = "containers::users::who_is_not_dumpable_starts_with_names_and_is_unreachable_without";
    let main = || {
        if !root_only(TEST) {
            return;
        }
        let mut hidden = Puppet::start(by_itself(child(TEST, "nobody-hidden")));
        let mut other = Puppet::start(by_itself(child(TEST, "nobody")));
        hidden.get("make 100 1");
        assert!(has_name(&hidden.get("copy 0")));
        other.get("make 100 1");
        assert!(!has_name(&other.get("copy 0")));
        passes(&mut hidden, &mut other);
        passes(&mut other, &mut hidden);
        // Where it insists.
        let mut stubborn = puppet_as(TEST, "nobody-hidden");
        refused(&mut stubborn, &mut other, "Unreachable", &["not dumpable", "Backing::Named"]);
    };
    scene(TEST, ANONYMOUS, main, changed(TEST, change));
}

#[test]
fn who_has_more_rights_is_unreachable_and_has_values_with_names_for_all() {
    const TEST: &str = "containers::users::who_has_more_rights_is_unreachable_and_has_values_with_names_for_all";
    let main = || {
        if !root_only(TEST) {
            return;
        }
        let (mut root, mut weak) = (Puppet::new(TEST), powerless(TEST));
        root.get("make 100 1");
        if has_name(&root.get("copy 0")) {
            passes(&mut root, &mut weak);
        } else {
            refused(&mut root, &mut weak, "Unreachable", &["capabilities", "Backing::Named"]);
        }
        passes(&mut weak, &mut root);
        passes(&mut weak, &mut powerless(TEST));
    };
    scene(TEST, BOTH, main, changed(TEST, change));
}
