//! A field that is a pointer.

commonage::shareable! {
    struct Node {
        next: *const u8,
    }
}

fn main() {}
