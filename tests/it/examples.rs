//! The examples, run as their users run them. They fail by themselves if what they show is not so.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
};

use crate::{
    named::Name,
    support::{BOTH, Directory, can_be_alone, example, listing, said},
};

/// Of what has a name, these find all there is, so they must be alone with it.
fn alone(name: &str, arguments: &[&str]) -> Option<String> {
    if !can_be_alone() {
        println!("skipped: a place of one's own for what has a name is not permitted here");
        return None;
    }
    let example = arguments.iter().fold(example(name).alone(1 << 30), |example, argument| example.arg(argument));
    Some(String::from_utf8(example.run_to_success().stdout).unwrap())
}

#[test]
fn what_two_killed_processes_held_comes_back_and_nothing_is_left() {
    let Some(output) = alone("survive", &[]) else { return };
    for backing in BOTH {
        let (_, output) = output.split_once(&format!("{backing} memory")).expect("a table for each backing");
        assert!(output.contains("left in") && output.contains(": nothing"), "{output}");
    }
}

#[test]
fn in_a_storm_all_values_are_right_and_nothing_is_left() {
    let Some(output) = alone("storm", &["--seconds", "2", "--processes", "4"]) else { return };
    let figure = |of: &str| {
        let line = output.lines().find_map(|line| line.strip_prefix(of)).expect("a line for each figure");
        line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).expect("a number")
    };
    assert!(figure("values checked") > 0 && figure("messages") > 0, "{output}");
    assert_eq!((figure("corruptions"), figure("leftovers"), figure("errors")), (0, 0, 0), "{output}");
}

#[test]
fn an_array_is_seen_in_part_and_as_its_receiver_sees_it() {
    let output = String::from_utf8(example("ndarray").run_to_success().stdout).unwrap();
    assert!(output.contains("rows 1 and 2 of it: [2, 3], 2 handles on one block"), "{output}");
}

#[test]
fn a_type_of_ones_own_is_shared() {
    let output = String::from_utf8(example("custom_type").run_to_success().stdout).unwrap();
    assert!(output.contains("3 channels, sample 17 is 2"), "{output}");
}

#[test]
fn the_count_is_right_although_one_of_those_who_count_is_killed_with_the_lock() {
    let output = example("counter").arg("--processes").arg("3").arg("--steps").arg("3000").run_to_success();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(output.contains("9000  of 9000, steps taken back: 1"), "{output}");
    assert_eq!(output.matches("has found the lock of a dead one").count(), 1, "{output}");
}

#[test]
fn readers_of_telemetry_come_and_go_and_see_nothing_torn() {
    let output = String::from_utf8(example("telemetry").run_to_success().stdout).unwrap();
    assert!(output.contains("left of the name: nothing"), "{output}");
}

#[test]
fn a_reader_of_telemetry_waits_for_a_writer_and_outlives_one_that_is_killed() {
    let name = Name::new();
    let start = |command: &str| example("telemetry").arg(command).arg(&name.0).arg("--told");
    let new_within_a_second = || {
        let mut reader = start("read").arg("--seconds").arg("1").spawn();
        let new = new(&mut BufReader::new(reader.child().stdout.take().expect("it is piped")));
        reader.success();
        new
    };

    let mut reader = start("read").spawn();
    let mut from_reader = BufReader::new(reader.child().stdout.take().expect("it is piped"));
    let writer = start("write").spawn();
    assert!(new_within_a_second() > 0);
    // Ended as `kill -9` does.
    drop(writer);
    assert_eq!(new_within_a_second(), 1, "what the dead one wrote last is there");
    let writer = start("write").spawn();
    assert!((0..20).any(|_| new_within_a_second() > 1), "another goes on");
    // It ends with its input, and the reader with it.
    writer.success();
    assert!(new(&mut from_reader) > 1);
    reader.success();
}

