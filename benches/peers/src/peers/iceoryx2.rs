//! `iceoryx2`: a publisher lends memory of its own, which is written and sent to a subscriber.

use std::{fs, process};

use iceoryx2::{
    port::{publisher::Publisher, subscriber::Subscriber},
    prelude::{AllocationStrategy, Config, FileName, Node, NodeBuilder, Path, SemanticString, SignalHandlingMode, ipc},
    sample::Sample,
    sample_mut::SampleMut,
    service::port_factory::publish_subscribe::PortFactory,
};

use super::{Peer, Place};
use crate::Outcome;

/// One end of a service of its own. What is dropped first is declared first.
pub(crate) struct Iceoryx2 {
    publisher: Option<Publisher<ipc::Service, [u64], ()>>,
    subscriber: Option<Subscriber<ipc::Service, [u64], ()>>,
    _service: PortFactory<ipc::Service, [u64], ()>,
    _node: Node<ipc::Service>,
    _files: Option<Files>,
}

/// What the service leaves in files, removed by the maker when all else has gone: a directory, and in `/dev/shm` a segment
/// that counts nodes and outlives them.
struct Files {
    directory: String,
    prefix: String,
}

impl Drop for Files {
    fn drop(&mut self) {
        let mut outcome = fs::remove_dir_all(&self.directory);
        for entry in fs::read_dir("/dev/shm").into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&self.prefix) {
                outcome = outcome.and(fs::remove_file(entry.path()));
            }
        }
        if let Err(error) = outcome {
            eprintln!("peers: {}: {error}", self.directory);
        }
    }
}

impl Peer for Iceoryx2 {
    const NAME: &'static str = "iceoryx2";
    type Value = SampleMut<ipc::Service, [u64], ()>;
    /// The sample has its own way; this only says that there is one.
    type Message = ();
    type Kept = ();
    type Received = Sample<ipc::Service, [u64], ()>;

    fn new(place: Place) -> Outcome<Self> {
        let maker = match place {
            Place::Maker { .. } => process::id(),
            Place::Receiver { of } => of,
        };
        let (directory, prefix) = (format!("/tmp/peers-iceoryx2-{maker}"), format!("peers_{maker}_"));
        let mut config = Config::default();
        config.global.set_root_path(&Path::new(directory.as_bytes())?);
        config.global.prefix = FileName::new(prefix.as_bytes())?;
        let files = matches!(place, Place::Maker { .. }).then(|| Files { directory, prefix });
        let node = NodeBuilder::new()
            .config(&config)
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create::<ipc::Service>()?;
        let service = node
            .service_builder(&format!("peers/{maker}").as_str().try_into()?)
            .publish_subscribe::<[u64]>()
            .max_publishers(1)
            .max_subscribers(1)
            .history_size(0)
            .subscriber_max_buffer_size(1)
            .subscriber_max_borrowed_samples(1)
            .open_or_create()?;
        let (mut publisher, mut subscriber) = (None, None);
        match place {
            Place::Maker { largest } => {
                let builder = service.publisher_builder().initial_max_slice_len(largest / 8).max_loaned_samples(1);
                publisher = Some(builder.allocation_strategy(AllocationStrategy::Static).create()?);
            }
            Place::Receiver { .. } => subscriber = Some(service.subscriber_builder().create()?),
        }
        Ok(Iceoryx2 { publisher, subscriber, _service: service, _node: node, _files: files })
    }

    fn make(&self, source: &[u64]) -> Outcome<Self::Value> {
        let publisher = self.publisher.as_ref().ok_or("a receiver makes nothing")?;
        Ok(publisher.loan_slice_uninit(source.len())?.write_from_slice(source))
    }

    fn made(value: &Self::Value) -> &[u64] {
        value.payload()
    }

    fn message(&self, value: Self::Value) -> Outcome<((), ())> {
        if value.send()? == 0 {
            return Err("iceoryx2 has sent a sample to nobody".into());
        }
        Ok(((), ()))
    }

    fn open(&self, (): ()) -> Outcome<Self::Received> {
        let subscriber = self.subscriber.as_ref().ok_or("a maker receives nothing")?;
        Ok(subscriber.receive()?.ok_or("iceoryx2 has no sample")?)
    }

    fn received(value: &Self::Received) -> &[u64] {
        value.payload()
    }

    fn forward(&self, _: Self::Received) -> Outcome<()> {
        Err("a received sample of iceoryx2 can't be sent on".into())
    }
}
