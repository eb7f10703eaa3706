//! Clean exit: what this process has sent, and nobody has claimed, becomes wills, or stays where it has a name.
//!
//! | who exits | moves | why |
//! |---|---|---|
//! | the owner, after it has marked its segments as exiting | every armed ticket in them; held ones of its own and of the dead | nobody finds the segment any more; what a living issuer holds may still be written |
//! | anybody else | its own held tickets; its own armed ones too where the owner is gone or exiting | the owner's look may be over |
//!
//! Named segments are their own wills: they keep their names while messages are in them.
//!
//! A copy is of the whole block, and further messages of the same block are links to it: whoever claims one reads the range
//! that its token names. The block of a `SharedMut` may have other parts, which are written meanwhile; so a message of one
//! is a link only if it was on its way, as it is now, before the first copy was made.
//!
//! The data is copied to a file under a temporary name; then the ticket is swapped to *moved*, and whoever loses that
//! deletes its copy; then the file comes into view; then the word counts one message less. In view before the swap, the
//! message could be claimed twice.

// A block's bytes are handed to the system, which copies them.
#![allow(unsafe_code)]

use std::sync::{
    Arc, PoisonError, RwLock, RwLockReadGuard,
    atomic::{AtomicU32, Ordering},
};

use crate::{
    Backing, Error,
    pool::{
        attachment::{Attachment, EXITED},
        block::{Extent, give_back},
        checkpoint::{Step, reached},
        layout::State,
        peers, recovery,
        steps::{self, Area, Intent, swap_ticket},
        tickets::wake_claims,
        word::{TicketState, TicketWord, Word},
    },
    segment::{
        self, WillName,
        wills::{Draft, WillHeader},
    },
    sys::{self, PerProcess},
};

/// The process that is exiting. A child that it forks later is another.
static EXITING: AtomicU32 = AtomicU32::new(0);

/// The process that has registered the handler; a forked child registers again.
static REGISTERED: AtomicU32 = AtomicU32::new(0);

/// Closed, by the exit handler, for good: what is made or attached while it is open is in the table when the handler
/// looks.
static CLOSED: PerProcess<RwLock<bool>> = PerProcess::new();

/// Bytes from which on a message is copied only if the machine has memory to spare: asking costs as much as copying this.
const LARGE: usize = 1 << 20;

/// Is this process on its way out?
#[inline]
pub(crate) fn exiting() -> bool {
    let exiting = EXITING.load(Ordering::Relaxed);
    exiting != 0 && exiting == sys::lineage()
}

/// Keeps the exit handler waiting while a segment is made or attached, until it is in the table.
///
/// # Errors
///
/// `Exiting`, if the handler has looked.
pub(crate) fn gate() -> Result<RwLockReadGuard<'static, bool>, Error> {
    let closed = CLOSED.get().read().unwrap_or_else(PoisonError::into_inner);
    if *closed { Err(Error::Exiting) } else { Ok(closed) }
}

/// Asks, once in each process, to be told of its exit.
pub(crate) fn register() {
    let process = sys::lineage();
    if REGISTERED.swap(process, Ordering::AcqRel) != process {
        sys::at_exit(exit);
    }
}

/// Other threads may still run, so nothing is unmapped and no hold is given back; slots in which nothing is held are freed,
/// and names that nobody needs are removed. A forked child has this called for what its parent has registered, too.
extern "C" fn exit() {
    let process = sys::lineage();
    if sys::threads_have_ended() {
        // A lock that one of them had is let go of by nobody: what is here is left as by one that is killed.
        EXITING.store(process, Ordering::Release);
        return;
    }
    if REGISTERED.load(Ordering::Acquire) != process || EXITING.swap(process, Ordering::AcqRel) == process {
        return;
    }
    *CLOSED.get().write().unwrap_or_else(PoisonError::into_inner) = true;
    let _no_sweep = recovery::suspend();
    let all = peers::all();
    // All of them first: who leaves its messages to an owner has seen it neither dead nor exiting, so it has yet to look.
    for own in all.iter().filter(|at| at.owned.is_some()) {
        own.control.set_state(State::Exiting);
    }
    reached(Step::ExitMarked);
    for at in &all {
        // Whoever issues a ticket finds the process exiting, or has published it when its stripe is free again.
        at.drain_stripes();
        if at.segment.locator().backing == Backing::Anonymous {
            move_messages(at);
        }
    }
    for at in &all {
        if at.owned.is_some() || !at.depart_if_idle() {
            at.control.slot(at.slot).mark.fetch_or(EXITED, Ordering::SeqCst);
        }
        reached(Step::ExitLeft);
        at.last_one_removes_the_name();
    }
    segment::clean_exit();
}

