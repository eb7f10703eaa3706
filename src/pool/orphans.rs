//! Named segments that nobody has any more: found through the identity files of the dead, looked at without being mapped,
//! and removed by whoever finds them.

use std::{collections::HashMap, time::Duration};

use crate::{
    Error, SegmentId,
    pool::{
        attachment::EXITED,
        checkpoint::{Step, reached},
        layout::Layout,
        word::{TicketState, TicketWord},
    },
    segment::{self, Liveness, PREFIX, Peek},
    sys,
};

/// Removes the named segments of dead owners in which nobody is left, and no message that is younger than `older_than`:
/// how many. The oldest first.
pub(crate) fn sweep(older_than: Duration) -> usize {
    let mut removed = 0;
    // Segments of one owner have the same participants.
    let mut known = HashMap::new();
    for estate in segment::estates() {
        for id in estate.segments() {
            if let Some(peek) = Peek::open(*id)
                && is_nobodys(*id, &peek, older_than, &mut known)
            {
                removed += usize::from(peek.remove());
                reached(Step::SweepRemoved);
            }
        }
        estate.settle(is_participant);
    }
    removed
}

/// After a slot has been freed for the process with this identity: if it has none in any segment that is left, what it was
/// known by goes.
pub(crate) fn bury(identity: u64) {
    segment::bury_dead(identity, |id| is_participant(id, identity));
}

/// Whether a slot of the segment is, or may be, that of the process with this identity.
fn is_participant(id: SegmentId, identity: u64) -> bool {
    let slots = Peek::open(id).and_then(|peek| {
        let mut prefix = [0; PREFIX];
        let layout = peek.read(0, &mut prefix).then(|| Layout::parse(&prefix, peek.size(), id).ok())??.0;
        read(&peek, layout.slots())
    });
    slots.is_none_or(|slots| words::<2>(&slots).any(|[mark, _]| mark != 0 && mark >> 8 == identity))
}

/// Nobody lives in the segment, and nobody comes for what is in it.
///
/// Tickets first: whoever claims one has marked its slot before it is gone.
fn is_nobodys(id: SegmentId, peek: &Peek, older_than: Duration, known: &mut HashMap<u64, Liveness>) -> bool {
    let mut prefix = [0; PREFIX];
    if !peek.read(0, &mut prefix) {
        // Too short: its owner died while it made the segment.
        return peek.size() < PREFIX as u64;
    }
    let layout = match Layout::parse(&prefix, peek.size(), id) {
        Ok((layout, _)) => layout,
        // Another version's, whose tables are not known here.
        Err(Error::Abi { .. }) => return false,
        // No header yet: whoever is in a segment had read one, or has made it, and is the dead that lists it.
        Err(_) => return true,
    };
    let mut backed = [0; 4];
    if !peek.read(Layout::TICKETS_BACKED, &mut backed) {
        return false;
    }
    let tickets = layout.ticket_bytes(0, u32::from_le_bytes(backed).min(layout.tickets));
    let Some(tickets) = read(peek, tickets) else { return false };
    let now = sys::boot_time();
    let awaited = |row: &[u64; 4]| {
        let in_flight = matches!(TicketWord(row[0]).state(), Some(TicketState::Held | TicketState::Armed));
        in_flight && sys::age(row[2], now) < older_than
    };
    if words::<4>(&tickets).any(|row| awaited(&row)) {
        return false;
    }
    let Some(slots) = read(peek, layout.slots()) else { return false };
    !words::<2>(&slots).any(|[mark, _]| {
        mark != 0
            && mark & EXITED == 0
            && *known.entry(mark >> 8).or_insert_with(|| peek.liveness(mark >> 8)) != Liveness::Dead
    })
}

fn read(peek: &Peek, range: std::ops::Range<usize>) -> Option<Vec<u8>> {
    let mut bytes = vec![0; range.len()];
    peek.read(range.start as u64, &mut bytes).then_some(bytes)
}

/// Rows of `N` words.
fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u64; N]> + '_ {
    bytes
        .chunks_exact(8 * N)
        .map(|row| std::array::from_fn(|i| u64::from_le_bytes(std::array::from_fn(|byte| row[8 * i + byte]))))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        env,
        io::{BufRead, BufReader, Read},
        process::{Child, Command, Stdio},
        time::{Duration, Instant},
    };

    use super::sweep;
    use crate::{Backing, Config, pool::own};

    const TEST: &str = "pool::orphans::tests::a_thousand_segments_of_a_hundred_dead_owners";
    const ROLE: &str = "COMMONAGE_ORPHANS_OWNER";
    const EACH: usize = 10;

    /// Ten segments, until it is killed.
    fn own() {
        Config::new().backing(Backing::Named).install().unwrap();
        let segments: Vec<_> = (0..EACH).map(|index| own::create(index, 16 << 20).unwrap()).collect();
        println!("\nmade {}", segments.len());
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    }

    fn start() -> Child {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([TEST, "--exact", "--nocapture", "--include-ignored"]).env(ROLE, "");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == format!("made {EACH}")));
        child
    }

    #[test]
    #[ignore = "prints times, and takes what the dead of this user have left"]
    fn a_thousand_segments_of_a_hundred_dead_owners() {
        if env::var_os(ROLE).is_some() {
            return own();
        }
        let timed = |what: &str| {
            let began = Instant::now();
            let removed = sweep(Duration::ZERO);
            println!("{what}: {removed} segments removed in {:?}", began.elapsed());
            removed
        };
        timed("what was there before");
        let mut owners: Vec<Child> = (0..100).map(|_| start()).collect();
        assert_eq!(timed("of the living"), 0);
        for owner in &mut owners {
            owner.kill().unwrap();
            owner.wait().unwrap();
        }
        assert_eq!(timed("of the dead"), 100 * EACH);
        assert_eq!(timed("nothing to sweep"), 0);
    }
}

#[cfg(all(test, windows))]
mod ages {
    use std::{collections::HashMap, sync::atomic::Ordering, time::Duration};

    use super::is_nobodys;
    use crate::{
        Backing, SegmentId,
        pool::{
            attachment::{Attachment, EXITED},
            layout::Layout,
            records::Owned,
            word::{TicketState, TicketWord},
        },
        segment::{GRANULE, Peek, Segment},
        sys,
    };

    #[test]
    fn a_message_from_before_the_machine_was_started_is_waited_for_no_longer() {
        const HOUR: Duration = Duration::from_secs(3600);
        let (id, layout) = (SegmentId(sys::random_u64().unwrap()), Layout::for_data(GRANULE));
        let segment = Segment::create(Backing::Named, id, layout.control(), layout.data).unwrap();
        let at = Attachment::join(segment, layout, [7; 16], Some(Owned::new(0, layout.blocks).unwrap())).unwrap();
        at.control.slot(at.slot).mark.fetch_or(EXITED, Ordering::SeqCst);
        at.control.raise_tickets_backed(1);
        let row = at.control.ticket(0);
        row.word.store(TicketWord::new(1, at.slot, TicketState::Armed).0, Ordering::SeqCst);
        let waited_for = |issued| {
            row.time.store(issued, Ordering::SeqCst);
            !is_nobodys(id, &Peek::open(id).unwrap(), HOUR, &mut HashMap::new())
        };
        let now = sys::boot_time();
        let found = (waited_for(now), waited_for(now + HOUR.as_nanos() as u64), waited_for(0));
        at.remove_name();
        assert_eq!((found.0, found.1), (true, false));
        let up_for_long = Duration::from_nanos(now) > HOUR;
        assert_eq!(found.2, !up_for_long);
    }
}
