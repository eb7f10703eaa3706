//! The places where a process can die and something is half-done: named, so that a test (`crash`) can kill it at each in turn.
//! Outside of this crate's own tests they are nothing.

macro_rules! steps {
    ($($step:ident)*) => {
        /// A place between two steps of the protocol, named after the step that has just been done.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub(crate) enum Step {
            $($step,)*
        }

        #[cfg(test)]
        #[cfg_attr(target_os = "macos", allow(dead_code, reason = "the crash matrix is not played there"))]
        impl Step {
            pub(crate) const ALL: &[Step] = &[$(Step::$step),*];
        }
    };
}

steps! {
    AttachLocked
    AttachReserved
    AttachMarked
    LeaveMarked
    NameRemoved
    CreateMade
    CreateJoined
    AllocateSerial
    AllocateWord
    AllocateBit
    AllocateMarked
    IssueReserved
    IssueFilled
    IssueBit
    IssueWord
    IssuePublished
    TakeTicket
    TakeWord
    TakeBit
    TakeFreed
    JoinWord
    JoinBit
    GiveBit
    GiveWord
    GiveLinked
    GivePushed
    GiveReleased
    ArmBit
    ArmWord
    ArmTicket
    RevokeTicket
    RevokeWord
    KindWord
    KindSerial
    DrainTaken
    RetirePunched
    RetireMarked
    RetireNameless
    ExitMarked
    ExitLeft
    WillCopied
    WillMoved
    WillShown
    WillCounted
    ClaimWillCopied
    ClaimWillTaken
    SweepOrphaned
    SweepTicket
    SweepCounted
    SweepSwapped
    SweepFreed
    SweepIntent
    SweepGiven
    SweepUnmarked
    SweepSlot
    SweepPunched
    SweepRemoved
}

#[cfg(not(test))]
#[inline(always)]
pub(crate) fn reached(_: Step) {}

#[cfg(test)]
pub(crate) use tests::reached;

#[cfg(test)]
#[cfg_attr(target_os = "macos", allow(dead_code, reason = "the crash matrix is not played there"))]
pub(crate) mod tests {
    use std::{
        collections::BTreeMap,
        env,
        sync::{
            LazyLock, Mutex,
            atomic::{AtomicBool, Ordering},
        },
    };

    use super::Step;
    use crate::{
        pool::{
            attachment::{Attachment, SWEPT},
            layout::STRIPES,
            peers,
            steps::{Area, holds},
            word::{TicketState, TicketWord, Word},
        },
        sys,
    };

    /// In the environment of a child: `step:passes`, the step at which it dies, and how many times it gets past it before.
    pub(crate) const DIE_AT: &str = "COMMONAGE_TEST_DIE_AT";

    static ARMED: AtomicBool = AtomicBool::new(false);
    static PASSED: Mutex<BTreeMap<Step, u32>> = Mutex::new(BTreeMap::new());
    static PLAN: LazyLock<Option<(String, u32)>> = LazyLock::new(|| {
        let plan = env::var(DIE_AT).ok()?;
        let (step, passes) = plan.split_once(':')?;
        Some((step.to_owned(), passes.parse().ok()?))
    });

    /// From here on steps count.
    pub(crate) fn arm() {
        ARMED.store(true, Ordering::SeqCst);
    }

    /// The names of the steps that this process has reached since `arm`, and how often.
    pub(crate) fn passed() -> Vec<(String, u32)> {
        PASSED.lock().unwrap().iter().map(|(step, times)| (format!("{step:?}"), *times)).collect()
    }

    pub(crate) fn reached(step: Step) {
        if !ARMED.load(Ordering::Relaxed) {
            return;
        }
        let before = {
            let mut passed = PASSED.lock().unwrap();
            let times = passed.entry(step).or_default();
            *times += 1;
            *times - 1
        };
        if PLAN.as_ref().is_some_and(|(name, passes)| *passes == before && *name == format!("{step:?}")) {
            sys::ending::die();
        }
    }

    /// What the control areas of some segments say, counted, while nobody changes anything.
    #[derive(Default, Debug)]
    pub(crate) struct Census {
        pub(crate) segments: usize,
        /// Blocks whose word is not at 0/0.
        pub(crate) blocks: usize,
        /// Held and armed tickets.
        pub(crate) tickets: usize,
        /// Occupied slots, but those of dead owners that have been swept.
        pub(crate) participants: usize,
        /// What is there of what nobody should see: words that are not what bits and tickets say, intents, tickets that are
        /// reserved or moved.
        pub(crate) wrong: Vec<String>,
    }

    /// Of this process's own segments, or of the others that it has mapped.
    pub(crate) fn census(own: bool) -> Census {
        let mut census = Census::default();
        peers::all().iter().filter(|at| at.owned.is_some() == own).for_each(|at| count(at, &mut census));
        census
    }

    fn count(at: &Attachment, census: &mut Census) {
        census.segments += 1;
        let mut in_flight: BTreeMap<(u32, u64), usize> = BTreeMap::new();
        for number in 0..at.control.tickets_backed() {
            let word = TicketWord(at.ticket(number).load(Ordering::SeqCst));
            match word.state() {
                Some(TicketState::Free) => {}
                Some(TicketState::Held | TicketState::Armed) => {
                    census.tickets += 1;
                    *in_flight.entry(at.ticket_for(number)).or_default() += 1;
                }
                other => census.wrong.push(format!("ticket {number} of slot {} is {other:?}", word.issuer())),
            }
        }
        let occupied: Vec<u32> = (0..at.participants()).filter(|slot| at.is_occupied(*slot)).collect();
        for slot in &occupied {
            let mark = at.control.slot(*slot).mark.load(Ordering::SeqCst);
            census.participants += usize::from(mark & SWEPT == 0);
            for stripe in 0..STRIPES as u32 {
                let intent = at.intent(*slot, stripe).load(Ordering::SeqCst);
                if intent != 0 {
                    census.wrong.push(format!("slot {slot} intends to change block {}", intent - 1));
                }
            }
        }
        for block in 0..at.control.blocks_backed() {
            let word = Word(at.word(block).load(Ordering::SeqCst));
            census.blocks += usize::from(!word.is_zero());
            let holders = occupied.iter().filter(|slot| holds(at, **slot, block)).count();
            let serial = at.serial(block).load(Ordering::SeqCst);
            let sent = in_flight.remove(&(block, serial)).unwrap_or(0);
            if (word.holders() as usize, word.in_flight() as usize) != (holders, sent) {
                census.wrong.push(format!("block {block} is {word:?}, held by {holders}, sent {sent} times"));
            }
        }
        if !in_flight.is_empty() {
            census.wrong.push(format!("tickets of values that are gone: {in_flight:?}"));
        }
    }
}
