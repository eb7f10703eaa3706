//! The process that plays.

use std::{
    io::{self, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    thread,
};

use commonage::ring::{RingError, Sender};

use super::{
    Failure,
    args::Options,
    clock::Clock,
    sound::{Sound, Sum},
};

/// Says what the sound is, gets the ring that fits, and plays.
pub(crate) fn play(options: &Options) -> Result<(), Failure> {
    let sound = match &options.file {
        Some(file) => Sound::read(file)?,
        None => Sound::tone(options.seconds.unwrap_or(3)),
    };
    // Standard input is the socket that the ring comes over.
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let frames = sound.samples.len() / sound.frame().max(1);
    writeln!(&stream, "{} {} {frames}", sound.channels, sound.rate)?;
    let mut sender = Sender::<f32>::receive_over(&stream)?;

    let (mut overruns, mut sum) = (0_u64, Sum::default());
    let mut clock = Clock::start();
    for (number, frame) in sound.samples.chunks_exact(sound.frame().max(1)).enumerate() {
        if number == frames / 2 {
            thread::sleep(options.stall);
        }
        match sender.write_chunk(frame.len()) {
            Ok(mut room) => {
                room.copy_from_slice(frame);
                room.commit_all();
                sum.add(frame.iter().copied());
            }
            Err(RingError::Full) => overruns += 1,
            Err(error) => return Err(error.into()),
        }
        clock.tick();
    }
    drop(sender);
    writeln!(&stream, "{overruns} {}", sum.to_number())?;
    Ok(())
}
