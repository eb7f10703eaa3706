//! What an owner and a peer do, and what is done to them, out of a fuzzer's bytes.

use arbitrary::{Arbitrary, Unstructured};

/// No script has more steps.
const STEPS: usize = 150;

/// What happens, step by step, for as many steps as the bytes are good for.
#[derive(Debug)]
pub struct Script {
    /// Nothing is overwritten.
    pub quiet: bool,
    pub steps: Vec<Step>,
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let mut script = Script { quiet: bytes.arbitrary()?, steps: Vec::new() };
        while script.steps.len() < STEPS && !bytes.is_empty() {
            script.steps.push(bytes.arbitrary()?);
        }
        Ok(script)
    }
}

/// A step. Numbers choose among what there is.
#[derive(Debug)]
pub enum Step {
    Make {
        len: u16,
        exclusive: bool,
    },
    Clone(u8),
    Drop(u8),
    Slice {
        handle: u8,
        at: u16,
    },
    Freeze(u8),
    Thaw(u8),
    Look(u8),
    Serialize(u8),
    IntoToken(u8),
    Ticket(u8),
    Claim {
        ticket: u8,
        owner: bool,
        as_it_is: bool,
    },
    Revoke {
        ticket: u8,
        owner: bool,
    },
    Forget {
        ticket: u8,
    },
    Sweep {
        owner: bool,
    },
    Reclaim {
        owner: bool,
        millis: u8,
    },
    Trim,
    Stats,
    PeerDies,
    OwnerDies,
    PeerComes,
    Dead(Dead),
    /// A block on the stack of the returned ones.
    Returned {
        block: u8,
        next: u8,
        zero: bool,
    },
    Store(At, Value),
    /// As it was before some of the last stores.
    Undo(u8),
}

/// A participant that died in the middle of something: all of it fits together, or not.
#[derive(Clone, Copy, Debug)]
pub struct Dead {
    pub slot: u8,
    pub block: u8,
    pub ticket: u8,
    /// Its hold bit is set, and the word counts it.
    pub bit: bool,
    pub counted: bool,
    /// Its intent names the block.
    pub intent: bool,
    /// The bits of the living are not set.
    pub alone: bool,
    /// The state of a ticket that it has issued.
    pub issued: Option<u8>,
}

#[derive(Clone, Copy, Debug)]
pub enum At {
    Header(u8),
    Slot(u8, bool),
    Ticket(u8, u8),
    Block(u8, u8),
    Intent(u8, u8),
    Holds(u8, u8),
    Any(u32),
}

#[derive(Clone, Copy, Debug)]
pub enum Value {
    Number(u64),
    Small(u8),
    Bit(u8),
    Add(i16),
    From(At),
    /// The offset of so many lines of 128 bytes, from the beginning or from the end of the data area.
    Line(u16, bool),
    Word {
        exclusive: bool,
        in_flight: u16,
        holders: u16,
    },
    TicketOf {
        slot: u8,
        state: u8,
    },
    Mark {
        exited: bool,
        swept: bool,
    },
}

impl Step {
    /// It overwrites something.
    pub fn is_noise(&self) -> bool {
        matches!(self, Step::Dead(_) | Step::Returned { .. } | Step::Store(..) | Step::Undo(_))
    }
}

// Written out, not derived: one byte chooses, and what leads on is chosen more often than what ends things.
impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let choice: u8 = bytes.arbitrary()?;
        let byte = bytes.arbitrary()?;
        let owner = byte % 2 == 0;
        Ok(match choice % 64 {
            0..5 => Step::Make { len: u16::from(byte) << (choice / 64 * 3), exclusive: bytes.arbitrary()? },
            5..7 => Step::Clone(byte),
            7..12 => Step::Drop(byte),
            12 => Step::Slice { handle: byte, at: bytes.arbitrary()? },
            13 => Step::Freeze(byte),
            14 => Step::Thaw(byte),
            15 => Step::Look(byte),
            16..20 => Step::Serialize(byte),
            20..22 => Step::IntoToken(byte),
            22..24 => Step::Ticket(byte),
            24..32 => Step::Claim { ticket: byte / 2, owner, as_it_is: choice < 240 },
            32..34 => Step::Revoke { ticket: byte / 2, owner },
            34 => Step::Forget { ticket: byte },
            35..38 => Step::Sweep { owner },
            38 => Step::Reclaim { owner, millis: byte / 2 },
            39 => Step::Trim,
            40 => Step::Stats,
            41..43 => Step::PeerDies,
            43 if byte < 64 => Step::OwnerDies,
            43 => Step::PeerComes,
            44..47 => {
                let [block, ticket, what, state] = bytes.arbitrary()?;
                let bit = |n: u8| what & 1 << n != 0;
                let issued = bit(3).then_some(state);
                Step::Dead(Dead {
                    slot: byte,
                    block,
                    ticket,
                    bit: bit(0),
                    counted: bit(1),
                    intent: bit(2),
                    alone: bit(4),
                    issued,
                })
            }
            47..49 => Step::Returned { block: byte, next: bytes.arbitrary()?, zero: choice < 192 },
            49..52 => Step::Undo(byte % 16),
            _ => Step::Store(At::chosen(byte, bytes)?, Value::arbitrary(bytes)?),
        })
    }
}

impl At {
    fn chosen(choice: u8, bytes: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        let byte = bytes.arbitrary()?;
        Ok(match choice % 16 {
            0..2 => At::Header(64 + byte % 66),
            2 => At::Header(byte),
            3..5 => At::Slot(byte, choice < 64),
            5..9 => At::Ticket(byte, choice / 16),
            9..13 => At::Block(byte, choice / 16),
            13 => At::Intent(byte, bytes.arbitrary()?),
            14 => At::Holds(byte, bytes.arbitrary()?),
            _ => At::Any(bytes.arbitrary()?),
        })
    }
}

impl<'a> Arbitrary<'a> for Value {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let choice: u8 = bytes.arbitrary()?;
        Ok(match choice % 16 {
            0 => Value::Number(bytes.arbitrary()?),
            1..4 => Value::Small(bytes.arbitrary()?),
            4..7 => Value::Bit(bytes.arbitrary()?),
            7..9 => Value::Add(bytes.arbitrary()?),
            9 => Value::From(At::chosen(choice / 16, bytes)?),
            10..13 => {
                let [in_flight, holders]: [u8; 2] = bytes.arbitrary()?;
                // Few, or nearly as many as there can be.
                let count = |byte: u8| if byte < 128 { u16::from(byte % 4) } else { u16::MAX - u16::from(byte % 4) };
                Value::Word { exclusive: choice < 128, in_flight: count(in_flight), holders: count(holders) }
            }
            13 => Value::Line(bytes.arbitrary()?, choice < 128),
            14 => Value::TicketOf { slot: bytes.arbitrary()?, state: choice / 16 },
            _ => Value::Mark { exited: choice & 16 != 0, swept: choice & 32 != 0 },
        })
    }
}
