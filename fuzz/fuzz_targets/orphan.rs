//! A named segment whose owner is dead, with anything in its control area: a sweep removes it if nobody is in it and
//! nobody comes for what is in it, and not before.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Duration,
};

use arbitrary::Arbitrary;
use commonage::{fuzzing::Small, sweep};

pub const LOST_AFTER: Duration = Duration::from_secs(1);

const ID: u64 = 0x0123_4567_89ab_cdef;
/// Who lists the segment, and is dead.
const DEAD: u64 = 0xdead;
const ALIVE: u64 = 0xa11fe;
/// Somebody without a file.
const UNKNOWN: u64 = 0x0dd;

#[derive(Arbitrary, Debug)]
enum Who {
    Nobody,
    Dead,
    Alive,
    Unknown,
    Any(u64),
}

#[derive(Arbitrary, Debug)]
struct Ticket {
    word: u64,
    young: bool,
}

#[derive(Arbitrary, Debug)]
pub struct Orphan {
    header: Vec<(u8, u8)>,
    backed: u32,
    slots: Vec<(Who, u8)>,
    tickets: Vec<Ticket>,
    noise: Vec<(u16, u64)>,
    size: Option<u32>,
    listed: Vec<u8>,
}

/// A file that is there as long as this.
struct Placed(PathBuf, File);

impl Placed {
    fn new(name: String) -> Self {
        let path = Path::new("/dev/shm").join(name);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path);
        Placed(path, file.expect("there is room"))
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Orphan {
    pub fn judge(&self) {
        static SMALL: OnceLock<Small> = OnceLock::new();
        let small = SMALL.get_or_init(|| Small::new(ID).expect("there is room"));
        let segment = Placed::new(format!("commonage-{ID:016x}"));
        let put = |at: usize, bytes: &[u8]| segment.1.write_all_at(bytes, at as u64).expect("there is room");
        let mut header = small.header.clone();
        for (at, bits) in &self.header {
            header[usize::from(*at)] ^= bits;
        }
        put(0, &header);
        put(small.backed, &self.backed.to_le_bytes());
        let (mut somebody, mut dead_was_in) = (false, false);
        for (n, (who, flags)) in self.slots.iter().take(small.slots.1 / 16).enumerate() {
            let identity = match who {
                Who::Nobody => 0,
                Who::Dead => DEAD,
                Who::Alive => ALIVE,
                Who::Unknown => UNKNOWN,
                Who::Any(number) => number >> 8,
            };
            let mark = if matches!(who, Who::Nobody) { 0 } else { identity << 8 | u64::from(*flags) };
            put(small.slots.0 + 16 * n, &mark.to_le_bytes());
            somebody |= mark != 0 && mark & 2 == 0 && identity != DEAD;
            dead_was_in |= mark != 0 && mark >> 8 == DEAD;
        }
        for (n, ticket) in self.tickets.iter().take(small.tickets.1 / 32).enumerate() {
            let time: u64 = if ticket.young { u64::MAX } else { 0 };
            put(small.tickets.0 + 32 * n, &ticket.word.to_le_bytes());
            put(small.tickets.0 + 32 * n + 16, &time.to_le_bytes());
            let in_flight = matches!(ticket.word & 7, 2 | 3);
            somebody |= in_flight && ticket.young && (n as u32) < self.backed;
        }
        for (word, value) in &self.noise {
            put(264 + usize::from(*word) * 8 % (small.size - 272), &value.to_le_bytes());
        }
        segment.1.set_len(self.size.map_or(small.size as u64, u64::from)).expect("there is room");

        let alive = Placed::new(format!("commonage-id-{ALIVE:016x}"));
        alive.1.lock().expect("nobody has it");
        let mut dead = Placed::new(format!("commonage-id-{DEAD:016x}"));
        dead.1.write_all(format!("/commonage-{ID:016x}\n").as_bytes()).expect("there is room");
        dead.1.write_all(&self.listed).expect("there is room");

        sweep();
        let whole = self.header.is_empty() && self.noise.is_empty() && self.size.is_none();
        if whole {
            assert_eq!(segment.0.exists(), somebody);
            // Those who are left list what they are in.
            assert_eq!(dead.0.exists(), somebody && dead_was_in);
        }
        assert!(alive.0.exists());
    }
}
