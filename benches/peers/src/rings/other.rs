//! The other end's process, or thread, on another core or on this one.
#![allow(unsafe_code)] // memory that two processes have

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    ops::Deref,
    process::{Child, Stdio},
    rc::Rc,
    sync::{Arc, mpsc},
    thread,
};

use super::{
    Across, Blocking, BothWays, InPlace, Items, Lent, Ours, Payloads, Polled, SharedRing, Sleeping, Stream, Trying,
    control::Control, dbus,
};
use crate::{
    Outcome, cores,
    measure::Stir,
    role,
    sync::{Region, new_name},
};

/// What the other end does.
#[derive(Clone, Copy)]
pub(crate) enum Task {
    /// Reads so many payloads as it is asked to, on another core.
    Payloads,
    /// The same with single items.
    Items,
    /// Sends back each item, on another core, and never sleeps while it is wanted.
    Echo,
    /// Sends back each item, on another core, and sleeps if it has to.
    AnswerApart,
    /// The same, on this core.
    Answer,
}

impl Task {
    const ALL: [(Task, &str); 5] = [
        (Task::Payloads, "payloads"),
        (Task::Items, "items"),
        (Task::Echo, "echo"),
        (Task::AnswerApart, "answer-apart"),
        (Task::Answer, "answer"),
    ];

    fn word(self) -> &'static str {
        Self::ALL[self as usize].1
    }

    fn named(word: &str) -> Option<Self> {
        Some(Self::ALL.into_iter().find(|(_, name)| *name == word)?.0)
    }
}

/// Who has the other end. A process is killed at the end.
pub(crate) struct Other {
    control: Shared,
    tell: RefCell<Box<dyn FnMut() -> Outcome>>,
    process: Option<Child>,
}

/// Where both see it.
enum Shared {
    Processes(Region),
    Threads(Arc<Control>),
}

impl Deref for Shared {
    type Target = Control;

    fn deref(&self) -> &Control {
        match self {
            Shared::Processes(region) => of(region),
            Shared::Threads(control) => control,
        }
    }
}

fn of(region: &Region) -> &Control {
    // SAFETY: the region is as long, zero is a value of each field, and they are only accessed as atomics.
    unsafe { &*region.base().cast() }
}

impl Other {
    /// Starts this program once more, with what it is lent.
    pub(crate) fn process<E: Across>(task: Task, words: usize, lent: &[Lent]) -> Outcome<Self> {
        let name = new_name();
        let control = Region::create(&name, size_of::<Control>())?;
        let mut with = format!("{} {} {words} {name}", task.word(), E::MANNER);
        lent.iter().for_each(|lent| with.extend([" ", &lent.word]));
        let mut process = role::command("ring", E::NAME, &with)?.stdin(Stdio::piped()).spawn()?;
        let mut input = process.stdin.take().ok_or("a process without a pipe")?;
        let tell = RefCell::new(Box::new(move || Ok(input.write_all(b"g")?)) as Box<_>);
        Ok(Other { control: Shared::Processes(control), tell, process: Some(process) })
    }

    /// A thread on another core, which works whenever it is told to.
    fn thread(name: &'static str, mut work: impl FnMut(&Control) -> Outcome + Send + 'static) -> Self {
        let control = Arc::new(Control::default());
        let (tell, told) = mpsc::channel();
        let theirs = Arc::clone(&control);
        thread::spawn(move || {
            cores::leave();
            while told.recv().is_ok() {
                if let Err(error) = work(&theirs) {
                    eprintln!("peers: beside {name}: {error}");
                }
            }
        });
        let tell = RefCell::new(Box::new(move || Ok(tell.send(())?)) as Box<_>);
        Other { control: Shared::Threads(control), tell, process: None }
    }

    /// A thread that reads payloads of so many words.
    pub(crate) fn thread_for_payloads<E: Payloads<Out: Send>>(mut end: E::Out, words: usize) -> Self {
        let mut buffer = vec![0; words];
        Self::thread(E::NAME, move |control| control.work(|| E::take(&mut end, &mut buffer)))
    }

    /// A thread that reads items.
    pub(crate) fn thread_for_items<E: Items<Out: Send>>(mut end: E::Out) -> Self {
        Self::thread(E::NAME, move |control| control.work(|| E::pop(&mut end)))
    }

    /// A thread that sends back each item.
    pub(crate) fn thread_for_echo<E: Polled<Out: Send, In: Send>>(mut from: E::Out, mut to: E::In) -> Self {
        Self::thread(E::NAME, move |control| echo::<E>(control, &mut from, &mut to))
    }

    pub(super) fn control(&self) -> &Control {
        &self.control
    }

    pub(crate) fn stir(&self, on: bool) -> Outcome {
        self.control.stir(on, || (self.tell.borrow_mut())())
    }

    /// What is called around samples.
    pub(crate) fn stirring(self: &Rc<Self>) -> Stir {
        let this = Rc::clone(self);
        Box::new(move |on| this.stir(on))
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            if let Err(error) = process.wait() {
                eprintln!("peers: the other process: {error}");
            }
        }
    }
}

