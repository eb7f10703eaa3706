//! Values in files, sent: the receiver maps the same file.

#[cfg(feature = "ndarray")]
mod arrays;
mod changed;
mod handed_over;
mod here;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(unix)]
mod unix;

use std::{env, fs, path::Path};

use commonage::{Error, FileFault, Shared, SharedMut, SharedSlice, SharedSliceMut, SharedStr, Ticket, Value, file};
use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender};

use crate::{
    puppet::Puppet,
    scene::{NAMED, nobody_else, scene},
    support::{Directory, child, role},
};

/// A file of bytes, all alike.
fn bytes_in(path: &str, len: usize, fill: u8) -> SharedSlice<u8> {
    file::write(path, &vec![fill; len][..]).unwrap();
    open(path)
}

fn open(path: &str) -> SharedSlice<u8> {
    // SAFETY: the tests change files through this crate only, or while nobody has them.
    unsafe { file::open(path) }.unwrap()
}

fn open_mut(path: &str) -> SharedSliceMut<u8> {
    // SAFETY: as above.
    unsafe { file::open_mut(path) }.unwrap()
}

fn created(path: &str, len: usize, fill: u8) -> SharedSliceMut<u8> {
    // SAFETY: as above.
    unsafe { file::create(path, &(fill, len)) }.unwrap()
}

/// A place for a file, in a directory of its own.
struct Place {
    _directory: Directory,
    path: String,
}

impl Place {
    fn new() -> Self {
        let directory = Directory::new();
        let path = fs::canonicalize(&directory.0).unwrap().join("value").to_string_lossy().into_owned();
        Place { _directory: directory, path }
    }
}

/// What stands between a process and a file, of an error that says so.
#[track_caller]
fn fault<T>(result: Result<T, Error>) -> FileFault {
    match result {
        Err(Error::File { fault, .. }) => fault,
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("it was to be refused"),
    }
}

/// `main`, with as many others as it likes.
fn play(test: &str, main: impl FnOnce()) {
    scene(test, NAMED, main, nobody_else);
}

#[test]
fn a_child_reads_the_same_file_and_nothing_is_in_flight() {
    const TEST: &str = "files_sent::a_child_reads_the_same_file_and_nothing_is_in_flight";
    play(TEST, || {
        let place = Place::new();
        let value = bytes_in(&place.path, 100_000, 7);
        let mut other = Puppet::new(TEST);
        let token = value.clone().into_token().unwrap();
        assert_eq!(value.counts().in_flight, 0);
        assert_eq!(other.number(format!("claim {token}")), 0);
        assert_eq!(other.get("see 0"), "100000x7");
        assert_eq!(other.get("path 0"), value.path().unwrap().to_string_lossy());
        assert_eq!(other.get("counts 0"), "1 1 0");
        assert_eq!(other.get("live"), "0", "nothing of it is in its pool");
        // Again, as a part, and by a copy that it sends back.
        let part = value.slice(500..1500).slice(10..20).into_token().unwrap();
        assert_eq!(other.number(format!("claim {part}")), 1);
        assert_eq!(other.get("see 1"), "10x7");
        let back = SharedSlice::<u8>::from_token(&other.get("copy 1")).unwrap();
        assert!(back.ptr_eq(&value.slice(510..520)), "it is mapped here once");
        other.leave();
    });
}

#[test]
fn a_token_holds_when_its_sender_is_gone() {
    const TEST: &str = "files_sent::a_token_holds_when_its_sender_is_gone";
    play(TEST, || {
        let place = Place::new();
        file::write(&place.path, &[7u8; 5000][..]).unwrap();
        let sender = || {
            let mut sender = Puppet::new(TEST);
            sender.get(format!("open {}", place.path));
            sender
        };
        let mut first = sender();
        let token = first.get("send 0");
        first.leave();
        assert_eq!(SharedSlice::<u8>::from_token(&token).unwrap(), [7; 5000]);

        // Killed, while it has the handle.
        let mut second = sender();
        let token = second.get("copy 0");
        second.kill();
        assert_eq!(SharedSlice::<u8>::from_token(&token).unwrap(), [7; 5000]);
        assert_eq!(SharedSlice::<u8>::from_token(&token).unwrap(), [7; 5000], "a token is as good as the file");
    });
}

#[test]
fn a_writer_that_has_frozen_its_file_sends_it_to_many() {
    const TEST: &str = "files_sent::a_writer_that_has_frozen_its_file_sends_it_to_many";
    play(TEST, || {
        let place = Place::new();
        let mut value = created(&place.path, 70_000, 1);
        value.fill(9);
        let value = value.freeze().unwrap();
        let token = value.clone().into_token().unwrap();
        let mut others: Vec<Puppet> = (0..10).map(|_| Puppet::new(TEST)).collect();
        // All at the same time.
        others.iter_mut().for_each(|other| other.tell(format!("claim {token}")));
        others.iter_mut().for_each(|other| assert_eq!(other.hear("claim").unwrap(), "0"));
        others.iter_mut().for_each(|other| assert_eq!(other.get("see 0"), "70000x9"));
        let refused = value.try_into_mut().unwrap_err();
        assert!(matches!(refused.reason, Error::File { fault: FileFault::Locked { .. }, .. }), "{refused}");
        others.into_iter().for_each(Puppet::leave);
        let mut value = refused.handle.try_into_mut().unwrap();
        value.fill(3);
        assert!(matches!(fault(SharedSlice::<u8>::from_token(&token)), FileFault::Locked { .. }), "it is written here");
        drop(value);
        assert!(matches!(fault(SharedSlice::<u8>::from_token(&token)), FileFault::Changed { .. }));
        assert_eq!(open(&place.path), [3; 70_000]);
    });
}

