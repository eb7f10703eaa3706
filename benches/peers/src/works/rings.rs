use super::{KIB, MIB, source};
use crate::{
    Outcome,
    measure::Cell,
    peers::{D_BUS, IN_PLACE, Peer, RTRB, UNIX_SOCKET, WriteOnce},
    report::{Row, Target, Work},
    rings::{
        Blocking, Boxes, InPlace, Ours, Queue, Rtrb, SharedRing, Sleeping, Stream, Trying,
        cells::{
            answered, echoed, echoed_between, items_across, items_between, one_thread, payloads_across,
            payloads_between,
        },
        dbus,
        other::Task,
    },
    sync::{Eventfds, Kept},
};

const SMALL: usize = 32;
/// As many bytes as its authors have published a figure for.
const FRAME: usize = 41 * KIB;
const LARGE: usize = 64 * KIB;
const SIZES: [usize; 8] = [SMALL, KIB, 4 * KIB, FRAME, LARGE, 256 * KIB, MIB, 4 * MIB];

/// The crate whose ring is beside ours.
const SHMEM_IPC: &str = WriteOnce::NAME;

const NEVER_SLEEPS: &str = "8 B, by calls that do not wait";
const COULD_SLEEP: &str = "8 B, by calls that wait";
const TWO_CORES: &str = "each process on its own core";
const ONE_CORE: &str = "both processes on one core";

pub(super) fn one_thread_through() -> Work {
    Work {
        name: "through a ring, one thread",
        touched: "all: written once, read once",
        how: "Written from a slice by the one end, and summed at the other, by one thread, in rings that hold two payloads; \
              commonage rounds that up to a power of two. commonage is copied out before it is summed, as what a socket \
              brings; in place, shmem-ipc and rtrb are summed where they lie, crossbeam's queue carries a box for each \
              payload, and D-Bus a signal to oneself. A socket takes part by part what does not fit at once. D-Bus is \
              measured with the feature `dbus`, under `dbus-run-session`",
        drawn: true,
        long: false,
        rows: SIZES.into_iter().map(|size| Row::new(size, one_thread_targets(size))).collect(),
        cells: |row| {
            let payload = source(row);
            let mut cells = vec![
                one_thread::<Ours<Blocking>>(&payload)?,
                one_thread::<Ours<InPlace>>(&payload)?,
                one_thread::<SharedRing<false>>(&payload)?,
                one_thread::<Stream>(&payload)?,
                one_thread::<Rtrb>(&payload)?,
                one_thread::<Boxes>(&payload)?,
            ];
            cells.extend(dbus::one_thread(&payload)?);
            Ok(cells)
        },
    }
}

fn one_thread_targets(size: usize) -> Vec<Target> {
    match size {
        SMALL => vec![Target::AtMost { nanoseconds: 25.0 }],
        FRAME => vec![
            Target::For { who: IN_PLACE, target: &Target::NoSlower { than: SHMEM_IPC } },
            Target::For { who: IN_PLACE, target: &Target::Faster { times: 4.3, than: UNIX_SOCKET } },
            Target::Within { of: SHMEM_IPC, times: 1.6 },
        ],
        LARGE => vec![
            Target::For { who: IN_PLACE, target: &Target::Faster { times: 4.0, than: UNIX_SOCKET } },
            Target::For { who: IN_PLACE, target: &Target::Faster { times: 80.0, than: D_BUS } },
            Target::Faster { times: 4.0, than: UNIX_SOCKET },
            Target::Faster { times: 80.0, than: D_BUS },
        ],
        _ => vec![],
    }
}

