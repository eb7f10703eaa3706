//! The supervisor: starts the workers, passes tokens on, replaces the dead, and looks at the end what is left. It has no
//! shared memory.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    Failure,
    args::{Options, Role},
    crew::{Event, Worker},
    message::{Fate, Message, Way},
    names::{PLACE, bytes, names},
    random::Random,
    tally::{SHOWN, Tally},
};

/// How often to look at the clock when nothing happens.
const LOOK: Duration = Duration::from_millis(50);
/// Events that may wait: then workers wait.
const EVENTS: usize = 256;

struct Supervisor<'a> {
    options: &'a Options,
    random: Random,
    workers: BTreeMap<u64, Worker>,
    /// Workers started so far.
    started: u64,
    events: Receiver<Event>,
    sender: SyncSender<Event>,
    /// No message is passed on any more, and nobody replaced.
    finishing: bool,
    tally: Tally,
}

/// Lets the storm rage, and says whether all was well.
pub(crate) fn watch(options: &Options) -> Result<bool, Failure> {
    let before = names();
    let (sender, events) = mpsc::sync_channel(EVENTS);
    let mut supervisor = Supervisor {
        options,
        random: Random::new(options.seed, u64::MAX),
        workers: BTreeMap::new(),
        started: 0,
        events,
        sender,
        finishing: false,
        tally: Tally::default(),
    };
    let result = supervisor.run();
    // None is left over from a run that failed.
    supervisor.workers.values_mut().for_each(Worker::kill);
    result?;

    let mut tally = supervisor.tally;
    tally.judge_gone();
    let left: Vec<String> = names().difference(&before).cloned().collect();
    let some = left.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(" ");
    let bytes = bytes(&left);
    tally.left(left.len(), format_args!("{} names in {PLACE}, {bytes} bytes: {some}", left.len()));
    io::stdout().write_all(tally.to_string().as_bytes())?;
    Ok(tally.is_right())
}

