use commonage::{
    Link,
    link::ReadWrite,
    sync::{Event, Mutex, SeqLock},
};

use super::{Kept, Locked, Signals, Value, Whole};
use crate::{Outcome, peers::COMMONAGE};

/// A `SeqLock` in a link that can be written to.
pub(crate) struct Sequenced(Link<SeqLock<Value>, ReadWrite>);

impl Kept for Sequenced {
    const NAME: &'static str = COMMONAGE;

    fn create(name: &str) -> Outcome<Self> {
        Ok(Sequenced(Link::create(name)?))
    }

    fn open(name: &str) -> Outcome<Self> {
        Ok(Sequenced(Link::open_existing(name)?))
    }
}

impl Whole for Sequenced {
    fn read(&self) -> Value {
        self.0.read().expect("the writer is quick")
    }

    fn write(&self, value: Value) {
        self.0.write(value);
    }
}

/// The same in a link that can only be read, beside one that can be written to.
pub(crate) struct Observing(Link<SeqLock<Value>>, Link<SeqLock<Value>, ReadWrite>);

impl Kept for Observing {
    const NAME: &'static str = COMMONAGE;

    fn create(name: &str) -> Outcome<Self> {
        let writable = Link::create(name)?;
        Ok(Observing(Link::open(name)?, writable))
    }

    fn open(name: &str) -> Outcome<Self> {
        Ok(Observing(Link::open(name)?, Link::open_existing(name)?))
    }
}

impl Whole for Observing {
    fn read(&self) -> Value {
        self.0.read().expect("the writer is quick")
    }

    fn write(&self, value: Value) {
        self.1.write(value);
    }
}

/// A `Mutex` in a link.
pub(crate) struct Guarded(Link<Mutex<Value>, ReadWrite>);

impl Kept for Guarded {
    const NAME: &'static str = COMMONAGE;

    fn create(name: &str) -> Outcome<Self> {
        Ok(Guarded(Link::create(name)?))
    }

    fn open(name: &str) -> Outcome<Self> {
        Ok(Guarded(Link::open_existing(name)?))
    }
}

impl Locked for Guarded {
    fn with<R>(&self, change: impl FnOnce(&mut Value) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(|died| died.into_guard()))
    }
}

/// Two `Event`s in a link.
pub(crate) struct Events(Link<[Event; 2], ReadWrite>);

impl Kept for Events {
    const NAME: &'static str = COMMONAGE;

    fn create(name: &str) -> Outcome<Self> {
        Ok(Events(Link::create(name)?))
    }

    fn open(name: &str) -> Outcome<Self> {
        Ok(Events(Link::open_existing(name)?))
    }
}

impl Signals for Events {
    fn set(&self, which: usize) {
        self.0[which].set();
    }

    fn take(&self, which: usize) {
        self.0[which].take();
    }
}