#[test]
fn a_simulation_that_is_killed_again_and_again_comes_to_the_same_end() {
    let output = example("checkpoint").arg("--steps").arg("200").arg("--every").arg("20").run_to_success();
    let output = String::from_utf8(output.stdout).unwrap();
    assert!(!output.starts_with("0 times killed") && output.contains(", 10 checkpoints, "), "{output}");
    assert!(output.contains("after 200 steps the plate has ") && output.contains("bit by bit"), "{output}");
}

#[test]
fn a_simulation_that_was_killed_after_its_last_step_has_come_to_its_end() {
    let directory = Directory::new();
    let path = Path::new(&directory.0).join("plate");
    let worker = |input: &str| {
        let mut worker = example("checkpoint").arg("--worker").arg(path.to_str().unwrap());
        worker = worker.arg("--steps").arg("2").arg("--every").arg("2");
        let mut worker = worker.spawn();
        worker.child().stdin.take().expect("it is piped").write_all(input.as_bytes()).unwrap();
        String::from_utf8(worker.success().stdout).unwrap().replace('\r', "")
    };
    assert_eq!(worker("\n"), "from 0\ndone 1\ndone 2\nkept 2\n");
    assert_eq!(worker(""), "from 2\n", "nobody has to tell it to do nothing");
}

