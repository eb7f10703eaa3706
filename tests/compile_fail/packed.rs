//! A struct whose fields are not aligned.

commonage::shareable! {
    #[repr(packed)]
    struct Record {
        kind: u8,
        number: u32,
    }
}

fn main() {}
