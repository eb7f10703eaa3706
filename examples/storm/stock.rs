//! What a worker has, and all that it does with it.

use commonage::{Error, Shared, SharedMut, Ticket};

use crate::{
    message::{Fate, Message, Way},
    random::Random,
    report,
    value::{Handle, Pattern, Value, Wrong},
};

/// A worker has at most so many values, and so many words in them.
const MOST_VALUES: usize = 64;
const MOST_WORDS: usize = 2 << 20;

/// One thing that a worker can do by itself, and how often it does it.
type Operation = (usize, &'static str, fn(&mut Stock) -> Result<(), Wrong>);

const OPERATIONS: [Operation; 15] = [
    (200, "make", Stock::make),
    (200, "clone", Stock::duplicate),
    (80, "slice", Stock::slice),
    (100, "write", Stock::write),
    (100, "change of kind", Stock::change_kind),
    (150, "check", Stock::check_one),
    (120, "drop", Stock::drop_one),
    (100, "ticket", Stock::ticket),
    (200, "send", Stock::send),
    (20, "send and revoke", Stock::send_and_revoke),
    (80, "split", Stock::split),
    (120, "send home", Stock::send_home),
    (120, "unsplit", Stock::unsplit),
    (2, "trim", Stock::trim),
    (1, "sweep", Stock::sweep),
];

pub(crate) struct Stock {
    pub(crate) random: Random,
    process: u64,
    made: u64,
    pub(crate) values: Vec<Value>,
}

impl Stock {
    pub(crate) fn new(seed: u64, process: u64) -> Self {
        Stock { random: Random::new(seed, process), process, made: 0, values: Vec::new() }
    }

    /// Does one of the operations.
    pub(crate) fn act(&mut self) -> Result<(), Wrong> {
        let mut chance = self.random.below(OPERATIONS.iter().map(|(often, ..)| often).sum());
        for (often, name, operation) in OPERATIONS {
            if chance < often {
                report::begin(name);
                return operation(self);
            }
            chance -= often;
        }
        Ok(())
    }

    /// Claims a value that another process has sent.
    pub(crate) fn receive(&mut self, message: &Message) -> Result<(), Wrong> {
        report::begin("receive");
        let ticket = Ticket::<[u64]>::from_token(&message.token)?;
        let claimed = match message.way {
            Way::Shared => ticket.claim().map(Handle::Shared),
            Way::Exclusive | Way::Held => ticket.claim_mut().map(Handle::Exclusive),
        };
        match claimed {
            Ok(handle) => {
                let mut value = Value { handle, pattern: message.pattern, crowded: message.crowded };
                value.check()?;
                report::checked();
                // A part is for others to write.
                if value.crowded && self.random.one_in(2) {
                    value.write();
                }
                self.keep(value)
            }
            Err(error) if message.fate != Fate::Once && is_over(&error) => Ok(()),
            // Whether that is as it should be is for whoever knows how they ended.
            Err(Error::Gone { sender, owner, .. }) => {
                report::say(format_args!("gone {sender} {owner}"));
                Ok(())
            }
            Err(Error::Exiting) => Err(Wrong::Exiting),
            Err(error) => Err(Wrong::Unexpected(format!("claim of {message}: {error}"))),
        }
    }

    /// Checks and drops everything.
    pub(crate) fn clear(&mut self) -> Result<(), Wrong> {
        report::begin("drop all");
        while !self.values.is_empty() {
            self.drop_one()?;
        }
        Ok(())
    }

    pub(crate) fn keep(&mut self, value: Value) -> Result<(), Wrong> {
        self.values.push(value);
        while self.values.len() > MOST_VALUES
            || self.values.iter().map(|value| value.pattern.len).sum::<usize>() > MOST_WORDS
        {
            self.drop_one()?;
        }
        Ok(())
    }

    fn any(&mut self) -> Option<usize> {
        (!self.values.is_empty()).then(|| self.random.below(self.values.len()))
    }

    pub(crate) fn take(&mut self) -> Option<Value> {
        self.any().map(|at| self.values.swap_remove(at))
    }

    /// 64 B to 4 MiB, most of them small.
    fn length(&mut self) -> usize {
        let exponent = match self.random.below(100) {
            0 => 13 + self.random.below(6),
            1..10 => 7 + self.random.below(6),
            _ => 3 + self.random.below(4),
        };
        (1 << exponent) + self.random.below(1 << exponent)
    }

    fn make(&mut self) -> Result<(), Wrong> {
        self.made += 1;
        let pattern = Pattern { id: self.process << 32 | self.made, generation: 0, start: 0, len: self.length() };
        let handle = match self.random.below(4) {
            0 | 1 => Handle::Shared(Shared::copy_from(&pattern.to_vec()[..])?),
            2 => Handle::Exclusive(SharedMut::copy_from(&pattern.to_vec()[..])?),
            _ => {
                let mut zeros = SharedMut::<[u64]>::zeroed(pattern.len)?;
                if zeros.iter().any(|word| *word != 0) {
                    return Err(Wrong::Corrupt(format!("{pattern:?}: zeroed memory that is not zero")));
                }
                pattern.write(&mut zeros);
                Handle::Exclusive(zeros)
            }
        };
        self.keep(Value::new(handle, pattern))
    }

    fn duplicate(&mut self) -> Result<(), Wrong> {
        let Some(at) = self.any() else { return Ok(()) };
        let Value { handle: Handle::Shared(shared), pattern, .. } = &self.values[at] else { return Ok(()) };
        let value = Value::new(Handle::Shared(shared.clone()), *pattern);
        self.keep(value)
    }

    fn slice(&mut self) -> Result<(), Wrong> {
        let Some(at) = self.any() else { return Ok(()) };
        let Value { handle: Handle::Shared(shared), pattern, .. } = &self.values[at] else { return Ok(()) };
        let begin = self.random.below(pattern.len + 1);
        let len = self.random.below(pattern.len - begin + 1);
        let value = Value::new(Handle::Shared(shared.slice(begin..begin + len)), pattern.part(begin, len));
        self.keep(value)
    }

    fn write(&mut self) -> Result<(), Wrong> {
        if let Some(at) = self.any() {
            self.values[at].write();
        }
        Ok(())
    }

    fn change_kind(&mut self) -> Result<(), Wrong> {
        let Some(value) = self.take() else { return Ok(()) };
        let changed = value.change_kind()?;
        self.keep(changed)
    }

    fn check_one(&mut self) -> Result<(), Wrong> {
        let Some(at) = self.any() else { return Ok(()) };
        self.values[at].check()?;
        report::checked();
        Ok(())
    }

    fn drop_one(&mut self) -> Result<(), Wrong> {
        let Some(value) = self.take() else { return Ok(()) };
        value.check()?;
        report::checked();
        Ok(())
    }

    /// Makes a ticket and takes it back, in one of the ways there are.
    fn ticket(&mut self) -> Result<(), Wrong> {
        let Some(Value { handle, pattern, crowded }) = self.take() else { return Ok(()) };
        let handle = match handle {
            Handle::Shared(shared) => {
                let ticket = shared.ticket()?;
                match self.random.below(3) {
                    0 => drop(ticket),
                    1 => {
                        if !ticket.revoke()? {
                            return Err(Wrong::Unexpected(format!("{pattern:?}: an unsent ticket was gone")));
                        }
                    }
                    _ => drop(ticket.claim()?),
                }
                Handle::Shared(shared)
            }
            Handle::Exclusive(exclusive) => {
                let ticket = exclusive.into_ticket().map_err(|refused| refused.reason)?;
                Handle::Exclusive(ticket.claim_mut()?)
            }
        };
        self.keep(Value { handle, pattern, crowded })
    }

    fn send(&mut self) -> Result<(), Wrong> {
        self.take().map_or(Ok(()), |value| self.post(value, None))
    }

    /// Sends a value, in one of the ways there are, to whomever chance chooses, or to one process.
    pub(crate) fn post(&mut self, value: Value, to: Option<u64>) -> Result<(), Wrong> {
        let Value { handle, pattern, crowded } = value;
        let post = |way, token| {
            let crowded = crowded || way == Way::Held;
            report::post(&Message { way, fate: Fate::Once, pattern, crowded, to, token });
        };
        match handle {
            Handle::Shared(shared) if self.random.one_in(2) => post(Way::Shared, shared.into_token()?),
            // Dropped when it has been sent.
            Handle::Shared(shared) => post(Way::Shared, token_of(&shared)?),
            Handle::Exclusive(exclusive) if self.random.one_in(2) => post(Way::Exclusive, exclusive.into_token()?),
            Handle::Exclusive(exclusive) => post(Way::Held, token_of(&exclusive)?),
        }
        Ok(())
    }

    fn send_and_revoke(&mut self) -> Result<(), Wrong> {
        let Some(Value { handle, pattern, crowded }) = self.take() else { return Ok(()) };
        let (way, token) = match handle {
            Handle::Shared(shared) => (Way::Shared, shared.ticket()?.into_token()),
            Handle::Exclusive(exclusive) => (Way::Exclusive, exclusive.into_token()?),
        };
        let copy = Ticket::<[u64]>::from_token(&token)?;
        report::post(&Message { way, fate: Fate::Revoked, pattern, crowded, to: None, token });
        match copy.revoke() {
            Err(error) if !is_over(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn trim(&mut self) -> Result<(), Wrong> {
        commonage::trim();
        Ok(())
    }

    fn sweep(&mut self) -> Result<(), Wrong> {
        commonage::sweep();
        let stats = commonage::stats();
        if stats.live > stats.reserved {
            return Err(Wrong::Unexpected(format!("more is live than reserved: {stats:?}")));
        }
        Ok(())
    }
}

/// Whether an error says that a message has been claimed or taken back before. By then the value may be gone, its segment
/// after it, and the number of the segment's descriptor may be another's.
fn is_over(error: &Error) -> bool {
    matches!(
        error,
        Error::Expired { .. } | Error::AlreadyClaimed { .. } | Error::Gone { .. } | Error::NotTheSegment { .. }
    )
}

/// The token, as serde hands it out.
fn token_of(handle: &impl serde::Serialize) -> Result<String, Wrong> {
    let text = serde_json::to_string(handle).map_err(|error| match error.to_string() {
        // Serde has made a text of the error.
        error if error.contains("tickets are in flight") => Wrong::Full,
        error => Wrong::Unexpected(error),
    })?;
    Ok(text.trim_matches('"').to_owned())
}
