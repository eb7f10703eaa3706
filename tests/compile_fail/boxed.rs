//! A field that is a box.

commonage::shareable! {
    struct List {
        number: u32,
        rest: Box<u32>,
    }
}

fn main() {}
