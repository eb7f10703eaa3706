use super::{Peer, Place};
use crate::Outcome;

/// No shared memory at all: the payload goes through the channel.
pub(crate) struct Sent;

impl Peer for Sent {
    const NAME: &'static str = "Vec";
    type Value = Vec<u64>;
    type Message = Vec<u64>;
    type Kept = ();
    type Received = Vec<u64>;

    fn new(_: Place) -> Outcome<Self> {
        Ok(Sent)
    }

    fn make(&self, source: &[u64]) -> Outcome<Self::Value> {
        Ok(source.to_vec())
    }

    fn made(value: &Self::Value) -> &[u64] {
        value
    }

    fn message(&self, value: Self::Value) -> Outcome<(Self::Message, ())> {
        Ok((value, ()))
    }

    fn open(&self, message: Self::Message) -> Outcome<Self::Received> {
        Ok(message)
    }

    fn received(value: &Self::Received) -> &[u64] {
        value
    }

    fn forward(&self, value: Self::Received) -> Outcome<Self::Message> {
        Ok(value)
    }
}
