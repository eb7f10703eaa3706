//! Structs that `shareable!` makes, in a program that forbids what the macro does for it.

#![forbid(unsafe_code)]
#![deny(dead_code, warnings, clippy::all, clippy::pedantic, clippy::undocumented_unsafe_blocks)]

use std::sync::atomic::{AtomicU32, AtomicU64};

use commonage::{self as renamed, Synchronized};

renamed::shareable! {
    /// Names that the macro could have used itself.
    #[derive(Debug)]
    pub(crate) struct Fields {
        pub(crate) observed: AtomicU64,
        value: Observed,
        f: AtomicU32,
        r#type: [u8; 3],
    }

    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Observed(u8, pub(crate) u32, Shareable);

    #[derive(Clone, Copy, PartialEq, Debug)]
    struct Shareable { from_ptr: bool }
}

fn seen(fields: &renamed::Observed<Fields>) -> u64 {
    let fields = fields.fields();
    let _: &renamed::Observed<bool> = fields.value.fields().2.fields().from_ptr;
    fields.observed.load() + u64::from(fields.f.load()) + fields.r#type.len() as u64
}

#[test]
fn a_struct_is_made_where_unsafe_code_is_forbidden_and_its_names_are_its_own() {
    let value = Observed(0, 0, Shareable { from_ptr: false });
    let zero = Fields { observed: 0.into(), value, f: 0.into(), r#type: [0; 3] };
    assert_eq!(zero.value, value);
    let _: fn(&renamed::Observed<Fields>) -> u64 = seen;
}

#[test]
fn a_struct_is_made_inside_a_function() {
    fn use_at_once<T: Synchronized>() -> usize {
        size_of::<T>()
    }
    renamed::shareable! {
        struct Local {
            count: AtomicU64,
        }
    }
    assert_eq!(use_at_once::<Local>(), 8);
}
