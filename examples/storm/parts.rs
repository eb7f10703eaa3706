//! Values in parts: cut, sent to several others who write them, gathered where they were made, and put together.

use commonage::{Error, Refused, SharedSliceMut};

use crate::{
    stock::Stock,
    value::{Handle, Pattern, Value, Wrong},
};

/// A value is cut into at most so many parts at once.
const MOST_PARTS: usize = 5;

/// A part, and what must be in it.
type Part = (SharedSliceMut<u64>, Pattern);

impl Stock {
    /// Cuts a value; half of the parts go to others.
    pub(crate) fn split(&mut self) -> Result<(), Wrong> {
        let Some(Value { handle, pattern, crowded }) = self.take() else { return Ok(()) };
        let Handle::Exclusive(mut whole) = handle else { return self.keep(Value { handle, pattern, crowded }) };
        let parts = match 1 + self.random.below(MOST_PARTS) {
            1 => {
                let tail = whole.split_off(self.random.below(pattern.len + 1));
                vec![whole, tail]
            }
            number => whole.split_into(number),
        };
        let mut at = 0;
        for part in parts {
            let value = Value { pattern: pattern.part(at, part.len()), handle: Handle::Exclusive(part), crowded: true };
            at += value.pattern.len;
            value.check()?;
            if self.random.one_in(2) { self.post(value, None)? } else { self.keep(value)? }
        }
        Ok(())
    }

    /// Sends a part to the process that has made its value.
    pub(crate) fn send_home(&mut self) -> Result<(), Wrong> {
        let Some(at) = self.any_part() else { return Ok(()) };
        let value = self.values.swap_remove(at);
        let home = value.pattern.id >> 32;
        self.post(value, Some(home))
    }

    /// A value that may have other parts.
    fn any_part(&mut self) -> Option<usize> {
        let is_part = |value: &Value| value.crowded && matches!(value.handle, Handle::Exclusive(_));
        let parts: Vec<usize> = (0..self.values.len()).filter(|at| is_part(&self.values[*at])).collect();
        (!parts.is_empty()).then(|| parts[self.random.below(parts.len())])
    }

    /// Puts parts of one value together: two of them, or all that there are here.
    pub(crate) fn unsplit(&mut self) -> Result<(), Wrong> {
        let Some(at) = self.any_part() else { return Ok(()) };
        let id = self.values[at].pattern.id;
        let is_part = |value: &mut Value| value.pattern.id == id && matches!(value.handle, Handle::Exclusive(_));
        let mut crowded = false;
        let mut parts: Vec<Part> = Vec::new();
        for value in self.values.extract_if(.., is_part) {
            crowded |= value.crowded;
            if let Value { handle: Handle::Exclusive(part), pattern, .. } = value {
                parts.push((part, pattern));
            }
        }
        let (done, rest) = if parts.len() > 1 && self.random.one_in(2) {
            let rest = parts.split_off(2);
            (pair(parts)?, rest)
        } else if !parts.is_empty() {
            (all(parts)?, Vec::new())
        } else {
            return Ok(());
        };
        for (part, pattern) in done.into_iter().chain(rest) {
            let value = Value { handle: Handle::Exclusive(part), pattern, crowded };
            value.check()?;
            self.keep(value)?;
        }
        Ok(())
    }
}

/// Two parts as one, or as they were.
fn pair(mut parts: Vec<Part>) -> Result<Vec<Part>, Wrong> {
    let (Some((second, of_second)), Some((first, of_first))) = (parts.pop(), parts.pop()) else { return Ok(parts) };
    let patterns = vec![of_first, of_second];
    match first.unsplit(second) {
        Ok(whole) => written_anew(whole, patterns),
        Err(Refused { handle: (first, second), reason }) => {
            let beside = of_first.end() == of_second.start || of_second.end() == of_first.start;
            match reason {
                Error::Apart { .. } if beside => {
                    Err(Wrong::Unexpected(format!("{of_first:?} and {of_second:?} lie side by side: {reason}")))
                }
                Error::Apart { .. } | Error::OtherBlock { .. } => Ok(vec![(first, of_first), (second, of_second)]),
                reason => Err(reason.into()),
            }
        }
    }
}

/// All parts as one, or as they were.
fn all(parts: Vec<Part>) -> Result<Vec<Part>, Wrong> {
    let (parts, patterns): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    match SharedSliceMut::unsplit_all(parts) {
        Ok(whole) => written_anew(whole, patterns),
        Err(Refused { handle, reason }) => {
            let here: usize = patterns.iter().map(|pattern| pattern.len).sum();
            match reason {
                Error::Missing { missing, length } => {
                    let elsewhere: usize = missing.iter().map(|range| range.len()).sum();
                    if here + elsewhere != length {
                        return Err(Wrong::Unexpected(format!(
                            "{here} words are here and {missing:?} are missing: {length} in all"
                        )));
                    }
                }
                Error::OtherBlock { .. } => {}
                reason => return Err(reason.into()),
            }
            Ok(handle.into_iter().zip(patterns).collect())
        }
    }
}

/// What was in the parts must be in the whole; then it is written as one.
fn written_anew(mut whole: SharedSliceMut<u64>, mut patterns: Vec<Pattern>) -> Result<Vec<Part>, Wrong> {
    patterns.sort_by_key(|pattern| (pattern.start, pattern.len));
    let mut at = 0;
    for pattern in &patterns {
        let end = at + pattern.len;
        pattern.check(whole.get(at..end).unwrap_or_default())?;
        at = end;
    }
    let Some(first) = patterns.iter().find(|pattern| pattern.len > 0).or(patterns.first()) else {
        return Err(Wrong::Unexpected("a whole of no parts".into()));
    };
    let generation = patterns.iter().map(|pattern| pattern.generation).max().unwrap_or(0) + 1;
    let pattern = Pattern { generation, len: whole.len(), ..*first };
    pattern.write(&mut whole);
    Ok(vec![(whole, pattern)])
}
