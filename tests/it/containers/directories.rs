//! A `/dev/shm` that is small, read-only or missing, and a root that is read-only.

use super::*;
use crate::scene::{BOTH, is_named, left, nobody_else, scene, scene_in};

const READ_ONLY_ROOT: Surroundings = Surroundings { flags: &["-m"], script: "mount -o remount,bind,ro /" };
const ALL_READ_ONLY: Surroundings =
    Surroundings { flags: &["-m"], script: "mount -o remount,bind,ro /; mount -t tmpfs -o ro tmpfs /dev/shm" };
/// The same `/dev/shm`, and no writing there.
const READ_ONLY_SHM: Surroundings = Surroundings { flags: &["-m"], script: "mount -o remount,bind,ro /dev/shm" };
/// Another `/dev`, in which there is no directory of that name.
const NO_SHM: Surroundings = Surroundings { flags: &["-m"], script: "mount -t tmpfs tmpfs /dev" };

const MIB: u64 = 1 << 20;

#[test]
fn on_a_dev_shm_of_one_mebibyte_names_run_out_of_space_and_memory_without_one_does_not() {
    const TEST: &str =
        "containers::directories::on_a_dev_shm_of_one_mebibyte_names_run_out_of_space_and_memory_without_one_does_not";
    let main = || {
        let (mut first, mut second) = (Puppet::new(TEST), Puppet::new(TEST));
        arrives(&mut first, &mut second, 100_000);
        second.get("drop_all");
        first.get("drop_all");
        if is_named() {
            let found = first.ask("make 5000000 1").expect_err("five times what there is");
            assert!(found.starts_with("NoSpace"), "{found}");
            // What has been refused takes nothing from what fits.
            arrives(&mut first, &mut second, 300_000);
            let mut values = Vec::new();
            let full = loop {
                match second.ask("make 100000 1") {
                    Ok(value) => values.push(value),
                    Err(error) => break error,
                }
            };
            assert!(full.starts_with("NoSpace") && !values.is_empty(), "{full}");
            second.get("drop_all");
            second.get("make 100000 1");
        } else {
            passes(&mut first, &mut second);
            arrives(&mut first, &mut second, 50_000_000);
        }
    };
    scene_in(MIB, TEST, BOTH, main, nobody_else);
}

/// What does not fit goes with its process, and whoever comes for it is told; what fits is delivered.
#[test]
fn a_message_that_fits_no_dev_shm_is_gone_with_its_process_and_others_are_not() {
    const TEST: &str =
        "containers::directories::a_message_that_fits_no_dev_shm_is_gone_with_its_process_and_others_are_not";
    let main = || {
        if is_named() {
            return;
        }
        let (mut sender, mut receiver) = (Puppet::new(TEST), Puppet::new(TEST));
        let mut send = |len: usize, fill: u8| {
            let value = sender.get(format!("make_mut {len} {fill}"));
            sender.get(format!("send {value}"))
        };
        let (large, small) = (send(5_000_000, 1), send(50_000, 2));
        sender.leave();
        refuses(&mut receiver, &format!("claim_mut {large}"), "Gone", &[]);
        let error = commonage::SharedSliceMut::<u8>::from_token(&large).unwrap_err().to_string();
        assert!(error.contains("is gone") && error.contains("left no file with the message"), "{error}");
        let value = receiver.get(format!("claim_mut {small}"));
        assert_eq!(receiver.get(format!("see {value}")), "50000x2");
        assert_eq!(left(), [""; 0]);
    };
    scene_in(MIB, TEST, BOTH, main, nobody_else);
}

#[test]
fn a_read_only_root_changes_nothing() {
    const TEST: &str = "containers::directories::a_read_only_root_changes_nothing";
    let main = || {
        if !READ_ONLY_ROOT.can_be_had(TEST) {
            return;
        }
        let (mut here, mut there) = (Puppet::new(TEST), READ_ONLY_ROOT.puppet(TEST));
        passes(&mut here, &mut there);
        passes(&mut there, &mut here);
        let own = there.get("make 100 7");
        let token = there.get(format!("send {own}"));
        there.leave();
        drop(here);
        let mut late = Puppet::new(TEST);
        let value = late.get(format!("claim {token}"));
        assert_eq!(late.get(format!("see {value}")), "100x7");
    };
    scene(TEST, BOTH, main, nobody_else);
}

#[test]
fn without_a_dev_shm_to_write_to_memory_without_a_name_works_and_names_are_an_error_that_says_where() {
    const TEST: &str = "containers::directories::without_a_dev_shm_to_write_to_memory_without_a_name_works_and_names_are_an_error_that_says_where";
    let main = || {
        for surroundings in [ALL_READ_ONLY, READ_ONLY_SHM, NO_SHM] {
            if !surroundings.can_be_had(TEST) {
                return;
            }
            let (mut here, mut there) = (Puppet::new(TEST), surroundings.puppet(TEST));
            if is_named() {
                for _ in 0..2 {
                    refuses(&mut there, "make 70000 1", "Os", &["/dev/shm"]);
                }
                here.get("make 70000 1");
                let token = here.get("copy 0");
                let found = there.ask(format!("claim {token}")).expect_err("there are no names");
                let says = if surroundings.script == ALL_READ_ONLY.script { "Gone" } else { "/dev/shm" };
                assert!(found.contains(says), "{found}");
                continue;
            }
            passes(&mut there, &mut here);
            passes(&mut here, &mut there);
            // There is no place for what one leaves of whose memory nobody has anything.
            let mut alone = surroundings.puppet(TEST);
            alone.get("make 70000 3");
            let token = alone.get("send 0");
            alone.leave();
            refuses(&mut here, &format!("claim {token}"), "Gone", &[]);
        }
    };
    scene(TEST, BOTH, main, nobody_else);
}
