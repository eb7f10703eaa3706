//! What a world does for one play: it starts the actors, tells each what to do, and keeps the model.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{self, Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
};

use super::{
    actor::{ANSWER, BACKING, NAMED, PASSED, WILLS},
    model::{Model, Op, Who},
    scenes::Act,
    stage::{Stage, this_test},
};
use crate::{
    Backing,
    pool::checkpoint::tests::DIE_AT,
    sys::{ending::has_died, tests::started},
};

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
    /// It has ended, and so.
    Died(ExitStatus),
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
    pub(super) passed: BTreeMap<String, u32>,
    /// What it did when it died.
    pub(super) during: String,
    /// Where wills are, if not where names are.
    pub(super) wills: Option<PathBuf>,
}

impl<'a> World<'a> {
    pub(super) fn new(stage: &'a Stage<'a>, death: Option<(&str, u32)>) -> Self {
        let mut deaths = BTreeMap::new();
        if let Some((step, pass)) = death {
            deaths.insert(Who::Victim, format!("{step}:{pass}"));
        }
        for act in stage.cast.role.scene() {
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
        this_test(&mut command, self.stage.cast.test, "actor");
        if let Some(death) = self.deaths.get(&who) {
            command.env(DIE_AT, death);
        }
        if self.stage.cast.backing == Backing::Named {
            command.env(BACKING, NAMED);
        }
        if let Some(wills) = &self.wills {
            command.env(WILLS, wills);
        }
        let mut child = started(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
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
            return Answer::Died(status);
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
            Answer::Died(status) => Err(format!("{who:?}, told to {line}, has ended: {status}")),
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
    pub(super) fn scene(&mut self) -> Result<Vec<Model>, String> {
        let mut model = Model::new(self.stage.cast.backing);
        for act in self.stage.cast.role.scene() {
            match act {
                Act::Arm => drop(self.expect(Who::Victim, "arm")?),
                Act::Churn(who, name) => drop(self.expect(who, &format!("churn {name}"))?),
                Act::Still(who, name) => drop(self.expect(who, &format!("still {name}"))?),
                Act::Kill(who) => {
                    self.actors.remove(&who);
                    model.dies(who);
                }
                Act::DieAt(who, step, op) => {
                    self.expect(who, "arm")?;
                    match self.act(&model, who, op)? {
                        Answer::Died(status) if has_died(status) => model.dies(who),
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
                    Answer::Died(status) if who == Who::Victim && has_died(status) => {
                        self.during = format!("in {op:?}");
                        return Ok(model.after_death(who, op));
                    }
                    Answer::Died(status) => return Err(format!("{who:?}, {op:?}: ended: {status}")),
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
        if has_died(status) {
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
