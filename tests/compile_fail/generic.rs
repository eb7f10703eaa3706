//! A struct with a type parameter.

commonage::shareable! {
    struct Pair<T> {
        first: T,
        second: T,
    }
}

fn main() {}
