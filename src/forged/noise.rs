//! Noise in the control area where a peer attaches.

use super::*;

/// A segment of the smallest tables, laid out by hand as `pool/layout.rs` draws it.
const PARTICIPANTS: u64 = 4;
const BLOCKS: u64 = 64;
const TICKETS: u64 = 128;
const SLOTS_AT: usize = 4096;
const TICKETS_AT: usize = 2 * 4096;
const BLOCKS_AT: usize = 3 * 4096;
pub(super) const CONTROL: usize = GRANULE;
pub(super) const DATA: usize = GRANULE;
/// Values of each such segment.
const VALUES: usize = 4;

/// The constant part of a header, after that of a segment of the pool.
pub(super) fn header(id: SegmentId, secret: Secret) -> [u64; PREFIX / 8] {
    let part = pool::allocate(1, 1, false, 0, Kind::Shared).unwrap();
    let words = control_words(&part.hold().at.segment);
    let mut header: [u64; PREFIX / 8] = std::array::from_fn(|i| words[i].load(Ordering::Relaxed));
    header[2] = id.0;
    for (word, half) in header[3..5].iter_mut().zip(secret.chunks_exact(8)) {
        *word = u64::from_le_bytes(half.try_into().unwrap());
    }
    header[5] = CONTROL as u64;
    header[6] = DATA as u64;
    header[7] = header[7] >> 32 << 32 | PARTICIPANTS;
    header[8] = TICKETS << 32 | BLOCKS;
    header
}

/// All words of a control area. What is not backed must not be touched.
pub(super) fn control_words(segment: &Segment) -> &[AtomicU64] {
    let start = segment.control().cast::<AtomicU64>().as_ptr();
    // SAFETY: that many bytes are mapped and may be written until the segment is dropped; they are aligned to a page, and
    // everybody touches them through atomics only.
    unsafe { slice::from_raw_parts(start, segment.control_len() / 8) }
}

struct Crafted {
    segment: Segment,
    secret: Secret,
}

impl Crafted {
    fn new(backing: Backing) -> Self {
        let id = random_id();
        let segment = Segment::create(backing, id, CONTROL, DATA).unwrap();
        segment.reserve(0..CONTROL + DATA).unwrap();
        let crafted = Crafted { segment, secret: [9; 16] };
        crafted.segment.occupy(0).unwrap();
        let put = |at: usize, value: u64| control_words(&crafted.segment)[at / 8].store(value, Ordering::Relaxed);
        for (i, word) in header(id, crafted.secret).into_iter().enumerate() {
            put(8 * i, word);
        }
        put(256, TICKETS << 32 | 1);
        put(264, BLOCKS);
        put(384, VALUES as u64);
        let identity = match crafted.segment.identity().unwrap() {
            0 => u64::from(std::process::id()),
            identity => identity,
        };
        put(SLOTS_AT, identity << 8 | 1);
        for n in 0..VALUES {
            let exclusive = u64::from(Self::kind(n) == Kind::SharedMut);
            let ticket = TICKETS_AT + 32 * n;
            put(ticket, 1 << 16 | 3);
            put(ticket + 8, 5);
            put(ticket + 24, exclusive << 31 | n as u64);
            let block = BLOCKS_AT + 64 * n;
            put(block, exclusive << 63 | 1 << 12);
            put(block + 8, 5);
            put(block + 16, 128 * n as u64);
            put(block + 24, 16);
            put(block + 32, Self::fingerprint(n));
        }
        crafted
    }

    fn kind(n: usize) -> Kind {
        if n == 1 { Kind::SharedMut } else { Kind::Shared }
    }

    fn fingerprint(n: usize) -> u64 {
        if n == 2 { str::fingerprint() } else { <[u8]>::fingerprint() }
    }

    fn tokens(&self) -> Vec<String> {
        let token = |n: usize| {
            let fields = Fields {
                kind: Self::kind(n),
                locator: self.segment.locator(),
                issued: Issued { block: n as u32, ticket: n as u32, serial: 5, epoch: 1 },
                start: 0,
                len: 16,
                fingerprint: Self::fingerprint(n),
            };
            format!("{n}{}", forge(&fields, &16usize, &self.secret).text())
        };
        (0..VALUES).map(token).collect()
    }