/// What `npy_stats` prints of its arguments, without the name of a file in it, and without how long it took.
fn summary(arguments: &[&str]) -> Vec<String> {
    let example = arguments.iter().fold(example("npy_stats"), |example, argument| example.arg(argument));
    let output = String::from_utf8(example.run_to_success().stdout).unwrap();
    let (_, output) = output.split_once("numbers ").expect("how many there are");
    output.lines().take(5).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The same, of a file with these numbers in 64 rows, gone over by three processes.
fn summary_of(numbers: &[f64]) -> Vec<String> {
    let directory = Directory::new();
    let path = Path::new(&directory.0).join("numbers.npy");
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': (64, {}), }}", numbers.len() / 64);
    header = format!("{header:117}\n");
    let mut file = [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
    file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    fs::write(&path, file).unwrap();
    summary(&["--workers", "3", path.to_str().unwrap()])
}

#[test]
fn what_there_is_in_a_file_of_numbers_is_found_by_several_processes() {
    let numbers: Vec<f64> = (1..=64_000).map(f64::from).collect();
    let expected = ["<f8, 64 x 1000", "mean 32000.500000", "standard deviation 18475.208612"];
    assert_eq!(summary_of(&numbers), [&expected[..], &["min 1.000000", "max 64000.000000"]].concat());

    // Close together, and far from zero.
    let numbers: Vec<f64> = (0..64_000).map(|index| 1e9 + f64::from(index % 2)).collect();
    let found = summary_of(&numbers);
    assert_eq!(found[1..3], ["mean 1000000000.500000", "standard deviation 0.500000"]);

    let mut numbers = vec![1.0; 64_000];
    numbers[63_999] = f64::NAN;
    assert_eq!(summary_of(&numbers)[1..], ["mean nan", "standard deviation nan", "min nan", "max nan"]);

    let mut numbers = vec![1.0; 64_000];
    numbers[0] = f64::INFINITY;
    numbers[63_999] = f64::INFINITY;
    assert_eq!(summary_of(&numbers)[1..], ["mean inf", "standard deviation nan", "min 1.000000", "max inf"]);
}

#[test]
fn a_file_of_numbers_is_made_where_none_is_named() {
    let of = |workers: &str, dtype: &str| summary(&["--workers", workers, "--make", "50x70", dtype]);
    for dtype in ["b1", "i2", "u8", "f4"] {
        let found = of("3", dtype);
        assert!(found[0].ends_with(&format!("{dtype}, 50 x 70")), "{found:?}");
        assert_eq!(found, of("1", dtype), "whoever does how much of it");
    }
}

#[test]
fn what_is_no_file_of_numbers_is_refused_in_a_sentence() {
    let directory = Directory::new();
    let path = |name: &str| Path::new(&directory.0).join(name).to_str().unwrap().to_owned();
    fs::write(path("text.npy"), "no numbers").unwrap();
    let refused = |arguments: &[&str]| {
        let example = arguments.iter().fold(example("npy_stats"), |example, argument| example.arg(argument));
        let output = example.spawn().output();
        assert_eq!((output.status.code(), &output.stdout[..]), (Some(1), &b""[..]));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("npy_stats: ") && said.lines().count() == 1, "{said}");
        said
    };
    assert!(refused(&[&path("missing.npy")]).contains("it does not exist"));
    assert!(refused(&[&path("text.npy")]).contains("NUMPY"));
    assert!(refused(&[&directory.0]).contains(&directory.0));
    assert!(refused(&["--make", "0x3", "f8", &path("none.npy")]).contains("has no numbers in it"));
    assert!(refused(&["--make", "3", "c16"]).contains("c16"));
    assert!(refused(&["--make", "3", "f8", &path("text.npy")]).contains("exists"));
    assert_eq!(listing(&directory.0), ["none.npy", "text.npy"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_worker_is_the_end_of_those_who_look_at_numbers_and_they_say_so() {
    let killed = (0..100).any(|_| {
        let mut all = example("npy_stats").arg("--workers").arg("3").arg("--make").arg("500x1000").arg("f8").spawn();
        let id = all.child().id();
        let workers = || fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        let worker = loop {
            match workers().split_whitespace().next() {
                Some(worker) => break worker.parse().unwrap(),
                None if all.child().try_wait().unwrap().is_some() => return false,
                None => std::thread::yield_now(),
            }
        };
        crate::support::kill(worker);
        let output = all.output();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() || said.contains("failed: it died (signal: 9 (SIGKILL))"), "{said}");
        !output.status.success()
    });
    assert!(killed, "it was never killed in time");
}

#[cfg(target_os = "linux")]
#[test]
fn a_sound_is_heard_as_it_was_played_and_what_is_lost_is_counted() {
    let figures = |output: &str| {
        let line = output.lines().find(|line| line.contains(" heard, ")).expect("a line of figures");
        let numbers = line.split([' ', ':', ',']).filter_map(|word| word.parse::<u64>().ok());
        <[u64; 4]>::try_from(numbers.collect::<Vec<_>>()).expect("frames, heard, overruns, underruns")
    };
    for stall in ["0", "400"] {
        let output = example("audio").arg("--seconds").arg("1").arg("--stall").arg(stall).run_to_success();
        let output = String::from_utf8(output.stdout).unwrap();
        let [frames, heard, overruns, underruns] = figures(&output);
        assert_eq!((frames, heard + overruns), (100, 100), "{output}");
        assert!(stall == "0" || underruns > 0, "eight frames are 80 ms, and nothing came for 400: {output}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn one_thread_awaits_the_rings_of_three_processes_of_which_one_is_killed() {
    let output = String::from_utf8(example("ring_async").run_to_success().stdout).unwrap();
    assert_eq!(output.matches(": 2000 measurements, awaited ").count(), 2, "{output}");
    assert_eq!(output.matches("then it was killed").count(), 1, "{output}");
}

/// How many samples a reader says at its end that it has seen, none of them torn.
fn new(from: &mut impl BufRead) -> u64 {
    assert_eq!(said(from, ""), "open");
    let tally = said(from, "");
    match tally.split(' ').collect::<Vec<_>>()[..] {
        [_reads, new, _missed, _longest, torn] => {
            assert_eq!(torn, "0", "{tally}");
            new.parse().unwrap()
        }
        _ => panic!("`{tally}` is no tally"),
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_sealed_configuration_is_read_by_all_clients_and_written_by_none() {
    let output = String::from_utf8(example("sealed_handoff").run_to_success().stdout).unwrap();
    let config = "8 workers, 250 ms, a ratio of 0.75; \"read me, and leave me as I am\"";
    assert_eq!(output.matches(config).count(), 4, "{output}");
    assert!(output.contains("vandal: 7 ways, and the configuration is as it was"), "{output}");
    assert_eq!(output.lines().count(), 12, "{output}");
}
