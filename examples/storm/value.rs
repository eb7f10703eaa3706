//! Values that can be checked: what they must hold is known to whoever has them, and travels beside them.

use commonage::{Error, Refused, Shared, SharedMut, SharedSlice, SharedSliceMut};

use crate::random::mix;

/// The content of a value, or of a part of one: each word differs from every other of every value and generation, but for
/// chance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern {
    /// Which value.
    pub(crate) id: u64,
    /// How often it has been written anew.
    pub(crate) generation: u64,
    /// Where in the value the part begins, in words.
    pub(crate) start: usize,
    /// Words in the part.
    pub(crate) len: usize,
}

impl Pattern {
    fn words(self) -> impl Iterator<Item = u64> + Clone {
        let first = mix(self.id ^ mix(self.generation)).wrapping_add(step(self.start));
        (0..self.len).map(move |at| first.wrapping_add(step(at)))
    }

    pub(crate) fn to_vec(self) -> Vec<u64> {
        self.words().collect()
    }

    pub(crate) fn write(self, words: &mut [u64]) {
        words.iter_mut().zip(self.words()).for_each(|(word, expected)| *word = expected);
    }

    /// The part from word `at` on, so many words long.
    pub(crate) fn part(self, at: usize, len: usize) -> Pattern {
        Pattern { start: self.start + at, len, ..self }
    }

    /// Where in the value the part ends.
    pub(crate) fn end(self) -> usize {
        self.start + self.len
    }

    pub(crate) fn check(self, found: &[u64]) -> Result<(), Wrong> {
        if found.len() != self.len {
            return Err(Wrong::Corrupt(format!("{self:?} has {} words", found.len())));
        }
        // All of it first, without a branch for each word: it is nearly always right.
        let differences = found.iter().zip(self.words()).fold(0, |all, (word, expected)| all | (word ^ expected));
        if differences == 0 {
            return Ok(());
        }
        let differs = |(_, (word, expected)): &(usize, (&u64, u64))| *word != expected;
        let wrong = found.iter().zip(self.words()).enumerate().filter(differs);
        let (number, first) = (wrong.clone().count(), wrong.map(|(at, _)| at).next());
        Err(Wrong::Corrupt(format!("{self:?} has {number} wrong words, the first at {first:?}")))
    }
}

fn step(at: usize) -> u64 {
    (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// What should not be, or only now and then.
#[derive(Debug)]
pub(crate) enum Wrong {
    /// A value is not as it was written.
    Corrupt(String),
    /// An error that nothing explains.
    Unexpected(String),
    /// This process is exiting, by another thread.
    Exiting,
    /// All tickets of the value's segment are on their way, most of them to the dead.
    Full,
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        match error {
            Error::Exiting => Wrong::Exiting,
            Error::TicketsFull { .. } => Wrong::Full,
            error => Wrong::Unexpected(error.to_string()),
        }
    }
}

pub(crate) struct Value {
    pub(crate) handle: Handle,
    pub(crate) pattern: Pattern,
    /// Others may hold its block: whoever has another part of it, or a sender that had serialized it, and died before it
    /// dropped it.
    pub(crate) crowded: bool,
}

pub(crate) enum Handle {
    Shared(SharedSlice<u64>),
    Exclusive(SharedSliceMut<u64>),
}

impl Value {
    pub(crate) fn new(handle: Handle, pattern: Pattern) -> Self {
        Value { handle, pattern, crowded: false }
    }

    pub(crate) fn check(&self) -> Result<(), Wrong> {
        self.pattern.check(match &self.handle {
            Handle::Shared(shared) => shared,
            Handle::Exclusive(exclusive) => exclusive,
        })
    }

    /// Writes it anew, if it can be written.
    pub(crate) fn write(&mut self) {
        if let Handle::Exclusive(exclusive) = &mut self.handle {
            self.pattern.generation += 1;
            self.pattern.write(exclusive);
        }
    }

    /// Turns the value from one kind into the other, if it can be.
    pub(crate) fn change_kind(self) -> Result<Value, Wrong> {
        let Value { handle, pattern, mut crowded } = self;
        let handle = match handle {
            Handle::Shared(shared) => match Shared::try_into_mut(shared) {
                Ok(exclusive) => Handle::Exclusive(exclusive),
                Err(Refused { handle, reason: Error::NotAlone(_) }) => Handle::Shared(handle),
                Err(refused) => return Err(refused.reason.into()),
            },
            Handle::Exclusive(exclusive) => match SharedMut::freeze(exclusive) {
                Ok(shared) => {
                    crowded = false;
                    Handle::Shared(shared)
                }
                Err(Refused { handle, reason: Error::NotAlone(_) }) if crowded => Handle::Exclusive(handle),
                Err(refused) => return Err(refused.reason.into()),
            },
        };
        Ok(Value { handle, pattern, crowded })
    }
}
