//! A `/dev/shm` that is small, read-only or missing, and a root that is read-only.

use super::*;
#[cfg(target_os = "linux")]
use crate::scene::left;
use crate::scene::{BOTH, is_named, nobody_else, scene, scene_alone, scene_in};

#[cfg(target_os = "linux")]
const READ_ONLY_ROOT: Surroundings = Surroundings { flags: &["-m"], script: "mount -o remount,bind,ro /" };
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
    scene_in(platform::SMALL, TEST, BOTH, main, nobody_else);
}

/// What does not fit goes with its process, and whoever comes for it is told; what fits is delivered.
#[cfg(target_os = "linux")]
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
    scene_in(platform::SMALL, TEST, BOTH, main, nobody_else);
}

#[cfg(target_os = "linux")]
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
        for Unnamed { start, place, unclaimed } in platform::without_names(TEST) {
            let (mut here, mut there) = (Puppet::new(TEST), start());
            if is_named() {
                for _ in 0..2 {
                    refuses(&mut there, "make 70000 1", "Os", &[&place]);
                }
                here.get("make 70000 1");
                let token = here.get("copy 0");
                let found = there.ask(format!("claim {token}")).expect_err("there are no names");
                assert!(found.contains(unclaimed), "{found}");
                continue;
            }
            passes(&mut there, &mut here);
            passes(&mut here, &mut there);
            // There is no place for what one leaves of whose memory nobody has anything.
            let mut alone = start();
            alone.get("make 70000 3");
            let token = alone.get("send 0");
            alone.leave();
            refuses(&mut here, &format!("claim {token}"), "Gone", &[]);
        }
    };
    scene(TEST, BOTH, main, nobody_else);
}

/// As two containers have it that share nothing: names are not found, and memory without a name is, where `/proc` shows both.
#[test]
fn a_dev_shm_of_ones_own_keeps_names_apart_and_no_memory_without_one() {
    const TEST: &str = "containers::directories::a_dev_shm_of_ones_own_keeps_names_apart_and_no_memory_without_one";
    let main = || {
        let (mut here, mut there) = (Puppet::new(TEST), Puppet::start(child(TEST, OBEY).alone(1 << 30)));
        here.get("make 100 1");
        if has_name(&here.get("copy 0")) {
            refused(&mut here, &mut there, "Gone", &[]);
            refused(&mut there, &mut here, "Gone", &[]);
        } else {
            passes(&mut here, &mut there);
            passes(&mut there, &mut here);
        }
    };
    scene_alone(TEST, BOTH, main, nobody_else);
}
