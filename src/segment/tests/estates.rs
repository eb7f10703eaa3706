//! What the dead leave by name. Other tests, and other processes of this user, may look at the same directory meanwhile,
//! and sweep there.

use std::{
    fs::{self, File},
    io::Write,
    time::{Duration, Instant, SystemTime},
};

use super::{
    super::estates::{Estate, estates},
    files::{Left, of_identity, of_segment, open_to_others, symlink, taken},
    *,
};

/// A segment whose name goes with the test, however it ends.
struct Made(Segment);

impl Drop for Made {
    fn drop(&mut self) {
        self.0.remove_name();
    }
}

fn made() -> Made {
    Made(create(Backing::Named))
}

fn number() -> u64 {
    sys::random_u64().unwrap() >> 8
}

fn id_file(number: u64) -> String {
    format!("commonage-id-{number:016x}")
}

/// The estate that lists this segment.
fn estate_with(id: SegmentId) -> Option<Estate> {
    estates().into_iter().find(|estate| estate.segments().contains(&id))
}

#[test]
fn what_a_killed_process_leaves_is_found_looked_at_and_removed() {
    let mut child = Peer::start("has-names");
    let said = child.hear();
    let (number, theirs) = said.split_once(' ').unwrap();
    let (number, id) = (number.parse().unwrap(), peer::locator(theirs).id);
    let (file, _name) = (Left(of_identity(number)), Left(of_segment(id)));
    assert!(estate_with(id).is_none(), "it lives");
    assert_eq!(Peek::open(id).unwrap().liveness(number), Liveness::Alive);
    child.kill();

    let estate = estate_with(id).expect("it is dead");
    assert_eq!(estate.segments(), [id]);
    let peek = Peek::open(id).unwrap();
    assert_eq!(peek.size(), (CONTROL + DATA) as u64);
    let mut found = [0; 8];
    assert!(peek.read(ID as u64, &mut found));
    assert_eq!(u64::from_le_bytes(found), id.0);
    assert_eq!(peek.liveness(number), Liveness::Dead);
    assert!(!estate.settle(|_, _| true), "something is left");
    assert!(file.exists());
    assert!(peek.remove());
    assert!(Peek::open(id).is_none());
    assert!(estate_with(id).is_none_or(|estate| estate.settle(|_, _| true)));
    assert!(!file.exists());
}

#[test]
fn the_own_process_is_alive() {
    let made = made();
    let identity = made.0.identity().unwrap();
    assert!(estate_with(made.0.id()).is_none());
    assert_eq!(Peek::open(made.0.id()).unwrap().liveness(identity), Liveness::Alive);
    assert_eq!(Peek::open(made.0.id()).unwrap().liveness(number()), Liveness::Unknown);
}

#[test]
fn the_oldest_comes_first_and_what_is_no_name_is_left_out() {
    let made = [(); 3].map(|()| made());
    let [a, b, c] = [0, 1, 2].map(|i| made[i].0.id());
    let text = |id: SegmentId| format!("{}\n", named::name_of(id));
    let odd =
        format!("{}garbage\n\n/commonage-../../etc\n/commonage-123\n{}{}/commonage-0123", text(a), text(b), text(a));
    let files = [Left::new(&id_file(number()), &odd), Left::new(&id_file(number()), &text(c))];
    let (older, newer) = (SystemTime::now() - Duration::from_secs(100), SystemTime::now() - Duration::from_secs(50));
    let found = |times: [SystemTime; 2]| -> Vec<_> {
        for (file, time) in files.iter().zip(times) {
            File::options().write(true).open(&file.0).unwrap().set_modified(time).unwrap();
        }
        let all = estates();
        let ours = all.iter().filter(|estate| estate.segments().iter().any(|id| [a, b, c].contains(id)));
        ours.map(|estate| estate.segments().to_vec()).collect()
    };
    let mut both = vec![a, b];
    both.sort();
    assert_eq!(found([older, newer]), [both.clone(), vec![c]]);
    assert_eq!(found([newer, older]), [vec![c], both]);
}

#[test]
fn what_died_half_made_is_removed_and_what_is_being_made_is_not() {
    let half = Left::new(&format!("{}.new", id_file(number())), "");
    let sweep = Left::new(&format!("commonage-sweep-{:016x}", number()), "");
    let locked = [format!("{}.new", id_file(number())), format!("commonage-sweep-{:016x}", number())];
    let locked = locked.map(|name| Left::new(&name, ""));
    let locks = locked.each_ref().map(|left| File::open(&left.0).unwrap());
    locks.iter().for_each(|file| file.lock().unwrap());
    let other = Left::new(&format!("commonage-identity-test-{:016x}", number()), "");
    estates();
    assert!(!half.exists() && !sweep.exists());
    assert!(locked.iter().all(Left::exists));
    assert!(other.exists());
}