pub(super) fn two_processes_through() -> Work {
    Work {
        name: "through a ring, two processes",
        touched: "all: written once here, read once there",
        how: "A stream of payloads, each written from a slice here and summed there, each process on its own core: the time \
              for each payload, until all have been summed. The rings hold 64 KiB, and at least two payloads; commonage and \
              shmem-ipc wait by their own calls, and wake the other; polled, shmem-ipc does neither. rtrb and crossbeam's queue are between two threads, which never sleep. D-Bus \
              is measured with the feature `dbus`, under `dbus-run-session`; its daemon is a third process",
        drawn: true,
        long: false,
        rows: SIZES.into_iter().map(|size| Row::new(size, [])).collect(),
        cells: |row| {
            let payload = source(row);
            let mut cells = vec![
                payloads_across::<Ours<Blocking>>(&payload)?,
                payloads_across::<Ours<InPlace>>(&payload)?,
                payloads_across::<SharedRing<false>>(&payload)?,
                payloads_across::<SharedRing<true>>(&payload)?,
                payloads_across::<Stream>(&payload)?,
                payloads_between::<Rtrb>(&payload)?,
                payloads_between::<Boxes>(&payload)?,
            ];
            cells.extend(dbus::two_processes(&payload)?);
            Ok(cells)
        },
    }
}

pub(super) fn single_items() -> Work {
    Work {
        name: "through a ring, single items",
        touched: "8 B, written once here, read once there",
        how: "One number after another is pushed here and popped there, each process on its own core, in rings that hold 8192: \
              the time for each. shmem-ipc sleeps, and wakes the other, as its ends are meant to; polled, it does neither. rtrb \
              and crossbeam's queue are between two threads, which never sleep",
        drawn: false,
        long: false,
        rows: vec![Row::named(
            "8 B",
            8,
            [Target::Faster { times: 5.0, than: SHMEM_IPC }, Target::Within { of: RTRB, times: 1.25 }],
        )],
        cells: |_| {
            Ok(vec![
                items_across::<Ours<Blocking>>()?,
                items_across::<SharedRing<false>>()?,
                items_across::<SharedRing<true>>()?,
                items_between::<Rtrb>()?,
                items_between::<Queue>()?,
            ])
        },
    }
}

pub(super) fn awake() -> Work {
    Work {
        name: "through a ring to another process and back, awake",
        touched: "8 B, written and read once at each end",
        how: "Two rings, each process on its own core. By calls that do not wait both try until they succeed; rtrb and \
              crossbeam's queue are between two threads. The calls that wait look again for a while before they sleep",
        drawn: false,
        long: false,
        rows: [NEVER_SLEEPS, COULD_SLEEP]
            .map(|name| Row::named(name, 8, [Target::AtMost { nanoseconds: 1000.0 }]))
            .into(),
        cells: |row| {
            if row.name == COULD_SLEEP {
                return Ok(vec![answered::<Ours<Blocking>>(Task::AnswerApart)?]);
            }
            Ok(vec![
                echoed::<Ours<Trying>>()?,
                echoed::<SharedRing<true>>()?,
                echoed_between::<Rtrb>()?,
                echoed_between::<Queue>()?,
            ])
        },
    }
}

pub(super) fn asleep() -> Work {
    Work {
        name: "through a ring to another process and back, asleep",
        touched: "8 B, written and read once at each end",
        how: "Two rings; whoever waits sleeps at once. shmem-ipc waits by its own call. An eventfd's pair carries nothing: its \
              bare calls are what wakes and sleeps",
        drawn: false,
        long: false,
        rows: vec![
            Row::named(TWO_CORES, 8, [Target::Within { of: Eventfds::NAME, times: 1.15 }]),
            Row::named(ONE_CORE, 8, []),
        ],
        cells: |row| {
            let task = if row.name == ONE_CORE { Task::Answer } else { Task::AnswerApart };
            Ok(vec![
                answered::<Ours<Sleeping>>(task)?,
                answered::<SharedRing<false>>(task)?,
                answered::<Stream>(task)?,
                eventfds(if row.name == ONE_CORE { "answer" } else { "answer-apart" })?,
            ])
        },
    }
}

fn eventfds(what: &str) -> Outcome<Cell> {
    let eventfds = Eventfds::create("")?;
    let their_name = eventfds.name();
    super::events::between(what, eventfds, &their_name)
}
