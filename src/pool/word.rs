//! The two words on which all ownership turns, as values: what they say, and which changes of them are possible.
//!
//! Nothing here touches shared memory. A word is loaded once, looked at as one of these, and swapped whole.

/// A block's word: `exclusive:1 | version:36 | in_flight:15 | holders:12`.
///
/// | exclusive | in_flight | holders | the block is |
/// |---|---|---|---|
/// | any | 0 | 0 | free, or about to be given back by whoever made it so |
/// | 0 | n | m | a `Shared`'s: m processes hold it, n tickets are on their way |
/// | 1 | n | m | a `SharedMut`'s, or its parts': m processes hold some, n tickets of some are on their way |
///
/// A `SharedMut` that has not been cut into parts is `1 | 0 | 1` in one process, `1 | 1 | 1` serialized and not yet dropped
/// (the ticket is held), and `1 | 1 | 0` on its way (the ticket is armed).
///
/// `version` goes up by one at every change, so that a swap from a word that was read is exact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word(pub(crate) u64);

const HOLDERS: u32 = 12;
const IN_FLIGHT: u32 = 15;
const VERSION: u32 = 36;
const IN_FLIGHT_SHIFT: u32 = HOLDERS;
const VERSION_SHIFT: u32 = HOLDERS + IN_FLIGHT;
const EXCLUSIVE_SHIFT: u32 = HOLDERS + IN_FLIGHT + VERSION;
const _: () = assert!(EXCLUSIVE_SHIFT == 63);

/// The largest number of processes that can hold a block.
pub(crate) const MAX_HOLDERS: u32 = (1 << HOLDERS) - 1;
/// The largest number of tickets that can be in flight for a block.
pub(crate) const MAX_IN_FLIGHT: u32 = (1 << IN_FLIGHT) - 1;

/// A change that a word can't make. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// `holders` is at its limit.
    Holders,
    /// `in_flight` is at its limit.
    InFlight,
    /// A count would go below zero: somebody did not follow the protocol.
    Below,
    /// The word is not as the change needs it.
    Unfit,
}

impl Word {
    pub(crate) fn holders(self) -> u32 {
        (self.0 & u64::from(MAX_HOLDERS)) as u32
    }

    pub(crate) fn in_flight(self) -> u32 {
        (self.0 >> IN_FLIGHT_SHIFT & u64::from(MAX_IN_FLIGHT)) as u32
    }

    pub(crate) fn exclusive(self) -> bool {
        self.0 >> EXCLUSIVE_SHIFT == 1
    }

    /// Nobody holds it and nothing is in flight.
    pub(crate) fn is_zero(self) -> bool {
        self.holders() == 0 && self.in_flight() == 0
    }

    fn next(self, exclusive: bool, in_flight: u32, holders: u32) -> Word {
        let version = (self.0 >> VERSION_SHIFT).wrapping_add(1) & ((1 << VERSION) - 1);
        Word(
            u64::from(exclusive) << EXCLUSIVE_SHIFT
                | version << VERSION_SHIFT
                | u64::from(in_flight) << IN_FLIGHT_SHIFT
                | u64::from(holders),
        )
    }

    /// Allocate: one holder, nothing in flight; only of a block that is free.
    pub(crate) fn allocated(self, exclusive: bool) -> Result<Word, Refusal> {
        if self.is_zero() { Ok(self.next(exclusive, 0, 1)) } else { Err(Refusal::Unfit) }
    }

    /// The counts changed by -1, 0 or +1 each.
    pub(crate) fn changed(self, in_flight: i32, holders: i32) -> Result<Word, Refusal> {
        let add = |count: u32, by: i32, limit: u32, over: Refusal| match count.checked_add_signed(by) {
            None => Err(Refusal::Below),
            Some(sum) if sum > limit => Err(over),
            Some(sum) => Ok(sum),
        };
        let in_flight = add(self.in_flight(), in_flight, MAX_IN_FLIGHT, Refusal::InFlight)?;
        let holders = add(self.holders(), holders, MAX_HOLDERS, Refusal::Holders)?;
        Ok(self.next(self.exclusive(), in_flight, holders))
    }

    /// One more holder of a `Shared`'s block that lives.
    pub(crate) fn joined(self, by: i32) -> Result<Word, Refusal> {
        if self.exclusive() || self.is_zero() { Err(Refusal::Unfit) } else { self.changed(0, by) }
    }

    /// The counts as they have been counted; `None` if no word can have them.
    pub(crate) fn recounted(self, in_flight: usize, holders: usize) -> Option<Word> {
        let fits = in_flight <= MAX_IN_FLIGHT as usize && holders <= MAX_HOLDERS as usize;
        fits.then(|| self.next(self.exclusive(), in_flight as u32, holders as u32))
    }

    /// The other kind: only with one holder and nothing in flight.
    pub(crate) fn of_kind(self, exclusive: bool) -> Result<Word, Refusal> {
        if self.in_flight() == 0 && self.holders() == 1 && self.exclusive() != exclusive {
            Ok(self.next(exclusive, 0, 1))
        } else {
            Err(Refusal::Unfit)
        }
    }
}

