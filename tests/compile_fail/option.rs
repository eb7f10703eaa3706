//! A field that is an option.

commonage::shareable! {
    struct Sample {
        last: Option<u32>,
    }
}

fn main() {}
