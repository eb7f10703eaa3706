//! Structs with plain data are not synchronized.

use std::sync::atomic::AtomicU64;

commonage::shareable! {
    struct Mixed {
        count: AtomicU64,
        plain: u64,
    }
}

fn use_at_once<T: commonage::Synchronized>() {}

fn main() {
    use_at_once::<Mixed>();
    use_at_once::<[u8; 4]>();
}
