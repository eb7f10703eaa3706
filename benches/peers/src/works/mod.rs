//! What is measured at each size: each work, who does it, what is touched, and what is to be reached.

mod events;
mod files;
mod handles;
mod in_place;
mod links;
mod locks;
mod make;
mod one_process;
mod read;
mod rings;
mod tokens;
mod two_processes;
mod whole;

use std::rc::Rc;

use crate::{
    peers::payload,
    report::{Row, Target, Work},
};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// In rising order.
const SIZES: [usize; 6] = [64, 4 * KIB, 64 * KIB, MIB, 16 * MIB, 256 * MIB];

/// Everything that is measured, in the order of the tables.
pub(crate) fn all() -> Vec<Work> {
    vec![
        make::warm(),
        make::cold(),
        in_place::build(),
        tokens::there_and_back(),
        one_process::send_and_receive(),
        two_processes::ping_pong(),
        two_processes::hand_over(),
        read::received(),
        handles::clone_and_drop(),
        handles::view(),
        links::open(),
        links::create(),
        files::open(),
        files::in_order(),
        files::here_and_there(),
        files::write_durably(),
        files::write(),
        whole::alone(),
        whole::beside_a_writer(),
        locks::alone(),
        locks::contended(),
        events::ping_pong(),
        rings::one_thread_through(),
        rings::two_processes_through(),
        rings::single_items(),
        rings::awake(),
        rings::asleep(),
    ]
}

/// A row for each size.
fn rows(targets: impl Fn(usize) -> Vec<Target>) -> Vec<Row> {
    SIZES.into_iter().map(|size| Row::new(size, targets(size))).collect()
}

fn source(row: &Row) -> Rc<[u64]> {
    payload(row.size).into()
}