    /// Overwrites, in one of several ways, what the seed says.
    fn spoil(&self, seed: u64) {
        let (words, mut random) = (control_words(&self.segment), Random::new(seed));
        let tables = TICKETS_AT / 8..CONTROL / 8;
        let after = PREFIX / 8..CONTROL / 8;
        match seed % 10 {
            0 => noise(&words[after], &mut random, 1),
            1 => odd(&words[after], &mut random, 2),
            2 => noise(&words[tables], &mut random, 1),
            3 => odd(&words[tables], &mut random, 1),
            4 => odd(&words[tables], &mut random, 3),
            // The tickets of the tokens stay, what they lead to does not.
            5 => odd(&words[BLOCKS_AT / 8..], &mut random, 1),
            6 => odd(&words[BLOCKS_AT / 8..][..8 * VALUES], &mut random, 3),
            // The words of the tickets keep their epoch.
            7 => {
                for n in 0..VALUES {
                    words[TICKETS_AT / 8 + 4 * n].store(1 << 16 | random.below(1 << 16), Ordering::Relaxed);
                }
                odd(&words[PREFIX / 8..TICKETS_AT / 8], &mut random, 20);
            }
            8 => noise(&words[..PREFIX / 8], &mut random, 1),
            _ => odd(&words[..9], &mut random, 8),
        }
    }
}

/// One in `every` words becomes any number.
fn noise(words: &[AtomicU64], random: &mut Random, every: u64) {
    for word in words {
        if random.below(every) == 0 {
            word.store(random.next(), Ordering::Relaxed);
        }
    }
}

/// One in `every` words becomes a number at an end of something.
fn odd(words: &[AtomicU64], random: &mut Random, every: u64) {
    for word in words {
        if random.below(every) == 0 {
            word.store(random.odd(), Ordering::Relaxed);
        }
    }
}

/// As a peer: claims what it can, in every way there is, and says what came of it.
fn claim_all() {
    without_wills().claim_deadline(Duration::from_millis(20)).install().unwrap();
    for token in env::var(TOKENS).unwrap().split(' ') {
        let (what, text) = token.split_at(1);
        println!("{token}");
        let result = match what {
            "1" => SharedSliceMut::<u8>::from_token(text).map(exclusive),
            "2" => SharedStr::from_token(text).map(|value| drop(black_box(value.to_uppercase()))),
            _ => SharedSlice::<u8>::from_token(text).map(shared),
        };
        println!("@{}", result.map_or_else(|error| format!("{error:?}"), |()| "ok".into()));
        // Once more, now that it is gone or was refused.
        let json = format!("\"{text}\"");
        if what == "1" {
            drop(serde_json::from_str::<SharedSliceMut<u8>>(&json).map(exclusive));
        } else {
            drop(serde_json::from_str::<SharedSlice<u8>>(&json).map(shared));
        }
        if let Ok(ticket) = Ticket::<[u8]>::from_token(text) {
            let _ = ticket.revoke();
        }
    }
}

fn shared(value: SharedSlice<u8>) {
    black_box(value.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)));
    let other = value.clone();
    black_box(value.counts());
    if let Ok(token) = other.into_token() {
        drop(SharedSlice::<u8>::from_token(&token));
    }
    if let Ok(value) = value.try_into_mut() {
        exclusive(value);
    }
}

fn exclusive(mut value: SharedSliceMut<u8>) {
    value.fill(7);
    black_box(value.counts());
    if let Ok(token) = value.into_token()
        && let Ok(value) = SharedSliceMut::<u8>::from_token(&token)
    {
        drop(value.freeze());
    }
}

/// Has a peer claim these tokens; what came of each.
fn claimed_by_a_peer(what: &str, test: &str, tokens: &[String]) -> Vec<String> {
    let out = run(what, child(&this_program(), test, "peer").env(TOKENS, tokens.join(" ")));
    let results: Vec<String> = out.lines().filter_map(|line| line.strip_prefix('@').map(str::to_owned)).collect();
    assert_eq!(results.len(), tokens.len(), "{what}: {out}");
    results
}

