//! Filters of system calls, as container profiles have them, and kernels that have not all of them.

use std::{env, io, os::unix::process::CommandExt, process::Command};

use super::*;
use crate::{
    scene::{ANONYMOUS, BOTH, nobody_else, scene},
    support::ROLE,
};

/// From now on the call fails with this error in this thread, and in what it starts.
pub(crate) fn deny(call: libc::c_long, error: i32) -> io::Result<()> {
    filter(call, libc::SECCOMP_RET_ERRNO | error.cast_unsigned(), libc::SECCOMP_RET_ALLOW)
}

/// From now on any other call of this thread ends its process.
pub(crate) fn allow_only(call: libc::c_long) -> io::Result<()> {
    filter(call, libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_KILL_PROCESS)
}

/// What becomes of one call, and of all others.
fn filter(call: libc::c_long, of_it: u32, of_others: u32) -> io::Result<()> {
    let statement = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        // The number of the call is the first word of what a filter is given.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, call as u32),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, of_it),
        statement(libc::BPF_RET | libc::BPF_K, 0, 0, of_others),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: says that programs that this process starts get no more rights.
    let done = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel copies the program, which lives until the call returns.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A puppet that never had the call: the filter is there before the program begins.
fn without(test: &str, call: libc::c_long, error: i32) -> ChildCommand {
    let mut command = Command::new(env::current_exe().expect("the path of this test binary"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1", "--include-ignored"]);
    // SAFETY: two system calls, and memory of the stack.
    unsafe { command.pre_exec(move || deny(call, error)) };
    ChildCommand::program(command, &format!("{test} without call {call}")).env(ROLE, OBEY)
}

const ERRORS: [i32; 2] = [libc::EPERM, libc::ENOSYS];

#[test]
fn where_there_are_no_memfds_a_process_starts_with_names() {
    const TEST: &str = "containers::filters::where_there_are_no_memfds_a_process_starts_with_names";
    let main = || {
        for error in ERRORS {
            let mut denied = Puppet::start(by_itself(without(TEST, libc::SYS_memfd_create, error)));
            let mut other = Puppet::start(by_itself(child(TEST, OBEY)));
            denied.get("make 100 1");
            assert!(has_name(&denied.get("copy 0")));
            passes(&mut denied, &mut other);
            other.get("make 100 1");
            passes(&mut other, &mut denied);
            // Where it insists.
            let mut stubborn = Puppet::start(without(TEST, libc::SYS_memfd_create, error));
            refuses(&mut stubborn, "make 100 1", "Os", &["memfd_create"]);
        }
    };
    scene(TEST, ANONYMOUS, main, nobody_else);
}

#[test]
fn what_only_makes_things_better_may_be_denied() {
    const TEST: &str = "containers::filters::what_only_makes_things_better_may_be_denied";
    let main = || {
        for call in [libc::SYS_madvise, libc::SYS_statx, libc::SYS_pidfd_open, libc::SYS_kill, libc::SYS_fstatfs] {
            for error in ERRORS {
                let (mut denied, mut other) = (Puppet::start(without(TEST, call, error)), Puppet::new(TEST));
                arrives(&mut denied, &mut other, 70_000);
                arrives(&mut other, &mut denied, 70_000);
                let value = denied.get("make 70000 1");
                let token = denied.get(format!("send {value}"));
                denied.leave();
                other.get(format!("claim {token}"));
            }
        }
    };
    scene(TEST, BOTH, main, nobody_else);
}

/// Without it nothing can be promised of what is touched later.
#[test]
fn where_memory_cannot_be_reserved_the_error_names_the_call() {
    const TEST: &str = "containers::filters::where_memory_cannot_be_reserved_the_error_names_the_call";
    let main = || {
        for error in ERRORS {
            let mut denied = Puppet::start(without(TEST, libc::SYS_fallocate, error));
            refuses(&mut denied, "make 100 1", "Os", &["fallocate"]);
            denied.leave();
        }
        assert_eq!(crate::scene::left(), [""; 0]);
    };
    scene(TEST, BOTH, main, nobody_else);
}