/// Moves the messages of a segment that would go with this process into wills.
fn move_messages(at: &Arc<Attachment>) {
    let owned = at.owned.is_some();
    let owner_stays = !owned && at.control.state() == State::Active && !at.is_orphaned();
    let tickets = 0..at.control.tickets_backed();
    let look = |ticket| TicketWord(at.ticket(ticket).load(Ordering::SeqCst));
    // Of a ticket that does not change from here on the range is nobody's to write.
    let before: Vec<TicketWord> = tickets.clone().map(look).collect();
    // The last copy, for further messages of the same block.
    let mut last: Option<((u32, u64), Draft)> = None;
    for (ticket, before) in tickets.zip(before) {
        let word = look(ticket);
        let own = word.issuer() == at.slot;
        let goes = match word.state() {
            Some(TicketState::Armed) => owned || own && !owner_stays,
            Some(TicketState::Held) => own || owned && at.is_dead(word.issuer()),
            _ => false,
        };
        if goes {
            move_message(at, ticket, word, word == before, &mut last);
        }
    }
}

/// Moves one message. Where there is no room, it stays, and is gone with this process. `settled`: it was on its way before
/// `last` was copied.
fn move_message(
    at: &Arc<Attachment>,
    ticket: u32,
    word: TicketWord,
    settled: bool,
    last: &mut Option<((u32, u64), Draft)>,
) {
    let (block, serial) = at.ticket_for(ticket);
    if block >= at.control.blocks_backed() || at.serial(block).load(Ordering::SeqCst) != serial {
        return;
    }
    let name = WillName { segment: at.id(), ticket, epoch: word.epoch() };
    let settled = settled || !Word(at.word(block).load(Ordering::SeqCst)).exclusive();
    let same = last.as_ref().filter(|(of, _)| settled && *of == (block, serial));
    let linked = same.and_then(|(_, draft)| draft.link(name).ok());
    let Some(mut draft) = linked.or_else(|| copy(at, block, serial, name)) else { return };
    reached(Step::WillCopied);
    let released = {
        let _stripe = at.stripe(block);
        let _intent = Intent::on(&**at, block);
        let moved = word.with(TicketState::Moved);
        if !swap_ticket(at.ticket(ticket), word, moved) {
            return; // claimed, or moved by another: the copy goes
        }
        reached(Step::WillMoved);
        if draft.show().is_err() {
            swap_ticket(at.ticket(ticket), moved, word);
            return;
        }
        reached(Step::WillShown);
        let left = steps::change(at.word(block), |word| word.changed(-1, 0));
        reached(Step::WillCounted);
        left.ok().filter(|word| word.is_zero()).and_then(|_| give_back(at, block))
    };
    wake_claims(at.control.ticket(ticket));
    if let Some(released) = released {
        released.put_back(at);
    }
    *last = Some(((block, serial), draft));
}

/// A copy of a block in a file. If the ticket is claimed meanwhile, the block may change under it: then the swap fails.
fn copy(at: &Attachment, block: u32, serial: u64, name: WillName) -> Option<Draft> {
    let extent = Extent::read(at, block).ok()?;
    if extent.len >= LARGE && extent.len as u64 > sys::available_memory() / 2 {
        return None;
    }
    let header = WillHeader {
        secret: at.secret,
        block,
        serial,
        fingerprint: extent.fingerprint,
        exclusive: Word(at.word(block).load(Ordering::SeqCst)).exclusive(),
        len: extent.len as u64,
    };
    // SAFETY: the extent was checked against the length of the data area.
    let data = unsafe { at.segment.data().add(extent.offset) };
    // SAFETY: within the data area, which is mapped, and readable, as long as `at` is there.
    unsafe { Draft::write(name, &header, data) }.ok()
}

#[cfg(all(test, windows))]
mod tests {
    use std::{
        env,
        ffi::c_void,
        process::{self, Command},
        ptr,
        sync::mpsc,
        thread,
        time::{Duration, Instant},
    };

    use windows_sys::Win32::System::Threading::{FlsAlloc, FlsSetValue};

    use super::{exit, gate, register};

    const ROLE: &str = "COMMONAGE_ENDED_THREADS";

    /// What the system calls when it has ended the other threads: a library is told of the exit at the same time.
    extern "system" fn told(_: *const c_void) {
        exit();
    }

    fn exits_while_a_thread_is_busy() -> ! {
        let (say, busy) = mpsc::channel();
        thread::spawn(move || {
            let _gate = gate();
            say.send(()).unwrap();
            loop {
                thread::park();
            }
        });
        busy.recv().unwrap();
        register();
        // SAFETY: the function is there as long as the program.
        let slot = unsafe { FlsAlloc(Some(told)) };
        // SAFETY: the slot was made above; what is in it is only looked at for being none.
        assert_ne!(unsafe { FlsSetValue(slot, ptr::dangling::<c_void>()) }, 0);
        process::exit(0)
    }

    #[test]
    fn an_exit_waits_for_no_thread_that_the_system_has_ended() {
        if env::var_os(ROLE).is_some() {
            exits_while_a_thread_is_busy();
        }
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "pool::exit::tests::an_exit_waits_for_no_thread_that_the_system_has_ended"]);
        let mut child = command.env(ROLE, "").spawn().unwrap();
        let began = Instant::now();
        let ended = loop {
            match child.try_wait().unwrap() {
                None if began.elapsed() < Duration::from_secs(30) => thread::sleep(Duration::from_millis(10)),
                ended => break ended,
            }
        };
        let _ = child.kill();
        let _ = child.wait();
        assert!(ended.expect("it hangs").success());
    }
}
