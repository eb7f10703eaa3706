//! What this process's pool has at the moment.

use std::sync::atomic::Ordering;

use crate::pool::{
    attachment::lock,
    layout::PAGE,
    magazine::{CLASSES, RUN},
    owner::{POOL, Pool},
    records::{self, headers_backed},
    steps::Area,
    word::{TicketState, TicketWord},
};

/// What this process's pool has at the moment of the call: the segments that it has made, and what is in them, whoever
/// holds it. Values of other processes' pools that this process holds are not in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Segments: shared memory objects of the system.
    pub segments: usize,
    /// Values, in whatever process they are held, and those that are on their way.
    pub blocks: usize,
    /// Bytes of the blocks of those values, each as large as the pool made it: at least as large as the value.
    pub live: u64,
    /// Bytes that have memory, and that no value uses: the next values are made of them.
    pub warm: u64,
    /// Bytes that have memory in the data areas: `live` and `warm` together, and the small blocks that threads have cached,
    /// and what such blocks leave of their pages.
    pub reserved: u64,
    /// Tickets that have been issued for those values, by whatever process, and have not been claimed or revoked.
    pub tickets: usize,
    /// Occupied participant slots, summed over the segments, this process's own included: a process that has two of the
    /// segments mapped counts twice. One that died counts until it has been swept.
    pub participants: usize,
}

/// What this process's pool has at the moment.
///
/// ```standalone_crate
/// use commonage::{SharedSlice, stats};
/// let value = SharedSlice::<u8>::copy_from(&[7; 1000])?;
/// let with = stats();
/// assert_eq!((with.blocks, with.segments, with.participants), (1, 1, 1));
/// assert!(with.live >= 1000 && with.live <= with.reserved);
/// drop(value);
/// assert_eq!(stats().blocks, 0);
/// # Ok::<(), commonage::Error>(())
/// ```
pub fn stats() -> Stats {
    POOL.existing().map_or_else(Stats::default, |pool| lock(pool).stats())
}

impl Pool {
    fn stats(&mut self) -> Stats {
        self.drain();
        let mut stats = Stats { reserved: self.reserved(), ..Stats::default() };
        for own in self.segments.iter().flatten() {
            let (at, arena) = (&own.at, &own.arena);
            stats.segments += 1;
            for block in 0..headers_backed(at) {
                let Some((class, allocated)) = records::class_of(at, block) else { continue };
                let bytes = match class {
                    RUN => arena.run(block).map_or(0, |run| u64::from(run.pages) * PAGE as u64),
                    class => CLASSES.get(usize::from(class)).map_or(0, |size| *size as u64),
                };
                if allocated {
                    stats.blocks += 1;
                    stats.live += bytes;
                } else if class == RUN {
                    // A thread keeps it.
                    stats.warm += bytes;
                }
            }
            let in_flight = |ticket: &u32| {
                let state = TicketWord(at.ticket(*ticket).load(Ordering::Acquire)).state();
                matches!(state, Some(TicketState::Held | TicketState::Armed))
            };
            stats.tickets += (0..at.control.tickets_backed()).filter(in_flight).count();
            stats.participants += (0..at.participants()).filter(|slot| at.is_occupied(*slot)).count();
        }
        let cut: u64 = self.spares.iter().zip(CLASSES).map(|(spares, size)| spares.len() as u64 * size as u64).sum();
        stats.warm += self.warm() + cut;
        stats
    }
}
