//! A field that is a struct which is not shareable itself.

struct Name(&'static str);

commonage::shareable! {
    struct Person {
        name: Name,
        age: u32,
    }
}

fn main() {}
