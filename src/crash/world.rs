//! A world: where scenes are played, one after another, in a `/dev/shm` that is nobody else's if the system allows it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{self, Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    PLAYS, Passes,
    actor::{ANSWER, PASSED, WILLS},
    aftermath,
    model::{Model, Op, Who},
    scenes::{Act, Role},
};
use crate::{Backing, pool::checkpoint::tests::DIE_AT};

/// No world lasts longer: a quarter of an hour for all passes, minutes on a slow machine for some.
const WATCHDOG: Duration = Duration::from_secs(900);
/// How many worlds go through a test's matrix at once.
const WORLDS: usize = 2;
/// Set where a world shares `/dev/shm` with others.
const SHARED: &str = "COMMONAGE_CRASH_SHARED";
/// How long names of others may stay, where worlds share.
const PATIENCE: Duration = Duration::from_secs(20);
/// After that many failures the rest is not played.
const ENOUGH: usize = 8;

const SHM: &str = "/dev/shm";
const KILL: i32 = 9;

/// How a program gets a `/dev/shm` of its own: as root, and else as root of a user namespace.
const ISOLATED: [&str; 2] = ["-m", "-rm"];

/// The start of a command that does so, if there is one.
fn isolation() -> Option<Command> {
    let mount = "mount -t tmpfs tmpfs /dev/shm";
    let works = |flags: &&&str| {
        let tried = Command::new("unshare").args([flags, "sh", "-c", mount]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let flags = ISOLATED.iter().find(works)?;
    let mut command = Command::new("unshare");
    let then = format!("{mount} && exec \"$0\" \"$@\"");
    command.args([flags, "sh", "-c", &then]).arg(env::current_exe().ok()?);
    Some(command)
}

fn this_test(command: &mut Command, test: &str, plays: &str) {
    command.args([&format!("crash::{test}"), "--exact", "--nocapture", "--test-threads=1", "--include-ignored"]);
    command.env(PLAYS, plays);
}

/// The test itself: starts worlds, each with its part of the matrix, and waits for them.
pub(super) fn run_worlds(test: &str) {
    let worlds = if isolation().is_some() { WORLDS } else { 1 };
    let start = |part: usize| {
        let mut command = isolation().unwrap_or_else(|| {
            let mut command = Command::new(env::current_exe().unwrap());
            command.env(SHARED, "");
            command
        });
        this_test(&mut command, test, &format!("{part}/{worlds}"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = (0..worlds).map(start).map(|child| thread::spawn(|| child.wait_with_output())).collect();
    let mut failed = false;
    for world in running {
        let output = world.join().unwrap().unwrap();
        print!("{}", String::from_utf8_lossy(&output.stdout));
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        failed |= !output.status.success();
    }
    assert!(!failed, "not everything was as it must be: see above");
}

/// A world's part of the matrix: `part` is `i/n`.
pub(super) fn go_through(test: &str, role: Role, backing: Backing, passes: Passes, part: &str) {
    thread::spawn(|| {
        thread::sleep(WATCHDOG);
        process::abort();
    });
    let (part, parts) = part.split_once('/').unwrap();
    let (part, parts): (usize, usize) = (part.parse().unwrap(), parts.parse().unwrap());
    let alone = env::var_os(SHARED).is_none();
    let lock = File::create(env::temp_dir().join("commonage-crash.lock")).unwrap();
    if !alone {
        lock.lock().unwrap();
    }
    let began = Instant::now();
    let stage = Stage { test, role, backing, alone };
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
struct Stage<'a> {
    test: &'a str,
    role: Role,
    backing: Backing,
    alone: bool,
}

impl Stage<'_> {
    /// Plays the scene and its aftermath; what the victim has passed, if it does not die.
    fn play(&self, death: Option<(&str, u32)>) -> Result<BTreeMap<String, u32>, String> {
        let before = names();
        let mut world = World::new(self, death);
        let played = world.scene().and_then(|models| aftermath::follows(&mut world, self.role, models));
        let passed = std::mem::take(&mut world.passed);
        let (during, wills) = (world.during.clone(), world.wills.clone());
        drop(world);
        let left = left(&before, self.alone);
        let wills_left = wills.as_deref().is_some_and(|directory| fs::read_dir(directory).unwrap().next().is_some());
        if let Some(directory) = wills {
            fs::remove_dir_all(directory).unwrap();
        }
        for name in &left {
            let _ = fs::remove_file(PathBuf::from(SHM).join(name));
        }
        played.map_err(|error| format!("{during}: {error}"))?;
        if !left.is_empty() || wills_left {
            return Err(format!("{during}: left in {SHM}: {left:?}"));
        }
        Ok(passed)
    }
}

/// What has a name of ours.
fn names() -> BTreeSet<String> {
    let names = fs::read_dir(SHM).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("commonage")).collect()
}

/// What has come since `before` and stays. Where worlds share, what others have made goes some time.
fn left(before: &BTreeSet<String>, alone: bool) -> BTreeSet<String> {
    let mut left: BTreeSet<String> = names().difference(before).cloned().collect();
    let began = Instant::now();
    while !alone && !left.is_empty() && began.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
        left = left.intersection(&names()).cloned().collect();
    }
    left
}

struct Running {
    child: Child,
    /// Closed, it tells the actor to end.
    tell: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Running {
    /// What follows `prefix` in the next line that has it; none if the actor has ended.
    fn hear(&mut self, prefix: &str) -> Option<String> {
        let mut lines = self.answers.by_ref().lines().map_while(Result::ok);
        lines.find_map(|line| Some(line.split_once(prefix)?.1.trim().to_owned()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an actor says to what it is told.
pub(super) enum Answer {
    Done(String),
    /// With the name of the error.
    Refused(String, String),
    /// It has died, by this signal if by one.
    Died(Option<i32>),
}

/// A token: the value that it is for, and whether it is a `SharedMut`'s.
pub(super) struct Text {
    pub(super) mutable: bool,
    pub(super) text: String,
}

pub(super) struct World<'a> {
    stage: &'a Stage<'a>,
    deaths: BTreeMap<Who, String>,
    actors: BTreeMap<Who, Running>,
    pub(super) texts: BTreeMap<&'static str, Text>,
    /// What the victim has passed, if it came to its end.
    passed: BTreeMap<String, u32>,
    /// What it did when it died.
    during: String,
    /// Where wills are, if not in `/dev/shm`.
    wills: Option<PathBuf>,
}

impl<'a> World<'a> {
    fn new(stage: &'a Stage<'a>, death: Option<(&str, u32)>) -> Self {
        let mut deaths = BTreeMap::new();
        if let Some((step, pass)) = death {
            deaths.insert(Who::Victim, format!("{step}:{pass}"));
        }
        for act in stage.role.scene() {
            if let Act::DieAt(who, step, _) = act {
                deaths.insert(who, format!("{step}:0"));
            }
        }
        let wills = (!stage.alone).then(|| env::temp_dir().join(format!("commonage-crash-{}", process::id())));
        if let Some(directory) = &wills {
            fs::create_dir(directory).unwrap();
        }
        let (actors, texts, passed) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        World { stage, deaths, actors, texts, passed, during: "at its end".to_owned(), wills }
    }

    fn start(&self, who: Who) -> Running {
        let mut command = Command::new(env::current_exe().unwrap());
        this_test(&mut command, self.stage.test, "actor");
        if let Some(death) = self.deaths.get(&who) {
            command.env(DIE_AT, death);
        }
        if let Some(wills) = &self.wills {
            command.env(WILLS, wills);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (tell, answers) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Running { child, tell, answers }
    }

    pub(super) fn tell(&mut self, who: Who, line: &str) -> Answer {
        if !self.actors.contains_key(&who) {
            let running = self.start(who);
            self.actors.insert(who, running);
        }
        let Some(actor) = self.actors.get_mut(&who) else { unreachable!("started above") };
        // An actor that is no more does not read.
        let _ = actor.tell.as_mut().map(|tell| writeln!(tell, "{line}"));
        let Some(answer) = actor.hear(ANSWER) else {
            let status = actor.child.wait().unwrap();
            self.actors.remove(&who);
            return Answer::Died(status.signal());
        };
        if let Some(said) = answer.strip_prefix("ok") {
            return Answer::Done(said.trim().to_owned());
        }
        let variant = answer.strip_prefix("error ").and_then(|error| error.split(' ').next()).unwrap_or_default();
        Answer::Refused(variant.to_owned(), answer)
    }

    /// It can do what it is told: what it says.
    pub(super) fn expect(&mut self, who: Who, line: &str) -> Result<String, String> {
        match self.tell(who, line) {
            Answer::Done(said) => Ok(said),
            Answer::Refused(_, error) => Err(format!("{who:?}, told to {line}: {error}")),
            Answer::Died(signal) => Err(format!("{who:?}, told to {line}, has died by signal {signal:?}")),
        }
    }

    /// Those who have a part no more.
    pub(super) fn kill_all_but(&mut self, survivors: &[Who]) -> Vec<Who> {
        let others: Vec<Who> = self.actors.keys().copied().filter(|who| !survivors.contains(who)).collect();
        self.actors.retain(|who, _| survivors.contains(who));
        others
    }

    /// It ends by itself.
    pub(super) fn ends(&mut self, who: Who) -> Result<(), String> {
        let Some(mut actor) = self.actors.remove(&who) else { return Ok(()) };
        drop(actor.tell.take());
        while actor.hear(ANSWER).is_some() {}
        let status = actor.child.wait().unwrap();
        if status.success() { Ok(()) } else { Err(format!("{who:?}, told to exit: {status}")) }
    }

    /// What there can be when the victim is dead.
    fn scene(&mut self) -> Result<Vec<Model>, String> {
        let mut model = Model::new(self.stage.backing);
        for act in self.stage.role.scene() {
            match act {
                Act::Arm => drop(self.expect(Who::Victim, "arm")?),
                Act::Churn(who, name) => drop(self.expect(who, &format!("churn {name}"))?),
                Act::Kill(who) => {
                    self.actors.remove(&who);
                    model.dies(who);
                }
                Act::DieAt(who, step, op) => {
                    self.expect(who, "arm")?;
                    match self.act(&model, who, op)? {
                        Answer::Died(Some(KILL)) => model.dies(who),
                        _ => return Err(format!("{who:?} does not die at {step} of {op:?}")),
                    }
                }
                Act::Do(Who::Victim, Op::Exit) => return self.victim_exits(model),
                Act::Do(who, op @ Op::Exit) => {
                    self.ends(who)?;
                    model.apply(who, op);
                }
                Act::Do(who, op) => match self.act(&model, who, op)? {
                    Answer::Done(said) => {
                        model.apply(who, op);
                        self.keep_token(&model, op, said);
                    }
                    Answer::Refused(_, error) => return Err(format!("{who:?}, {op:?}: {error}")),
                    Answer::Died(Some(KILL)) if who == Who::Victim => {
                        self.during = format!("in {op:?}");
                        return Ok(model.after_death(who, op));
                    }
                    Answer::Died(signal) => return Err(format!("{who:?}, {op:?}: died by signal {signal:?}")),
                },
            }
        }
        Err("the victim has no end".to_owned())
    }

    fn act(&mut self, model: &Model, who: Who, op: Op) -> Result<Answer, String> {
        let slug = |name: &str| name.replace(' ', "_");
        let line = match op {
            Op::Make(name, len) => format!("make {} {len} {}", slug(name), model.next_seed()),
            Op::MakeMut(name, len) => format!("make_mut {} {len} {}", slug(name), model.next_seed()),
            Op::Huge(name, len) => format!("huge {} {len}", slug(name)),
            Op::Write(name) => format!("write {} {}", slug(name), model.value(name).seed + 1000),
            Op::Clone(name) => format!("clone {}", slug(name)),
            Op::Ticket(name, _) => format!("ticket {}", slug(name)),
            Op::Hold(name, _) => format!("hold {}", slug(name)),
            Op::Send(name, _) => format!("send {}", slug(name)),
            Op::Revoke(token) => format!("revoke {}", self.texts[token].text),
            Op::Claim(token) => {
                let name = slug(model.tokens[token].value);
                self.texts[token].claim(&name)
            }
            Op::Drop(name) => format!("drop {}", slug(name)),
            Op::Freeze(name) => format!("freeze {}", slug(name)),
            Op::Thaw(name) => format!("thaw {}", slug(name)),
            Op::Trim => "trim".to_owned(),
            Op::Stats => "stats".to_owned(),
            Op::Sweep => "sweep".to_owned(),
            Op::Exit => return Err("an exit has no answer".to_owned()),
        };
        Ok(self.tell(who, &line))
    }

    fn keep_token(&mut self, model: &Model, op: Op, text: String) {
        if let Op::Ticket(_, token) | Op::Hold(_, token) | Op::Send(_, token) = op {
            self.texts.insert(token, Text { mutable: model.tokens[token].mutable, text });
        }
    }

    /// The victim exits, or dies in the middle of that.
    fn victim_exits(&mut self, mut model: Model) -> Result<Vec<Model>, String> {
        self.during = "at its exit".to_owned();
        let Some(mut victim) = self.actors.remove(&Who::Victim) else { return Err("there is no victim".to_owned()) };
        drop(victim.tell.take());
        let passed = victim.hear(PASSED);
        let status = victim.child.wait().unwrap();
        if status.signal() == Some(KILL) {
            return Ok(model.after_death(Who::Victim, Op::Exit));
        }
        if !status.success() || self.deaths.contains_key(&Who::Victim) {
            return Err(format!("the victim should have died, not ended: {status}"));
        }
        let passed = passed.ok_or("the victim has not said what it has passed")?;
        let steps = passed.split_whitespace().filter_map(|step| step.split_once('='));
        self.passed = steps.map(|(step, times)| (step.to_owned(), times.parse().unwrap())).collect();
        model.apply(Who::Victim, Op::Exit);
        Ok(vec![model])
    }
}

impl Text {
    /// What an actor is told that is to claim it, and to call it `name`.
    pub(super) fn claim(&self, name: &str) -> String {
        let claim = if self.mutable { "claim_mut" } else { "claim" };
        format!("{claim} {name} {}", self.text)
    }
}