/// Where a ticket is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum TicketState {
    /// Nobody's.
    Free = 0,
    /// Being filled by its issuer; not counted.
    Reserved = 1,
    /// Sent, but its issuer still has the handle.
    Held = 2,
    /// Sent: whoever swaps it to free has the value.
    Armed = 3,
    /// Its value is in a will.
    Moved = 4,
}

/// A ticket's word: `epoch:48 | issuer:13 | state:3`.
///
/// | from | to | by | when |
/// |---|---|---|---|
/// | free | reserved | issuer | before anything is filled in; the epoch goes up by one |
/// | reserved | held | issuer | serialize of a `SharedMut` |
/// | reserved | armed | issuer | every other serialization |
/// | reserved | free | issuer | the count is at its limit |
/// | held | armed | issuer | drop of the serialized `SharedMut` |
/// | held | free | issuer | drop of one that no serializer took |
/// | armed | free | anyone | revoke |
/// | armed, or held once the issuer is dead | reserved | claimer, as its own | claim, while it looks at the value |
/// | reserved | free | claimer | the value can be used |
/// | reserved | armed | claimer | it can't: the ticket is as it was |
/// | reserved | free | sweeper | its issuer, or claimer, is dead |
/// | held | armed | sweeper | its issuer is dead |
/// | armed, or held by itself or by the dead | moved | a process at its clean exit | the value is in a will, which comes into view next |
/// | moved | free | claimer of the will, sweeper | there is no will in view, and its issuer is dead |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TicketWord(pub(crate) u64);

const STATE: u32 = 3;
const ISSUER: u32 = 13;
const EPOCH: u32 = 48;
/// Epochs are told apart up to this one, then begin again.
pub(crate) const EPOCH_MASK: u64 = (1 << EPOCH) - 1;
/// The largest number of participants that a ticket can name.
pub(crate) const MAX_ISSUER: u32 = (1 << ISSUER) - 1;

impl TicketWord {
    pub(crate) fn new(epoch: u64, issuer: u32, state: TicketState) -> Self {
        TicketWord((epoch & EPOCH_MASK) << (ISSUER + STATE) | u64::from(issuer & MAX_ISSUER) << STATE | state as u64)
    }

    pub(crate) fn epoch(self) -> u64 {
        self.0 >> (ISSUER + STATE)
    }

    pub(crate) fn issuer(self) -> u32 {
        (self.0 >> STATE) as u32 & MAX_ISSUER
    }

    /// `None` for a number that is no state.
    pub(crate) fn state(self) -> Option<TicketState> {
        Some(match self.0 & ((1 << STATE) - 1) {
            0 => TicketState::Free,
            1 => TicketState::Reserved,
            2 => TicketState::Held,
            3 => TicketState::Armed,
            4 => TicketState::Moved,
            _ => return None,
        })
    }

    /// The same ticket in another state.
    pub(crate) fn with(self, state: TicketState) -> Self {
        Self::new(self.epoch(), self.issuer(), state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stop_at_their_limits_and_never_wrap() {
        let mut word = Word(0).allocated(false).unwrap();
        for _ in 1..MAX_HOLDERS {
            word = word.changed(0, 1).unwrap();
        }
        assert_eq!(word.changed(0, 1), Err(Refusal::Holders));
        for _ in 0..MAX_IN_FLIGHT {
            word = word.changed(1, 0).unwrap();
        }
        assert_eq!(word.changed(1, 0), Err(Refusal::InFlight));
        assert_eq!((word.holders(), word.in_flight(), word.exclusive()), (MAX_HOLDERS, MAX_IN_FLIGHT, false));
        assert_eq!(Word(0).changed(-1, 0), Err(Refusal::Below));
        assert_eq!(Word(0).changed(0, -1), Err(Refusal::Below));
    }

    #[test]
    fn every_change_bumps_the_version_also_where_it_wraps() {
        let last = Word(((1 << VERSION) - 1) << VERSION_SHIFT);
        let word = last.allocated(true).unwrap();
        assert_eq!(word.0 >> VERSION_SHIFT & ((1 << VERSION) - 1), 0);
        assert!(word.exclusive() && word.holders() == 1 && word.in_flight() == 0);
        assert_ne!(word.changed(1, -1).unwrap().changed(-1, 1).unwrap(), word);
    }

    #[test]
    fn kind_changes_only_alone() {
        let word = Word(0).allocated(false).unwrap();
        assert!(word.of_kind(true).unwrap().exclusive());
        assert_eq!(word.of_kind(false), Err(Refusal::Unfit));
        assert_eq!(word.changed(1, 0).unwrap().of_kind(true), Err(Refusal::Unfit));
        assert_eq!(word.changed(0, 1).unwrap().of_kind(true), Err(Refusal::Unfit));
    }

    #[test]
    fn a_ticket_says_epoch_issuer_and_state() {
        for state in
            [TicketState::Free, TicketState::Reserved, TicketState::Held, TicketState::Armed, TicketState::Moved]
        {
            let word = TicketWord::new(EPOCH_MASK, MAX_ISSUER, state);
            assert_eq!((word.epoch(), word.issuer(), word.state()), (EPOCH_MASK, MAX_ISSUER, Some(state)));
        }
        assert_eq!(TicketWord(7).state(), None);
    }
}
