//! A `/proc` that is missing, or that hides processes.

use std::{io::BufReader, time::Duration};

use commonage::{
    Link, Shared, SharedSlice,
    link::ReadWrite,
    stats, sweep,
    sync::{Mutex, SeqLock, TryLockError},
};

use super::*;
use crate::{
    forked::{End, Forked},
    links_of_peers::given,
    named::LINK,
    named::Name,
    scene::{ANONYMOUS, BOTH, is_named, nobody_else, scene, scene_alone},
    support::said,
};

/// An empty directory.
const NO_PROC: Surroundings = Surroundings { flags: &["-m"], script: "mount -t tmpfs tmpfs /proc" };
const HIDES: Surroundings = Surroundings { flags: &["-m"], script: "mount -t proc -o hidepid=2 proc /proc" };

fn as_nobody(role: &str) {
    assert_eq!(role, "nobody");
    become_nobody();
}

#[test]
fn without_proc_a_process_starts_with_names_and_gets_no_memory_without_one() {
    const TEST: &str = "containers::proc::without_proc_a_process_starts_with_names_and_gets_no_memory_without_one";
    let main = || {
        if !NO_PROC.can_be_had(TEST) {
            return;
        }
        let mut here = Puppet::start(by_itself(child(TEST, OBEY)));
        let start = || Puppet::start(by_itself(NO_PROC.child(TEST, OBEY)));
        let (mut there, mut beside) = (start(), start());
        there.get("make 100 1");
        assert!(has_name(&there.get("copy 0")));
        passes(&mut there, &mut here);
        passes(&mut there, &mut beside);
        refused(&mut here, &mut there, "Unreachable", &["this process has no `/proc`", "Backing::Named"]);
        // What has a name is left by its name.
        let token = there.get("copy 0");
        there.leave();
        beside.get(format!("claim {token}"));
        // What has none is left in a file.
        here.get("make 70000 3");
        let last = here.get("make 70000 4");
        let token = here.get(format!("send {last}"));
        here.leave();
        let value = beside.get(format!("claim {token}"));
        assert_eq!(beside.get(format!("see {value}")), "70000x4");
    };
    scene(TEST, ANONYMOUS, main, nobody_else);
}

/// Everything else that looks into `/proc` somewhere else.
#[test]
fn without_proc_all_the_rest_works_and_nothing_is_said() {
    const TEST: &str = "containers::proc::without_proc_all_the_rest_works_and_nothing_is_said";
    let main = || {
        if !NO_PROC.can_be_had(TEST) {
            return;
        }
        let output = by_itself(NO_PROC.child(TEST, "rest")).run_to_success();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        sweep();
        assert_eq!(crate::scene::left(), [""; 0]);
    };
    let rest = |_: &str| {
        assert!(std::fs::read_dir("/proc").unwrap().next().is_none());
        let value: SharedSlice<u8> = Shared::new(&(1, 70_000)).unwrap();
        // Larger than the memory that is asked for at once.
        let large: SharedSlice<u8> = Shared::new(&(2, 300 << 20)).unwrap();
        let child = Forked::new(End::UnderscoreExit, || {
            let own: SharedSlice<u8> = Shared::new(&(3, 70_000)).unwrap();
            assert!(own.iter().all(|byte| *byte == 3) && value.iter().all(|byte| *byte == 1));
            assert!(value.clone().into_token().is_err());
        });
        child.success();
        assert_eq!((value[0], large[(300 << 20) - 1], stats().blocks), (1, 2, 2));
        drop((value, large));
        sweep();
        commonage::trim();

        let link: Link<SeqLock<u64>, ReadWrite> = Link::create_with("commonage-test-no-proc", SeqLock::new(7)).unwrap();
        let again: Link<SeqLock<u64>> = Link::open("commonage-test-no-proc").unwrap();
        link.write(8);
        assert_eq!(again.read().unwrap(), 8);
    };
    scene_alone(TEST, ANONYMOUS, main, rest);
}

#[test]
fn without_proc_a_lock_in_a_link_is_had_by_one_and_a_holder_that_is_killed_is_known_to_be_dead() {
    const TEST: &str =
        "containers::proc::without_proc_a_lock_in_a_link_is_had_by_one_and_a_holder_that_is_killed_is_known_to_be_dead";
    let main = || {
        if !NO_PROC.can_be_had(TEST) {
            return;
        }
        let name = Name::new();
        let link: Link<Mutex<u64>, ReadWrite> = Link::create(&name.0).unwrap();
        let mut holder = NO_PROC.child(TEST, "holds").env(LINK, &name.0).spawn();
        let mut from = BufReader::new(holder.child().stdout.take().expect("it is piped"));
        said(&mut from, "holds: ");
        assert!(matches!(link.lock_timeout(Duration::from_millis(50)), Err(TryLockError::Held)));
        holder.kill();
        let died = link.lock_timeout(Duration::from_secs(20));
        assert!(matches!(died, Err(TryLockError::OwnerDied(_))), "a death goes unnoticed");
    };
    let holds = |_: &str| {
        let link: Link<Mutex<u64>, ReadWrite> = Link::open_existing(&given()).unwrap();
        let _guard = link.lock_timeout(Duration::MAX).unwrap();
        println!("\nholds: ");
        // SAFETY: waits for the signal of its end.
        unsafe { libc::pause() };
    };
    scene(TEST, ANONYMOUS, main, holds);
}

#[test]
fn without_proc_memory_without_a_name_that_is_insisted_on_is_an_error() {
    const TEST: &str = "containers::proc::without_proc_memory_without_a_name_that_is_insisted_on_is_an_error";
    let main = || {
        if NO_PROC.can_be_had(TEST) {
            refuses(&mut NO_PROC.puppet(TEST), "make 100 1", "Os", &["/proc", "Backing::Named"]);
        }
    };
    scene(TEST, ANONYMOUS, main, nobody_else);
}

#[test]
fn a_proc_that_hides_others_hides_no_process_of_the_same_user() {
    const TEST: &str = "containers::proc::a_proc_that_hides_others_hides_no_process_of_the_same_user";
    let main = || {
        if !has_other_users() || !HIDES.can_be_had(TEST) {
            return println!("{TEST}: skipped, only root can be another user");
        }
        let start = || Puppet::start(HIDES.child(TEST, "nobody"));
        let (mut first, mut second, mut root) = (start(), start(), HIDES.puppet(TEST));
        passes(&mut first, &mut second);
        passes(&mut second, &mut first);
        let says: &[&str] = if is_named() { &["user 0's", "only processes of one user"] } else { &["hidepid"] };
        refused(&mut root, &mut first, "Unreachable", says);
    };
    scene(TEST, BOTH, main, changed(TEST, as_nobody));
}