#[test]
fn who_claims_twice_maps_once() {
    const TEST: &str = "files_sent::who_claims_twice_maps_once";
    play(TEST, || {
        let place = Place::new();
        let value = bytes_in(&place.path, 20_000, 7);
        let mut other = Puppet::new(TEST);
        for number in 0..3 {
            let token = value.clone().into_token().unwrap();
            assert_eq!(other.number(format!("claim {token}")), number);
        }
        assert_eq!(other.number(format!("claim {}", value.slice(100..).into_token().unwrap())), 3);
        assert_eq!(other.get("same 0 2"), "true");
        assert_eq!(other.get("counts 0"), "4 1 0");
        other.get("drop 0");
        other.get("drop 1");
        assert_eq!(other.get("see 2"), "20000x7");
        other.get("drop_all");
        // Once more, after all of it was gone.
        assert_eq!(other.number(format!("claim {}", value.into_token().unwrap())), 0);
        assert_eq!(other.get("see 0"), "20000x7");
        other.leave();
    });
}

#[test]
fn a_file_of_another_program_is_sent_too() {
    const TEST: &str = "files_sent::a_file_of_another_program_is_sent_too";
    play(TEST, || {
        let place = Place::new();
        let mut bytes = vec![0; 12_345];
        bytes[5000..].fill(6);
        fs::write(&place.path, bytes).unwrap();
        // SAFETY: nobody changes it.
        let value = unsafe { file::options::<[u8]>().raw().offset(5000).open(&place.path) }.unwrap();
        let mut other = Puppet::new(TEST);
        assert_eq!(other.number(format!("claim {}", value.slice(100..).into_token().unwrap())), 0);
        assert_eq!(other.get("see 0"), "7245x6");
        assert_eq!(other.get("path 0"), value.path().unwrap().to_string_lossy());
        let back = SharedSlice::<u8>::from_token(&other.get("send 0")).unwrap();
        assert!(back.ptr_eq(&value.slice(100..)));
        other.leave();
    });
}

/// None when there is no more.
type Work = Option<(SharedSlice<f64>, SharedSliceMut<f64>, IpcSender<SharedSliceMut<f64>>)>;

#[test]
fn an_ipc_channel_carries_files_there_and_back() {
    const TEST: &str = "files_sent::an_ipc_channel_carries_files_there_and_back";
    match role().as_deref() {
        None => {
            let (input_place, output_place) = (Place::new(), Place::new());
            let (server, name) = IpcOneShotServer::<IpcSender<Work>>::new().unwrap();
            let running = child(TEST, "worker").env("SERVER", &name).spawn();
            let (_, work) = server.accept().unwrap();
            file::write(&input_place.path, &[1.5; 4096][..]).unwrap();
            // SAFETY: nobody changes it.
            let input: SharedSlice<f64> = unsafe { file::open(&input_place.path) }.unwrap();
            // SAFETY: as above.
            let mut output: SharedSliceMut<f64> = unsafe { file::create(&output_place.path, &(0.0, 4096)) }.unwrap();
            for round in 0..50 {
                let (answer_to, answer) = ipc::channel().unwrap();
                output.fill(0.0);
                work.send(Some((input.clone(), output, answer_to))).unwrap();
                output = answer.recv().unwrap();
                assert!(output.iter().all(|x| *x == 3.0), "round {round}");
                assert_eq!(output.path(), Some(Path::new(&output_place.path)), "round {round}");
            }
            work.send(None).unwrap();
            running.success();
            drop(output);
            assert_eq!(file::read::<[f64]>(&output_place.path).unwrap(), [3.0; 4096]);
        }
        Some(_) => {
            let (to, work): (_, IpcReceiver<Work>) = ipc::channel().unwrap();
            IpcSender::connect(env::var("SERVER").unwrap()).unwrap().send(to).unwrap();
            while let Some((input, mut output, answer)) = work.recv().unwrap() {
                output.iter_mut().zip(&*input).for_each(|(o, i)| *o = 2.0 * i);
                answer.send(output).unwrap();
            }
        }
    }
}

#[test]
fn values_of_every_type_are_sent() {
    const TEST: &str = "files_sent::values_of_every_type_are_sent";
    match role().as_deref() {
        None => {
            let [text, number] = [Place::new(), Place::new()];
            file::write(&text.path, "grüße an alle").unwrap();
            // SAFETY: nobody changes it.
            let words: SharedStr = unsafe { file::open(&text.path) }.unwrap();
            // SAFETY: as above.
            let mut one: SharedMut<Value<f64>> = unsafe { file::create(&number.path, &2.5) }.unwrap();
            *one.as_view_mut() = 7.5;
            let ticket = serde_json::to_string(&words.slice(7..).ticket().unwrap()).unwrap();
            let one = one.into_token().unwrap();
            child(TEST, "reader").env("TICKET", &ticket).env("ONE", &one).run_to_success();
            // SAFETY: as above.
            let one: Shared<Value<f64>> = unsafe { file::open(&number.path) }.unwrap();
            assert_eq!(*one.as_view(), 8.5);
        }
        Some(_) => {
            let ticket: Ticket<str> = serde_json::from_str(&env::var("TICKET").unwrap()).unwrap();
            assert_eq!(&*ticket.claim().unwrap(), " an alle");
            let mut one = SharedMut::<Value<f64>>::from_token(&env::var("ONE").unwrap()).unwrap();
            *one.as_view_mut() += 1.0;
        }
    }
}
