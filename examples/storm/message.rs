//! What the processes say to each other, a line each.

use std::{fmt, str::FromStr};

use crate::value::Pattern;

/// A value on its way.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) way: Way,
    pub(crate) fate: Fate,
    pub(crate) pattern: Pattern,
    /// Others may hold its block: [`Value::crowded`](crate::value::Value::crowded).
    pub(crate) crowded: bool,
    /// The process that it is for, if that lives.
    pub(crate) to: Option<u64>,
    pub(crate) token: String,
}

/// How a value travels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// As a `Shared`.
    Shared,
    /// As a `SharedMut` that its sender has turned into a token.
    Exclusive,
    /// As a `SharedMut` that its sender has serialized, and drops when the message has left.
    Held,
}

/// What happens to a message on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// One receiver gets it.
    Once,
    /// Two receivers get it.
    Twice,
    /// Its sender takes it back, perhaps too late.
    Revoked,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Way::Shared => "shared",
            Way::Exclusive => "exclusive",
            Way::Held => "held",
        };
        let fate = match self.fate {
            Fate::Once => "once",
            Fate::Twice => "twice",
            Fate::Revoked => "revoked",
        };
        let Pattern { id, generation, start, len } = self.pattern;
        let Message { crowded, token, .. } = self;
        // No process has that number.
        let to = self.to.unwrap_or(u64::MAX);
        write!(f, "{way} {fate} {id} {generation} {start} {len} {crowded} {to} {token}")
    }
}

/// A line that is not as `Display` writes it.
#[derive(Debug)]
pub(crate) struct Garbled;

impl FromStr for Message {
    type Err = Garbled;

    fn from_str(line: &str) -> Result<Self, Garbled> {
        fn parse<T: FromStr>(word: Option<&str>) -> Result<T, Garbled> {
            word.and_then(|word| word.parse().ok()).ok_or(Garbled)
        }
        let mut words = line.split(' ');
        let way = match words.next() {
            Some("shared") => Way::Shared,
            Some("exclusive") => Way::Exclusive,
            Some("held") => Way::Held,
            _ => return Err(Garbled),
        };
        let fate = match words.next() {
            Some("once") => Fate::Once,
            Some("twice") => Fate::Twice,
            Some("revoked") => Fate::Revoked,
            _ => return Err(Garbled),
        };
        let pattern = Pattern {
            id: parse(words.next())?,
            generation: parse(words.next())?,
            start: parse(words.next())?,
            len: parse(words.next())?,
        };
        let crowded = parse(words.next())?;
        let to = Some(parse(words.next())?).filter(|to| *to != u64::MAX);
        Ok(Message { way, fate, pattern, crowded, to, token: parse(words.next())? })
    }
}