/// Is the other process, until it is killed, or who has started it has ended.
pub(crate) fn be(contender: &str, with: &str) -> Outcome {
    let mut words = with.split(' ');
    let mut word = || words.next().ok_or("a word is missing");
    let (task, manner, size, control) = (word()?, word()?, word()?, word()?);
    let task = Task::named(task).ok_or("nobody does this")?;
    let control = Region::open(control, size_of::<Control>(), true)?;
    let told = Told { task, words: size.parse()?, control: of(&control), lent: words.collect() };
    if !matches!(task, Task::Answer) {
        cores::leave();
    }
    match (task, manner) {
        (Task::Payloads, Ours::<Blocking>::MANNER) => told.payloads::<Ours<Blocking>>(),
        (Task::Payloads, Ours::<InPlace>::MANNER) => told.payloads::<Ours<InPlace>>(),
        (Task::Payloads, SharedRing::<false>::MANNER) => told.payloads::<SharedRing<false>>(),
        (Task::Payloads, SharedRing::<true>::MANNER) => told.payloads::<SharedRing<true>>(),
        (Task::Payloads, Stream::MANNER) => told.payloads::<Stream>(),
        (Task::Items, Ours::<Blocking>::MANNER) => told.items::<Ours<Blocking>>(),
        (Task::Items, SharedRing::<false>::MANNER) => told.items::<SharedRing<false>>(),
        (Task::Items, SharedRing::<true>::MANNER) => told.items::<SharedRing<true>>(),
        (Task::Echo, Ours::<Trying>::MANNER) => told.echo::<Ours<Trying>>(),
        (Task::Echo, SharedRing::<true>::MANNER) => told.echo::<SharedRing<true>>(),
        (Task::AnswerApart, Ours::<Blocking>::MANNER) => told.answer::<Ours<Blocking>>(),
        (Task::Answer | Task::AnswerApart, Ours::<Sleeping>::MANNER) => told.answer::<Ours<Sleeping>>(),
        (Task::Answer | Task::AnswerApart, SharedRing::<false>::MANNER) => told.answer::<SharedRing<false>>(),
        (Task::Answer | Task::AnswerApart, Stream::MANNER) => told.answer::<Stream>(),
        (Task::Payloads, dbus::MANNER) => dbus::obey(&told),
        _ => Err(format!("nobody does `{with}` for `{contender}`").into()),
    }
}

/// What the other process was told.
pub(super) struct Told<'a> {
    task: Task,
    words: usize,
    control: &'a Control,
    lent: Vec<&'a str>,
}

impl Told<'_> {
    fn lent(&self, which: usize) -> Outcome<&str> {
        Ok(self.lent.get(which).ok_or("nothing was lent")?)
    }

    pub(super) fn payloads<E: Payloads + Across>(&self) -> Outcome {
        let mut end = E::adopt_out(self.lent(0)?, room(self.task, self.words))?;
        let mut buffer = vec![0; self.words];
        whenever_told(|| self.control.work(|| E::take(&mut end, &mut buffer)))
    }

    fn items<E: Items + Across>(&self) -> Outcome {
        let mut end = E::adopt_out(self.lent(0)?, room(self.task, self.words))?;
        whenever_told(|| self.control.work(|| E::pop(&mut end)))
    }

    fn ends<E: BothWays>(&self) -> Outcome<(E::Out, E::In)> {
        let room = room(self.task, self.words);
        Ok((E::adopt_out(self.lent(0)?, room)?, E::adopt_in(self.lent(1)?, room)?))
    }

    fn echo<E: Polled + BothWays>(&self) -> Outcome {
        let (mut from, mut to) = self.ends::<E>()?;
        whenever_told(|| echo::<E>(self.control, &mut from, &mut to))
    }

    fn answer<E: Items + BothWays>(&self) -> Outcome {
        let (mut from, mut to) = self.ends::<E>()?;
        whenever_told(|| self.control.forever(|| E::push(&mut to, E::pop(&mut from)?)))
    }
}

/// Calls `work` each time it is told to.
fn whenever_told(mut work: impl FnMut() -> Outcome) -> Outcome {
    let mut byte = [0];
    while io::stdin().read(&mut byte)? == 1 {
        work()?;
    }
    Ok(())
}

fn echo<E: Polled>(control: &Control, from: &mut E::Out, to: &mut E::In) -> Outcome {
    control.idle(|| {
        let Some(item) = E::try_pop(from)? else { return Ok(false) };
        E::push(to, item)?;
        Ok(true)
    })
}

/// For how many words there is to be room: in a stream of payloads for 64 KiB, and two payloads.
pub(crate) fn room(task: Task, words: usize) -> usize {
    match task {
        Task::Payloads | Task::Items => (2 * words).max(8192),
        Task::Echo | Task::Answer | Task::AnswerApart => 64,
    }
}
