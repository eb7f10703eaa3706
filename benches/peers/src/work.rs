//! What is measured: each work, who does it at which sizes, what is touched, and what is to be reached.

use std::{hint::black_box, rc::Rc};

use ipc_channel::ipc;

use crate::{
    Outcome,
    measure::{Cell, Run},
    peers::{BARE, Commonage, MEMCPY, Peer, Sharify},
    ping_pong::Partner,
    report::{Group, Row, Target, Work},
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Builds one work; `true` also takes the sizes that only the picture needs.
type Build = fn(bool) -> Outcome<Group>;

/// Everything that is measured, in the order of the table.
pub(crate) const ALL: [Build; 5] =
    [make_and_drop, serialize_and_deserialize, send_and_receive, ping_pong, clone_and_drop];

fn make_and_drop(between: bool) -> Outcome<Group> {
    let mut rows = vec![
        Row::new(64, [Target::Faster { than: Sharify::NAME, times: 70.0 }]),
        Row::new(
            MIB,
            [Target::Faster { than: Sharify::NAME, times: 25.0 }, Target::Within { of: MEMCPY, times: 1.25 }],
        ),
        Row::new(16 * MIB, [Target::Faster { than: Sharify::NAME, times: 15.0 }]),
    ];
    add_between(&mut rows, between, [4 * KIB, 64 * KIB]);
    let mut cells = Vec::new();
    for row in &rows {
        let source: Rc<[u64]> = payload(row.size).into();
        cells.push(make::<Commonage>(&source)?);
        cells.push(make::<Sharify>(&source)?);
        let mut touched = vec![1; source.len()];
        cells.push(Cell {
            contender: MEMCPY,
            size: Some(row.size),
            run: Box::new(move |times| {
                for _ in 0..times {
                    touched.copy_from_slice(black_box(&source));
                    black_box(&mut touched);
                }
                Ok(())
            }),
        });
    }
    let work = Work {
        name: "make + drop",
        touched: "all: read and written once",
        how: "a `Shared<[u64]>` from a slice, dropped at once; memcpy writes to private memory that was touched before",
        drawn: true,
    };
    Ok(Group { work, cells, rows })
}

fn make<P: Peer>(source: &Rc<[u64]>) -> Outcome<Cell> {
    checked::<P>(source)?;
    let source = Rc::clone(source);
    let size = size_of_val(&*source);
    let run: Run = Box::new(move |times| {
        for _ in 0..times {
            drop(black_box(P::make(black_box(&source))?));
        }
        Ok(())
    });
    Ok(Cell { contender: P::NAME, size: Some(size), run })
}

fn serialize_and_deserialize(between: bool) -> Outcome<Group> {
    let faster = Target::Faster { than: Sharify::NAME, times: 30.0 };
    let independent = Target::Independent { of: 64, times: 1.1 };
    let mut rows =
        vec![Row::new(64, [faster]), Row::new(MIB, [faster, independent]), Row::new(16 * MIB, [faster, independent])];
    add_between(&mut rows, between, [4 * KIB, 64 * KIB]);
    let mut cells = Vec::new();
    for row in &rows {
        let source = payload(row.size);
        cells.push(through_postcard::<Commonage>(&source)?);
        cells.push(through_postcard::<Sharify>(&source)?);
    }
    let work = Work {
        name: "serialize + deserialize + drop",
        touched: "nothing",
        how: "postcard into one buffer that is reused, and out of it, in one process; the original stays",
        drawn: false,
    };
    Ok(Group { work, cells, rows })
}

fn through_postcard<P: Peer>(source: &[u64]) -> Outcome<Cell> {
    let value = checked::<P>(source)?;
    let mut buffer = vec![0; 4 * KIB];
    let run: Run = Box::new(move |times| {
        for _ in 0..times {
            let bytes = postcard::to_slice(black_box(&value), &mut buffer)?;
            drop(black_box(postcard::from_bytes::<P::Value>(black_box(bytes))?));
        }
        Ok(())
    });
    Ok(Cell { contender: P::NAME, size: Some(size_of_val(source)), run })
}

fn send_and_receive(between: bool) -> Outcome<Group> {
    let rows = channel_rows(between);
    let mut cells = Vec::new();
    for row in &rows {
        let source = payload(row.size);
        cells.push(within_this_process::<Commonage>(&source)?);
        cells.push(within_this_process::<Sharify>(&source)?);
    }
    let run = through_a_channel(42_u64)?;
    cells.push(Cell { contender: BARE, size: None, run });
    let work = Work {
        name: "send + receive, one process",
        touched: "nothing",
        how: "over `ipc-channel`, in one thread; one value, made beforehand, goes round",
        drawn: true,
    };
    Ok(Group { work, cells, rows })
}

fn within_this_process<P: Peer>(source: &[u64]) -> Outcome<Cell> {
    let run = through_a_channel(checked::<P>(source)?)?;
    Ok(Cell { contender: P::NAME, size: Some(size_of_val(source)), run })
}

fn through_a_channel<T>(value: T) -> Outcome<Run>
where
    T: serde::Serialize + serde::de::DeserializeOwned + 'static,
{
    let (sender, receiver) = ipc::channel()?;
    let mut value = Some(value);
    Ok(Box::new(move |times| {
        for _ in 0..times {
            if let Some(value) = value.take() {
                sender.send(black_box(value))?;
            }
            value = Some(black_box(receiver.recv()?));
        }
        Ok(())
    }))
}

fn ping_pong(between: bool) -> Outcome<Group> {
    let rows = channel_rows(between);
    let commonage = Rc::new(Partner::start(Commonage::NAME)?);
    let sharify = Rc::new(Partner::start(Sharify::NAME)?);
    let mut cells = Vec::new();
    for row in &rows {
        let source = payload(row.size);
        cells.push(there_and_back::<Commonage>(&commonage, &source)?);
        cells.push(there_and_back::<Sharify>(&sharify, &source)?);
    }
    let run = to_partner(Rc::new(Partner::start(BARE)?), 42_u64);
    cells.push(Cell { contender: BARE, size: None, run });
    let work = Work {
        name: "send to another process and back",
        touched: "nothing",
        how: "over two `ipc-channel`s; one value, made beforehand, goes to and fro, received and sent on at both ends, both processes on one core",
        drawn: true,
    };
    Ok(Group { work, cells, rows })
}

fn there_and_back<P: Peer>(partner: &Rc<Partner<P::Value>>, source: &[u64]) -> Outcome<Cell> {
    let returned = partner.round_trip(checked::<P>(source)?)?;
    same_payload::<P>(&returned, source)?;
    let run = to_partner(Rc::clone(partner), returned);
    Ok(Cell { contender: P::NAME, size: Some(size_of_val(source)), run })
}

fn to_partner<T>(partner: Rc<Partner<T>>, value: T) -> Run
where
    T: serde::Serialize + serde::de::DeserializeOwned + 'static,
{
    let mut value = Some(value);
    Box::new(move |times| {
        for _ in 0..times {
            if let Some(there) = value.take() {
                value = Some(black_box(partner.round_trip(black_box(there))?));
            }
        }
        Ok(())
    })
}

fn clone_and_drop(_: bool) -> Outcome<Group> {
    let rows = vec![Row::new(MIB, [Target::AtMost { nanoseconds: 20.0 }])];
    let source = payload(MIB);
    let cells = vec![clone_it::<Commonage>(&source)?, clone_it::<Sharify>(&source)?];
    let work =
        Work { name: "clone + drop", touched: "nothing", how: "in one process; the original stays", drawn: false };
    Ok(Group { work, cells, rows })
}

fn clone_it<P: Peer>(source: &[u64]) -> Outcome<Cell> {
    let value = checked::<P>(source)?;
    let run: Run = Box::new(move |times| {
        for _ in 0..times {
            drop(black_box(black_box(&value).clone()));
        }
        Ok(())
    });
    Ok(Cell { contender: P::NAME, size: Some(size_of_val(source)), run })
}

fn channel_rows(between: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = [64, 64 * KIB, MIB, 16 * MIB]
        .into_iter()
        .map(|size| Row::new(size, [Target::Within { of: BARE, times: 1.3 }]))
        .collect();
    add_between(&mut rows, between, [4 * KIB]);
    rows
}

fn add_between<const N: usize>(rows: &mut Vec<Row>, between: bool, sizes: [usize; N]) {
    if between {
        rows.extend(sizes.map(|size| Row::new(size, [])));
        rows.sort_by_key(|row| row.size);
    }
}

/// A slice of `size` bytes of which no two parts are alike.
fn payload(size: usize) -> Vec<u64> {
    (0..size as u64 / 8).map(|index| index.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

/// A value of `source`, read back: whoever is fast because it does not do the work is found out here.
fn checked<P: Peer>(source: &[u64]) -> Outcome<P::Value> {
    let value = P::make(source)?;
    same_payload::<P>(&value, source)?;
    Ok(value)
}

fn same_payload<P: Peer>(value: &P::Value, source: &[u64]) -> Outcome {
    if P::read(value) == source {
        Ok(())
    } else {
        Err(format!("{} has not kept its {} bytes", P::NAME, size_of_val(source)).into())
    }
}
