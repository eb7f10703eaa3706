//! A stage: a world plays scenes there, one after another, on a ground that is nobody else's if the system allows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fs::{self, File},
    mem,
    path::PathBuf,
    process::{self, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    Cast, PLAYS, Passes, aftermath, backings,
    ground::{Ground, is_shared, names},
    scenes::Role,
    world::World,
};
use crate::{
    pool::checkpoint::Step,
    sys::{self, tests::started},
};

/// No world lasts longer: a quarter of an hour for all passes, and for some where processes are slow to start.
const WATCHDOG: Duration = Duration::from_secs(1800);
/// How long names of others may stay, where worlds share.
const PATIENCE: Duration = Duration::from_secs(20);
/// After that many failures the rest is not played.
const ENOUGH: usize = 8;

pub(super) fn this_test(command: &mut Command, test: &str, plays: &str) {
    command.args([&format!("crash::{test}"), "--exact", "--nocapture", "--test-threads=1", "--include-ignored"]);
    command.env(PLAYS, plays);
}

/// The test itself: starts worlds with this backing, so many at once if each has a ground of its own, and waits for them.
pub(super) fn run_worlds(test: &str, backing: &str, at_once: usize) {
    let worlds = if Ground::can_be_had() { at_once } else { 1 };
    let grounds: Vec<Ground> = (0..worlds).map(|_| Ground::new()).collect();
    let start = |(part, ground): (usize, &Ground)| {
        let mut command = ground.command();
        this_test(&mut command, test, &format!("{backing} {part}/{worlds}"));
        started(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))
    };
    let running: Vec<_> =
        grounds.iter().enumerate().map(start).map(|child| thread::spawn(|| child.wait_with_output())).collect();
    let mut failed = false;
    for world in running {
        let output = world.join().unwrap().unwrap();
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        failed |= !output.status.success();
    }
    assert!(!failed, "{test}, {backing}: not everything was as it must be: see above");
}

/// Others are not where this world is, or no other world: then its turn, as long as it has it.
fn enter() -> (bool, Option<File>) {
    thread::spawn(|| {
        thread::sleep(WATCHDOG);
        process::abort();
    });
    let alone = !is_shared();
    let turn = (!alone).then(|| File::create(env::temp_dir().join("commonage-crash.lock")).unwrap());
    turn.iter().for_each(|turn| turn.lock().unwrap());
    (alone, turn)
}

/// All scenes together miss no step.
pub(super) fn reaches_each_step(test: &str) {
    let (alone, _turn) = enter();
    let mut missed: BTreeSet<String> = Step::ALL.iter().map(|step| format!("{step:?}")).collect();
    for (backing, role) in backings().into_iter().flat_map(|backing| Role::ALL.iter().map(move |role| (backing, *role)))
    {
        let cast = Cast { test, role, backing };
        let reached = Stage { cast: &cast, alone }.play(None);
        let reached = reached.unwrap_or_else(|error| panic!("{role:?}, {backing:?}, nobody dies: {error}"));
        missed.retain(|step| !reached.contains_key(step));
    }
    if !sys::anonymous_works() {
        missed.retain(|step| !step.contains("Will")); // what has a name is left as it is, and not willed
    }
    assert!(missed.is_empty(), "in no scene: {missed:?}");
}

/// A world's part of the matrix: `part` is `i/n`.
pub(super) fn go_through(cast: &Cast<'_>, passes: Passes, part: &str) {
    let (part, parts) = part.split_once('/').unwrap();
    let (part, parts): (usize, usize) = (part.parse().unwrap(), parts.parse().unwrap());
    let (alone, _turn) = enter();
    let began = Instant::now();
    let (stage, Cast { role, backing, .. }) = (Stage { cast, alone }, cast);
    let whole = match stage.play(None) {
        Ok(passed) => passed,
        Err(error) => panic!("{role:?}, {backing:?}, nobody dies: {error}"),
    };
    let cases = whole.iter().flat_map(|(step, times)| {
        let mut passes = match passes {
            Passes::Some => vec![0, 1, times - 1],
            Passes::All => (0..*times).collect(),
        };
        passes.retain(|pass| pass < times);
        passes.dedup();
        passes.into_iter().map(move |pass| (step.clone(), pass))
    });
    let mine: Vec<_> = cases.enumerate().filter(|(n, _)| n % parts == part).map(|(_, case)| case).collect();
    let mut failures = Vec::new();
    for (step, pass) in &mine {
        if let Err(error) = stage.play(Some((step, *pass))) {
            failures.push(format!("{role:?}, {backing:?}, dies at {step} after {pass} passes: {error}"));
        }
        if failures.len() == ENOUGH {
            break;
        }
    }
    println!("{role:?}, {backing:?}, part {part}: {} deaths in {:?}", mine.len(), began.elapsed());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// What is the same for all plays of a world.
pub(super) struct Stage<'a> {
    pub(super) cast: &'a Cast<'a>,
    /// No others are where it is.
    pub(super) alone: bool,
}

impl Stage<'_> {
    /// Plays the scene and its aftermath; what the victim has passed, if it does not die.
    fn play(&self, death: Option<(&str, u32)>) -> Result<BTreeMap<String, u32>, String> {
        let before = names();
        let mut world = World::new(self, death);
        let played = world.scene().and_then(|models| aftermath::follows(&mut world, self.cast.role, models));
        let passed = mem::take(&mut world.passed);
        let (during, wills) = (world.during.clone(), world.wills.clone());
        drop(world);
        let left = left(&before, self.alone);
        let wills_left = wills.as_deref().is_some_and(|directory| fs::read_dir(directory).unwrap().next().is_some());
        if let Some(directory) = wills {
            fs::remove_dir_all(directory).unwrap();
        }
        for name in &left {
            let _ = fs::remove_file(name);
        }
        played.map_err(|error| format!("{during}: {error}"))?;
        if !left.is_empty() || wills_left {
            return Err(format!("{during}: left: {left:?}"));
        }
        Ok(passed)
    }
}

/// What has come since `before` and stays. Where worlds share, what others have made goes some time.
fn left(before: &BTreeSet<PathBuf>, alone: bool) -> BTreeSet<PathBuf> {
    let mut left: BTreeSet<PathBuf> = names().difference(before).cloned().collect();
    let began = Instant::now();
    while !alone && !left.is_empty() && began.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
        left = left.intersection(&names()).cloned().collect();
    }
    left
}
