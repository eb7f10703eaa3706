//! Using plain data behind a link as if nobody else did.

use commonage::{Link, link::ReadWrite, shareable};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

shareable! {
    struct Mixed {
        count: AtomicU64,
        plain: u64,
    }
}

fn look(seen: &Link<u64>, plain: &Link<u64, ReadWrite>, mixed: &Link<Mixed, ReadWrite>) {
    let _: u64 = **seen;
    let _: u64 = **plain;
    mixed.count.store(1, Relaxed);
}

fn main() {}
