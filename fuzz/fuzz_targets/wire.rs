//! What comes off the wire: bytes in every way in, honest tokens with changed bytes, tokens with a right MAC and wrong
//! fields, and wills. An error, or the value that was sent; and nothing is left of either.
#![no_main]

mod claims;
mod sent;
mod subjects;

use std::{
    fs,
    path::{Path, PathBuf},
};

use arbitrary::Arbitrary;
use commonage::{
    ShmemBacked,
    fuzzing::{Key, Said, leave_will, put_together, taken_apart},
};
use libfuzzer_sys::fuzz_target;

use claims::{
    Claim, Few, Made, Metadata, Noise, Type, Way, assert_nothing_is_left, assert_within, claimed, fingerprint, install,
    with,
};
use sent::{claim_honestly, send};

/// A change of what a right token says.
#[derive(Arbitrary, Debug)]
enum Change {
    Exclusive,
    Named,
    Segment(u64),
    Sender(u32, u32),
    Owner(u32, u32),
    Block(i8),
    AnyBlock(u32),
    Ticket(i8),
    AnyTicket(u32),
    Serial(i8),
    AnySerial(u64),
    Epoch(i8),
    AnyEpoch(u64),
    Start(i16),
    AnyStart(usize),
    Len(i16),
    AnyLen(usize),
    /// That of another type.
    Fingerprint(Type),
    AnyFingerprint(u64),
    Metadata(Metadata),
    /// Block, ticket, serial and epoch of the other value.
    Other,
}

#[derive(Arbitrary, Debug)]
enum Input {
    Bytes {
        bytes: Few<u8, 300>,
        claim: Claim,
    },
    Changed {
        made: Made,
        noise: Noise,
        claim: Claim,
    },
    Forged {
        made: Made,
        other: Made,
        changes: Few<Change, 6>,
        claims: Few<Claim, 4>,
        /// A claimed handle is dropped before the next claim.
        drop_each: bool,
    },
    Will {
        said: Few<Change, 6>,
        exclusive: bool,
        data: Few<u8, 64>,
        flips: Few<(u16, u8), 6>,
        cut: Option<u8>,
        claims: Few<Claim, 4>,
    },
}

fuzz_target!(
    init: install(),
    |input: Input| {
        match input {
            Input::Bytes { bytes, claim } => drop(with!(claim.of, claimed(claim, &bytes))),
            Input::Changed { made, noise, claim } => changed(&made, &noise, claim),
            Input::Forged { made, other, changes, claims, drop_each } => forged(&made, &other, &changes, &claims, drop_each),
            Input::Will { said, exclusive, data, flips, cut, claims } => {
                will(&said, exclusive, &data, &flips, cut, &claims);
            }
        }
        assert_nothing_is_left();
    }
);

fn changed(made: &Made, noise: &Noise, claim: Claim) {
    let sent = send(made);
    let token = noise.on(sent.token.clone());
    let mut taken = claim.way == Way::Revoked && token == sent.token;
    if let Some(handle) = with!(claim.of, claimed(claim, &token)) {
        assert_eq!(token, sent.token, "a changed byte gives an error");
        assert_eq!((claim.of, claim.exclusive), (made.of, made.exclusive));
        sent.assert_whole(&*handle);
        taken = true;
    }
    claim_honestly(made, sent, taken);
}

