//! A field that is a vector, of a tuple.

commonage::shareable! {
    struct Scores(u32, Vec<u32>);
}

fn main() {}