#[test]
fn what_is_no_identity_file_is_let_be() {
    let made = made();
    let list = format!("{}\n", named::name_of(made.0.id()));
    let elsewhere = Left::new(&format!("commonage-test-list-{:016x}", number()), &list);
    let link = Left(of_identity(number()));
    let linked = symlink(&elsewhere.0, &link.0);
    let long = Left::new(&format!("{}0", id_file(number())), &list);
    let capital = Left::new("commonage-id-00ABCDEF00ABCDEF", &list);
    let directory = of_identity(number());
    fs::create_dir(&directory).unwrap();
    let found = estate_with(made.0.id());
    fs::remove_dir(&directory).unwrap();
    assert!(found.is_none(), "{found:?}");
    assert!([elsewhere, long, capital].iter().all(Left::exists));
    assert_eq!(link.exists(), linked);
}

#[test]
fn what_is_looked_at_is_read_and_nothing_beyond_its_end() {
    let id = SegmentId(sys::random_u64().unwrap());
    let made = Made(Segment::create(Backing::Named, id, CONTROL, DATA).unwrap());
    let peek = Peek::open(id).unwrap();
    assert_eq!(peek.size(), (CONTROL + DATA) as u64);
    let mut bytes = vec![1; CONTROL];
    assert!(peek.read(DATA as u64, &mut bytes));
    assert!(bytes.iter().all(|byte| *byte == 0));
    // What is written through a mapping shows at once, wherever it lies.
    for at in [8, GRANULE - 8, GRANULE + 4096, CONTROL + DATA - 8] {
        word(&made.0, at).store(at as u64, Ordering::Relaxed);
        let mut found = [0; 9];
        assert_eq!(peek.read(at as u64, &mut found), at + 9 <= CONTROL + DATA);
        assert!(peek.read(at as u64, &mut found[..8]));
        assert_eq!(found[..8], (at as u64).to_le_bytes());
    }
    assert!(!peek.read(DATA as u64 + 1, &mut bytes), "beyond its end");
    assert!(!peek.read(u64::MAX, &mut bytes));
    assert!(peek.read(0, &mut []));
    drop(made);
    assert!(Peek::open(id).is_none());
    assert!(peek.remove(), "it is gone already");
}

#[test]
fn looking_makes_no_memory_and_takes_only_what_is_private() {
    let id = SegmentId(sys::random_u64().unwrap());
    let (path, elsewhere) = (of_segment(id), made());
    fs::create_dir(&path).unwrap();
    let found = Peek::open(id).is_some();
    fs::remove_dir(&path).unwrap();
    assert!(!found, "a directory");
    let link = Left(path.clone());
    if symlink(&of_segment(elsewhere.0.id()), &link.0) {
        assert!(Peek::open(id).is_none(), "a link");
    }
    drop(link);

    let _made = Made(Segment::create(Backing::Named, id, CONTROL, DATA).unwrap());
    let peek = Peek::open(id).unwrap();
    let mut bytes = vec![1; CONTROL];
    assert!(peek.read(DATA as u64, &mut bytes));
    assert!(bytes.iter().all(|byte| *byte == 0));
    assert_eq!(taken(&path), ((CONTROL + DATA) as u64, 0));
    if open_to_others(&path) {
        assert!(Peek::open(id).is_none());
    }
}

/// `cargo test --release --lib -- --ignored --nocapture a_thousand`.
#[test]
#[ignore = "prints times"]
fn a_thousand_segments_of_a_hundred_dead() {
    fn timed<R>(what: &str, call: impl FnOnce() -> R) -> (R, Duration) {
        let begin = Instant::now();
        let result = call();
        println!("{what}: {:?}", begin.elapsed());
        (result, begin.elapsed())
    }
    timed("estates, with what else there is", estates);
    let mut left = Vec::new();
    for _ in 0..100 {
        let ids: Vec<_> = (0..10).map(|_| SegmentId(number())).collect();
        for id in &ids {
            let header = [HEADER[0], HEADER[1], id.0].map(u64::to_le_bytes).concat();
            left.push(Left::at(of_segment(*id), ""));
            let file = File::options().write(true).open(&left.last().unwrap().0).unwrap();
            (&file).write_all(&header).unwrap();
            file.set_len(64 << 20).unwrap();
        }
        let lines: String = ids.iter().map(|id| format!("{}\n", named::name_of(*id))).collect();
        left.push(Left::new(&id_file(number()), &lines));
    }
    let (found, looked) = timed("estates", estates);
    assert!(found.len() >= 100);
    let ours = |id: &SegmentId| left.iter().any(|file| file.0 == of_segment(*id));
    let found: Vec<_> = found.into_iter().filter(|estate| estate.segments().first().is_some_and(ours)).collect();
    let ((), removed) = timed("looked at and removed", || {
        for estate in found {
            for id in estate.segments() {
                let peek = Peek::open(*id).unwrap();
                let (mut prefix, mut slots) = ([0; PREFIX], [0; 16 << 10]);
                assert!(peek.read(0, &mut prefix) && peek.read(4096, &mut slots));
                assert_eq!(peek.liveness(number()), Liveness::Unknown);
                assert!(peek.remove());
            }
            assert!(estate.settle(|_, _| true));
        }
    });
    assert!(looked + removed < Duration::from_secs(5));
    assert!(!left.iter().any(Left::exists));
}
