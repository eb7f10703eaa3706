use std::hint::black_box;

use serde::{Serialize, de::DeserializeOwned};

use super::{KIB, rows, source};
use crate::{
    Outcome,
    measure::Cell,
    peers::{ByHand, Commonage, MappedFile, Peer, Place, Sharify, checked, same_payload},
    report::{Target, Work},
};

pub(super) fn there_and_back() -> Work {
    Work {
        name: "serialize + deserialize + drop",
        touched: "nothing",
        how: "postcard into one buffer that is used again, and out of it, in one process, up to where the payload could be \
              read; the original stays. shared_memory and memmap2 send a name and open it. IpcSharedMemory, shmem-ipc and \
              iceoryx2 have no bytes that could be written down, and a `Vec` would be the payload itself",
        drawn: false,
        long: false,
        rows: rows(|_| vec![Target::AtMost { nanoseconds: 200.0 }]),
        cells: |row| {
            let source = source(row);
            Ok(vec![
                through_postcard::<Commonage>(&source)?,
                through_postcard::<Sharify>(&source)?,
                through_postcard::<ByHand>(&source)?,
                through_postcard::<MappedFile>(&source)?,
            ])
        },
    }
}

fn through_postcard<P: Peer>(source: &[u64]) -> Outcome<Cell>
where
    P::Message: Serialize + DeserializeOwned,
{
    let peer = P::new(Place::Maker { largest: size_of_val(source) })?;
    let (message, kept) = peer.message(checked(&peer, source)?)?;
    let mut buffer = vec![0; 4 * KIB];
    let bytes = postcard::to_slice(&message, &mut buffer)?;
    same_payload::<P>(P::received(&peer.open(postcard::from_bytes(bytes)?)?), source)?;
    Ok(Cell::warm(P::NAME, move |times| {
        let _original = &kept;
        for _ in 0..times {
            let bytes = postcard::to_slice(black_box(&message), &mut buffer)?;
            drop(black_box(peer.open(postcard::from_bytes(black_box(bytes))?)?));
        }
        Ok(())
    }))
}
