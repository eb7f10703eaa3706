//! A field that is a reference.

commonage::shareable! {
    struct Named {
        number: u32,
        name: &'static str,
    }
}

fn main() {}
