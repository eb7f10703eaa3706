use commonage::Shared;

use super::{COMMONAGE, Peer, Place};
use crate::Outcome;

pub(crate) struct Commonage;

impl Peer for Commonage {
    const NAME: &'static str = COMMONAGE;
    type Value = Shared<[u64]>;
    type Message = Shared<[u64]>;
    type Kept = ();
    type Received = Shared<[u64]>;

    fn new(_: Place) -> Outcome<Self> {
        Ok(Commonage)
    }

    fn make(&self, source: &[u64]) -> Outcome<Self::Value> {
        Ok(Shared::copy_from(source)?)
    }

    fn made(value: &Self::Value) -> &[u64] {
        value.as_view()
    }

    fn message(&self, value: Self::Value) -> Outcome<(Self::Message, ())> {
        Ok((value, ()))
    }

    fn open(&self, message: Self::Message) -> Outcome<Self::Received> {
        Ok(message)
    }

    fn received(value: &Self::Received) -> &[u64] {
        value.as_view()
    }

    fn forward(&self, value: Self::Received) -> Outcome<Self::Message> {
        Ok(value)
    }
}

impl Commonage {
    /// Built where it stays: memory that was not cleared is written by whoever asked for it, and nobody writes it afterwards.
    pub(crate) fn build(source: &[u64]) -> Outcome<Shared<[u64]>> {
        Ok(Shared::<[u64]>::build(source.len(), |elements| elements.copy_from_slice(source))?)
    }
}