impl Supervisor<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} s, {msg}")?;
        let bar = ProgressBar::new(self.options.time.as_secs()).with_style(style);
        for keeper in 0..self.options.backings.len() {
            self.start(keeper, true)?;
        }
        for place in 0..self.options.processes {
            self.start(place, false)?;
        }

        let begin = Instant::now();
        let mut look = begin;
        while begin.elapsed() < self.options.time {
            self.attend()?;
            if look.elapsed() > LOOK {
                look = Instant::now();
                let operations: u64 = self.workers.values().map(|worker| worker.operations).sum();
                bar.set_position(begin.elapsed().as_secs());
                bar.set_message(format!(
                    "{} operations, {} deaths",
                    self.tally.operations + operations,
                    self.tally.deaths()
                ));
                self.find_hanging()?;
            }
        }

        self.finishing = true;
        self.workers.values_mut().for_each(|worker| {
            worker.tell("finish");
        });
        while self.workers.values().any(|worker| !worker.idle) {
            self.attend()?;
            self.find_hanging()?;
        }
        // One keeper after another; the last one finds no other in its pool.
        while let Some((_, mut keeper)) = self.workers.pop_last() {
            keeper.idle = false;
            keeper.tell("settle");
            let number = keeper.role.number;
            self.workers.insert(number, keeper);
            while self.workers.contains_key(&number) {
                self.attend()?;
                self.find_hanging()?;
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Starts the next worker. Backings take turns.
    fn start(&mut self, place: usize, keeper: bool) -> Result<(), Failure> {
        let backing = self.options.backings[place % self.options.backings.len()];
        let role = Role { number: self.started, seed: self.options.seed, backing, keeper };
        self.started += 1;
        self.workers.insert(role.number, Worker::start(role, self.sender.clone())?);
        Ok(())
    }

    /// Waits a moment for an event.
    fn attend(&mut self) -> Result<(), Failure> {
        match self.events.recv_timeout(LOOK) {
            Ok(Event::Said(number, line)) => self.hear(number, &line),
            Ok(Event::Ended(number)) => self.bury(number)?,
            // This supervisor has a sender of its own.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        Ok(())
    }

    fn hear(&mut self, number: u64, line: &str) {
        let Some(worker) = self.workers.get_mut(&number) else { return };
        let mut words = line.splitn(4, ' ');
        let mut count = || words.next().and_then(|word| word.parse().ok());
        let (Some(operations), Some(checked)) = (count(), count()) else {
            return self.tally.error(format_args!("process {number} said {line}"));
        };
        worker.counts(operations, checked);
        let (what, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let two = rest.split_once(' ').and_then(|(one, other)| Some((one.parse().ok()?, other.parse().ok()?)));
        match (what, rest.parse::<Message>(), two) {
            ("send", Ok(message), _) => self.pass_on(message),
            ("beat", ..) => rest.clone_into(&mut worker.doing),
            ("doomed", ..) => worker.doom = rest.parse().ok(),
            ("idle", ..) => worker.idle = true,
            ("gone", _, Some((sender, owner))) => self.tally.gone(sender, owner),
            ("corrupt", ..) => self.tally.corruption(format_args!("process {number}: {rest}")),
            ("left", ..) => self.count_left(number, rest),
            _ => self.tally.error(format_args!("process {number}: {what} {rest}")),
        }
    }

    /// Gives a message to one worker, the one that it is for or any; or now and then, if it is for many, to two.
    fn pass_on(&mut self, mut message: Message) {
        self.tally.sent += 1;
        if self.finishing {
            self.tally.lost += 1;
            return;
        }
        let twice = message.way == Way::Shared && message.fate == Fate::Once && self.random.one_in(8);
        if twice {
            message.fate = Fate::Twice;
        }
        for _ in 0..if twice { 2 } else { 1 } {
            let chosen = self.random.below(self.workers.len().max(1));
            let number = message.to.filter(|to| self.workers.contains_key(to));
            let number = number.or_else(|| self.workers.keys().nth(chosen).copied());
            let worker = number.and_then(|number| self.workers.get_mut(&number));
            let told = worker.is_some_and(|worker| worker.tell(&message.to_string()));
            self.tally.lost += u64::from(!told);
        }
    }

    /// What a keeper's pool still has. Of other participants it may have those keepers that still live.
    fn count_left(&mut self, number: u64, found: &str) {
        let figures: Vec<usize> = found.split(' ').map_while(|word| word.parse().ok()).take(4).collect();
        let [segments, blocks, tickets, participants] = figures[..] else {
            return self.tally.error(format_args!("process {number} has left {found}"));
        };
        let strangers = participants.saturating_sub(segments * self.workers.len());
        let what = format_args!("by {} dead in the pool of process {number}: {found}", self.tally.deaths()).to_string();
        self.tally.left(blocks + tickets + strangers, format_args!("{what}"));
    }

    fn find_hanging(&mut self) -> Result<(), Failure> {
        let mut ended = Vec::new();
        for worker in self.workers.values_mut().filter(|worker| worker.hangs()) {
            if worker.has_ended() {
                ended.push(worker.role.number);
                continue;
            }
            let doom = worker.doom.map_or("nothing".to_owned(), |death| death.to_string());
            self.tally.error(format_args!(
                "process {} ({}), to end by {doom}, hangs in: {}",
                worker.role.number,
                worker.id(),
                worker.doing
            ));
            worker.kill();
        }
        ended.into_iter().try_for_each(|number| self.bury(number))
    }

    /// A worker has ended: counts it, and starts another in its place.
    fn bury(&mut self, number: u64) -> Result<(), Failure> {
        let Some(worker) = self.workers.remove(&number) else { return Ok(()) };
        self.tally.operations += worker.operations;
        self.tally.checked += worker.checked;
        let (id, role, doom, doing) = (worker.id(), worker.role, worker.doom, worker.doing.clone());
        let hung = worker.killed;
        let status = worker.status()?;
        match doom {
            // It has been counted as an error.
            _ if hung => {}
            _ if self.finishing && status.success() => {}
            Some(doom) if doom.shows_as(status) => self.tally.death(id, role.backing, doom),
            _ => self.tally.error(format_args!("process {number} ({id}) ended ({status}) after: {doing}")),
        }
        if !self.finishing {
            let place = self.options.backings.iter().position(|backing| *backing == role.backing).unwrap_or(0);
            self.start(place, role.keeper)?;
        }
        Ok(())
    }
}
