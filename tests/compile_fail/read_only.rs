//! Changing what is behind a read-only link.

use commonage::{
    Link,
    sync::{Event, Mutex, SeqLock},
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

fn disturb(count: &Link<AtomicU64>, total: &Link<Mutex<u64>>, place: &Link<SeqLock<u64>>, ready: &Link<Event>) {
    count.store(1, Relaxed);
    count.fetch_add(1, Relaxed);
    let _ = total.lock();
    let _ = total.try_lock();
    place.write(1);
    ready.set();
    let _: &AtomicU64 = count;
}

fn change(mut count: Link<u64>) {
    let _ = unsafe { count.get_mut() };
}

fn make() {
    let _ = Link::<u64>::create("made");
}

fn main() {}
