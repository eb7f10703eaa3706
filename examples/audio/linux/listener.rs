//! The process that listens.

use std::{
    env,
    io::{BufRead, BufReader},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command},
};

use commonage::ring::{self, ReadChunk, RingError};

use super::{
    Failure,
    args::Options,
    clock::{Clock, FRAME},
    sound::{Sound, Sum},
};

/// Frames that the ring has room for, at least.
const ROOM: usize = 8;
/// Frames that are there before the first is heard: what the player may be late by.
const AHEAD: usize = 4;

/// Starts a player, listens to it, and says how that went.
pub(crate) fn listen(options: &Options) -> Result<(), Failure> {
    let (stream, theirs) = UnixStream::pair()?;
    let mut player = start(options, theirs.into())?;
    let heard = hear(stream, options);
    let ended = player.wait()?;
    heard?;
    if ended.success() { Ok(()) } else { Err("the player has failed".into()) }
}

fn start(options: &Options, stream: OwnedFd) -> Result<Child, Failure> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("--play").args(&options.file).stdin(stream);
    command.args(options.seconds.iter().flat_map(|seconds| ["--seconds".to_owned(), seconds.to_string()]));
    command.args(["--stall", &options.stall.as_millis().to_string()]);
    Ok(command.spawn()?)
}

fn hear(stream: UnixStream, options: &Options) -> Result<(), Failure> {
    let mut said = BufReader::new(&stream);
    let [channels, rate, frames] = numbers(&mut said)?;
    let mut sound = Sound { channels: usize::try_from(channels)?, rate: u32::try_from(rate)?, samples: Vec::new() };
    let frame = sound.frame();
    if frame == 0 {
        return Err(format!("{channels} channels of {rate} Hz have no frames of 10 ms").into());
    }
    let (sender, mut receiver) = ring::channel::<f32>(ROOM * frame)?;
    sender.send_over(&stream)?;
    sound.samples.reserve(usize::try_from(frames)? * frame);

    let (mut heard, mut underruns, mut sum, mut most) = (0_u64, 0_u64, Sum::default(), 0);
    // The only time that this process waits for the other; a sound can be shorter.
    match receiver.wait_slots(AHEAD * frame, None) {
        Ok(_) | Err(RingError::Closed) => {}
        Err(error) => return Err(error.into()),
    }
    let mut clock = Clock::start();
    loop {
        let waiting = receiver.slots().unwrap_or_default();
        let missed = match receiver.read_chunk(frame) {
            Ok(chunk) => {
                most = most.max(waiting);
                heard += 1;
                hear_frame(chunk, &mut sound.samples, &mut sum);
                false
            }
            Err(RingError::Empty) => true,
            Err(RingError::Closed) => break,
            Err(error) => return Err(error.into()),
        };
        if missed {
            // A player that was killed has closed nothing: the system knows.
            if receiver.is_closed() && receiver.slots().map_or(true, |slots| slots < frame) {
                break;
            }
            underruns += 1;
            sound.samples.resize(sound.samples.len() + frame, 0.0); // silence
        }
        clock.tick();
    }
    let [overruns, sent] = numbers(&mut said)?;

    println!("{rate} Hz, {channels} channels, through a ring of {} samples", receiver.capacity());
    println!("{frames} frames of {FRAME:?}: {heard} heard, {overruns} overruns, {underruns} underruns");
    println!("at most {} frames were waiting", most.div_ceil(frame));
    if let Some(file) = &options.out {
        sound.write(file)?;
    }
    if heard + overruns != frames {
        return Err(format!("{} frames are neither heard nor lost", frames.abs_diff(heard + overruns)).into());
    }
    if sum.to_number() != sent {
        return Err("what was heard is not what was sent".into());
    }
    Ok(())
}

fn hear_frame(frame: ReadChunk<'_, f32>, into: &mut Vec<f32>, sum: &mut Sum) {
    sum.add(frame.iter());
    into.extend(frame.iter());
    frame.commit_all();
}

/// A line of numbers.
fn numbers<const N: usize>(from: &mut impl BufRead) -> Result<[u64; N], Failure> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Err("the player has ended early".into());
    }
    let numbers: Vec<u64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    numbers.try_into().map_err(|_| format!("the player has said: {line}").into())
}
