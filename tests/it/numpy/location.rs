//! Python looks at values while this process holds them.

use commonage::{Location, LocationKind, NumPyElement, Shared, SharedSlice, SharedStr};
use serde_json::json;

use super::{ForEach, Made, NumPy, attach_directory, for_each_type, is_there, python};
use crate::support::{ChildCommand, on_both_backings};

impl NumPy {
    /// It sees, at this place, `view` of the array `a` of this shape.
    pub(super) fn sees<E: Made>(&mut self, location: &Location, shape: &[usize], view: &str) {
        self.does(json!({
            "do": "look", "location": location.to_string(), "dtype": E::DTYPE, "shape": shape, "view": view,
        }));
    }
}

fn slice<E: Made>(len: usize) -> SharedSlice<E> {
    Shared::from_fn(len, E::made).unwrap()
}

struct Slices(NumPy);

impl ForEach for Slices {
    fn with<E: Made>(&mut self) {
        let all = slice::<E>(100);
        self.0.sees::<E>(&all.location().unwrap(), &[100], "a");
        self.0.sees::<E>(&all.slice(17..59).location().unwrap(), &[100], "a[17:59]");
        self.0.sees::<E>(&all.slice(5..5).location().unwrap(), &[100], "a[5:5]");
        self.0.sees::<E>(&slice::<E>(0).location().unwrap(), &[0], "a");
        // Of more than a page, which is its own, and not at its beginning.
        let large = slice::<E>(100_000);
        self.0.sees::<E>(&large.location().unwrap(), &[100_000], "a");
        self.0.sees::<E>(&large.slice(77_777..).location().unwrap(), &[100_000], "a[77777:]");
    }
}

#[test]
fn numpy_sees_slices_of_each_type_and_parts_of_them() {
    on_both_backings("numpy::location::numpy_sees_slices_of_each_type_and_parts_of_them", || {
        let Some(numpy) = NumPy::start() else { return };
        let mut slices = Slices(numpy);
        for_each_type(&mut slices);
        slices.0.end();
    });
}

#[test]
fn numpy_sees_a_string_as_its_bytes() {
    let Some(mut numpy) = NumPy::start() else { return };
    for text in ["", "good morning", "za\u{17c}\u{f3}\u{142}\u{107} \u{1f980}"] {
        let shared = SharedStr::copy_from(text).unwrap();
        numpy.does(json!({"do": "text", "location": shared.location().unwrap().to_string(), "expected": text}));
    }
    numpy.end();
}

#[test]
fn numpy_sees_what_another_process_has_sent() {
    const TEST: &str = "numpy::location::numpy_sees_what_another_process_has_sent";
    if crate::support::role().is_some() {
        println!("token: {}", slice::<i32>(1000).into_token().unwrap());
        std::io::stdin().read_line(&mut String::new()).unwrap();
        return;
    }
    let Some(mut numpy) = NumPy::start() else { return };
    let mut sender = crate::support::child(TEST, "sender").spawn();
    let mut from = std::io::BufReader::new(sender.child().stdout.take().unwrap());
    let received = SharedSlice::<i32>::from_token(&crate::support::said(&mut from, "token: ")).unwrap();
    numpy.sees::<i32>(&received.location().unwrap(), &[1000], "a");
    // The receiver is enough.
    sender.success();
    numpy.sees::<i32>(&received.location().unwrap(), &[1000], "a");
    numpy.end();
}

#[test]
fn the_script_prints_shape_type_and_sum() {
    let shared = slice::<i16>(10);
    let location = shared.location().unwrap().to_string();
    if !is_there() {
        return;
    }
    let mut command = python();
    command.args([&format!("{}/attach.py", attach_directory()), &location]);
    let output = ChildCommand::program(command, "attach.py").run_to_success();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "(10,) int16 65");
}

#[test]
fn a_location_is_one_line_of_json_and_the_same_through_serde() {
    let location = slice::<u16>(3).location().unwrap();
    assert_eq!((&location.shape[..], &location.strides[..], location.length), (&[3][..], &[2][..], 6));
    assert_eq!(location.dtype, u16::DTYPE);
    let text = location.to_string();
    assert!(!text.contains('\n'), "{text}");
    assert_eq!(serde_json::from_str::<Location>(&text).unwrap(), location);
    assert_eq!(serde_json::to_string(&location).unwrap(), text);
    let mut odd = location;
    odd.name = "a \"quoted\"\\ \u{1f980}\n\t\u{1} name".into();
    odd.kind = LocationKind::Shm;
    odd.strides = vec![-2, 1];
    assert_eq!(serde_json::from_str::<Location>(&odd.to_string()).unwrap(), odd);
    assert!(!odd.to_string().contains('\n'));
}

/// What any program does with a location: the bytes, as its mapping shows them.
fn mapped(location: &Location) -> Vec<u8> {
    const GRANULARITY: u64 = 64 << 10;
    let file = std::fs::File::open(&location.name).unwrap();
    let before = location.offset % GRANULARITY;
    let (offset, len) = (location.offset - before, (before + location.length) as usize);
    // SAFETY: this process has a handle on the value, so that nobody writes it.
    let map = unsafe { memmap2::MmapOptions::new().offset(offset).len(len).map(&file) }.unwrap();
    map[before as usize..].to_vec()
}

#[test]
fn any_program_can_map_what_a_location_says() {
    on_both_backings("numpy::location::any_program_can_map_what_a_location_says", || {
        let text = SharedStr::copy_from("somewhere").unwrap();
        let location = text.location().unwrap();
        if location.kind != LocationKind::Path {
            return;
        }
        assert_eq!(mapped(&location), b"somewhere");
        assert_eq!(mapped(&text.slice(4..).location().unwrap()), b"where");
        let numbers = slice::<u32>(50_000);
        let bytes: &[u8] = commonage::bytemuck::cast_slice(&numbers);
        assert_eq!(mapped(&numbers.location().unwrap()), bytes);
        assert_eq!(mapped(&numbers.slice(40_001..).location().unwrap()), &bytes[160_004..]);
    });
}