fn apply(said: &mut Said, changes: &[Change], other: Option<&Said>) {
    for change in changes {
        match change {
            Change::Exclusive => said.exclusive ^= true,
            Change::Named => said.named ^= true,
            Change::Segment(bits) => said.segment ^= bits,
            Change::Sender(pid, fd) => said.sender = (*pid, *fd),
            Change::Owner(pid, fd) => said.owner = (*pid, *fd),
            Change::Block(by) => said.block = said.block.wrapping_add_signed((*by).into()),
            Change::AnyBlock(block) => said.block = *block,
            Change::Ticket(by) => said.ticket = said.ticket.wrapping_add_signed((*by).into()),
            Change::AnyTicket(ticket) => said.ticket = *ticket,
            Change::Serial(by) => said.serial = said.serial.wrapping_add_signed((*by).into()),
            Change::AnySerial(serial) => said.serial = *serial,
            Change::Epoch(by) => said.epoch = said.epoch.wrapping_add_signed((*by).into()),
            Change::AnyEpoch(epoch) => said.epoch = *epoch,
            Change::Start(by) => said.start = said.start.wrapping_add_signed((*by).into()),
            Change::AnyStart(start) => said.start = *start,
            Change::Len(by) => said.len = said.len.wrapping_add_signed((*by).into()),
            Change::AnyLen(len) => said.len = *len,
            Change::Fingerprint(of) => said.fingerprint = with!(*of, fingerprint()),
            Change::AnyFingerprint(fingerprint) => said.fingerprint = *fingerprint,
            Change::Metadata(metadata) => said.metadata = metadata.bytes(),
            Change::Other => {
                let Some(other) = other else { continue };
                (said.block, said.ticket, said.serial, said.epoch) =
                    (other.block, other.ticket, other.serial, other.epoch);
            }
        }
    }
}

fn forged(made: &Made, other: &Made, changes: &[Change], claims: &[Claim], drop_each: bool) {
    let (sent, beside) = (send(made), send(other));
    let (mut said, key) = taken_apart(&sent.token).expect("an honest token");
    let (said_beside, _) = taken_apart(&beside.token).expect("an honest token");
    assert_eq!(
        put_together(&said, &key, &sent.token).expect("it fits"),
        sent.token,
        "an honest token's twin is the same"
    );
    apply(&mut said, changes, Some(&said_beside));
    let token = put_together(&said, &key, &sent.token).expect("it fits");
    let (mut handles, mut taken) = (Vec::new(), false);
    for claim in claims.iter() {
        taken |= claim.way == Way::Revoked;
        if let Some(handle) = with!(claim.of, claimed(*claim, &token)) {
            let value = if said.block == said_beside.block { &beside } else { &sent };
            value.assert_part(&*handle, said.start, said.len);
            handles.push(handle);
            taken = true;
        }
        if drop_each {
            handles.clear();
        }
    }
    drop(handles);
    claim_honestly(made, sent, taken);
    claim_honestly(other, beside, taken);
}

/// A file that is there as long as this.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn will(changes: &[Change], exclusive: bool, data: &[u8], flips: &[(u16, u8)], cut: Option<u8>, claims: &[Claim]) {
    const KEY: Key = Key::new(*b"of a dead sender");
    /// Where the data begin.
    const DATA: usize = 128;
    /// No process has this number.
    const NOBODY: u32 = i32::MAX as u32;
    let made = Made { of: Type::Str, exclusive: false, kept: false, content: Few(Vec::new()) };
    let sent = send(&made);
    let any = sent.token.clone();
    claim_honestly(&made, sent, false);
    let left = Said {
        exclusive,
        named: false,
        segment: 0x5eed_5eed_5eed_5eed,
        sender: (NOBODY, 3),
        owner: (NOBODY, 4),
        block: 5,
        ticket: 6,
        serial: 7,
        epoch: 8,
        start: 0,
        len: data.len(),
        fingerprint: <[u8]>::fingerprint(),
        metadata: postcard::to_stdvec(&data.len()).expect("a number can be written"),
    };
    let name = format!("commonage-will-{:016x}-{:08x}-{:012x}", left.segment, left.ticket, left.epoch);
    let file = File(Path::new("/dev/shm").join(name));
    for claim in claims.iter() {
        leave_will(&left, &KEY, exclusive, data).expect("there is room");
        let mut bytes = fs::read(&file.0).expect("it is in view");
        if !flips.is_empty() || cut.is_some() {
            for (at, bits) in flips {
                let at = usize::from(*at) % bytes.len();
                bytes[at] ^= bits;
            }
            bytes.truncate(cut.map_or(usize::MAX, usize::from));
            fs::write(&file.0, &bytes).expect("there is room");
        }
        let mut said = left.clone();
        apply(&mut said, changes, None);
        let token = put_together(&said, &KEY, &any).expect("it fits");
        if let Some(handle) = with!(claim.of, claimed(*claim, &token)) {
            assert_within(&*handle, &bytes[DATA..][said.start..][..said.len]);
            assert!(!file.0.exists(), "it is claimed once");
        }
    }
}