/// In segments full of noise a process can't give what it holds, so it would leave its identity file for whoever removes
/// the segments, as it must. Nobody does here.
fn forget_identity() {
    let segment = Segment::create(Backing::Named, SegmentId(sys::random_u64().unwrap()), GRANULE, GRANULE).unwrap();
    let number = segment.identity().unwrap();
    segment.remove_name();
    let _ = sys::remove_file(&sys::named_directory().join(format!("commonage-id-{number:016x}")));
}

#[test]
fn noise_before_a_peer_attaches_a_segment() {
    if role().is_some() {
        claim_all();
        return forget_identity();
    }
    for backing in backings() {
        noise_before_a_peer_attaches(backing);
    }
}

fn noise_before_a_peer_attaches(backing: Backing) {
    let test = "noise::noise_before_a_peer_attaches_a_segment";
    let mut seen = BTreeSet::new();
    for round in 0..8 {
        let crafted: Vec<Crafted> = (0..40).map(|_| Crafted::new(backing)).collect();
        let tokens: Vec<String> = crafted.iter().flat_map(Crafted::tokens).collect();
        // The first one is as it should be.
        for (n, crafted) in crafted.iter().enumerate().skip(1) {
            crafted.spoil(40 * round + n as u64);
        }
        let results = claimed_by_a_peer(&format!("{backing:?}, round {round}"), test, &tokens);
        for crafted in &crafted {
            crafted.segment.remove_name();
        }
        assert!(results[..VALUES].iter().all(|result| result == "ok"), "{backing:?}: {:?}", &results[..VALUES]);
        seen.extend(results.iter().map(|result| result.split([' ', '(']).next().unwrap().to_owned()));
    }
    for one in ["ok", "Corrupt", "Expired", "ParticipantsFull", "NotTheSegment", "Altered", "Range"] {
        assert!(seen.contains(one), "{backing:?}: no {one} among {seen:?}");
    }
}

#[test]
fn noise_in_a_segment_of_the_pool() {
    let test = "noise::noise_in_a_segment_of_the_pool";
    match role().as_deref() {
        Some("peer") => return claim_all(),
        None => return run_owner(test),
        Some(_) => without_wills().install().unwrap(),
    }
    let anchor = pool::allocate(1, 1, false, 0, Kind::Shared).unwrap();
    let segment = &anchor.hold().at.segment;
    segment.reserve(0..segment.control_len()).unwrap();
    let words = control_words(segment);
    let tokens = || {
        let shared = SharedSlice::<u8>::copy_from(&[1; 100][..]).unwrap().into_token().unwrap();
        let exclusive = SharedSliceMut::<u8>::copy_from(&[1; 5000][..]).unwrap().into_token().unwrap();
        let text = SharedStr::copy_from("text").unwrap().into_token().unwrap();
        [format!("0{shared}"), format!("1{exclusive}"), format!("2{text}")]
    };
    assert_eq!(claimed_by_a_peer("before", test, &tokens()), ["ok"; 3]);
    let before: Vec<u64> = words.iter().map(|word| word.load(Ordering::Relaxed)).collect();
    for seed in 0..12 {
        let (tokens, mut random) = (tokens(), Random::new(seed));
        match seed % 4 {
            0 => noise(&words[PREFIX / 8..], &mut random, 1),
            1 => noise(&words[..PREFIX / 8], &mut random, 1),
            2 => odd(&words[PREFIX / 8..], &mut random, 1),
            // Not the slots: all else.
            _ => odd(&words[SLOTS_AT / 8 + 2 * 1024..], &mut random, 2),
        }
        claimed_by_a_peer(&format!("seed {seed}"), test, &tokens);
        // The owner goes on, and ends, whatever stands there.
        if seed < 11 {
            for (word, before) in words.iter().zip(&before) {
                word.store(*before, Ordering::Relaxed);
            }
        }
    }
}
