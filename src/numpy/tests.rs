use proptest::{collection::vec, prelude::*};

use super::{Header, NumPyElement, header::MAX_TEXT};
use crate::FileFault;

/// The bytes that real NumPy writes: what comes before the text, the text, and where the data begin.
fn written(before: &[u8], text: &str, data_offset: usize) -> Vec<u8> {
    let mut bytes = [before, text.as_bytes()].concat();
    assert!(bytes.len() < data_offset);
    bytes.resize(data_offset - 1, b' ');
    bytes.push(b'\n');
    bytes
}

/// A file with this text, as short as it can be.
fn file(text: &[u8]) -> Vec<u8> {
    [b"\x93NUMPY\x01\0", &(text.len() as u16).to_le_bytes()[..], text].concat()
}

fn read(mut bytes: &[u8]) -> Result<Header, FileFault> {
    Header::read(&mut bytes)
}

fn npy(fault: FileFault) -> (&'static str, String, String) {
    match fault {
        FileFault::Npy { what, expected, found } => (what, expected, found),
        other => panic!("{other:?}"),
    }
}

/// What is wrong with this text.
fn wrong(text: &str) -> String {
    let (what, expected, found) = npy(read(&file(text.as_bytes())).expect_err(text));
    format!("{what}: {expected}: {found}")
}

fn right(text: &str) -> Header {
    read(&file(text.as_bytes())).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn is_read_as<A: NumPyElement>(before: &[u8], text: &str, data_offset: usize, shape: &[usize], fortran_order: bool) {
    let bytes = written(before, text, data_offset);
    let header = read(&bytes).unwrap();
    assert_eq!((header.dtype.as_str(), &header.shape[..]), (A::DTYPE, shape));
    assert_eq!((header.fortran_order, header.data_offset), (fortran_order, data_offset as u64));
    header.expect::<A>().unwrap();
    // And what is written here is what NumPy writes, but for its alignment.
    let ours = Header::of::<A>(shape, fortran_order).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[10..]).trim().replace(",), }", "), }");
    assert_eq!(read(&ours.format()).unwrap(), ours);
    if before[6] == 1 {
        assert_eq!(text(&ours.format()).replace(", ), }", "), }"), text(&bytes));
    }
}

#[test]
fn what_numpy_writes_of_each_type_is_read() {
    let v1 = b"\x93NUMPY\x01\x00v\x00";
    is_read_as::<bool>(v1, "{'descr': '|b1', 'fortran_order': False, 'shape': (), }", 128, &[], false);
    is_read_as::<i8>(v1, "{'descr': '|i1', 'fortran_order': False, 'shape': (3, 4), }", 128, &[3, 4], false);
    is_read_as::<i16>(v1, "{'descr': '<i2', 'fortran_order': False, 'shape': (3, 4), }", 128, &[3, 4], false);
    is_read_as::<i32>(v1, "{'descr': '<i4', 'fortran_order': False, 'shape': (3, 4), }", 128, &[3, 4], false);
    is_read_as::<i64>(v1, "{'descr': '<i8', 'fortran_order': True, 'shape': (3, 4), }", 128, &[3, 4], true);
    is_read_as::<u8>(v1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 4), }", 128, &[3, 4], false);
    is_read_as::<u16>(v1, "{'descr': '<u2', 'fortran_order': False, 'shape': (0,), }", 128, &[0], false);
    is_read_as::<u32>(v1, "{'descr': '<u4', 'fortran_order': False, 'shape': (2, 0, 3), }", 128, &[2, 0, 3], false);
    is_read_as::<u64>(v1, "{'descr': '<u8', 'fortran_order': False, 'shape': (3, 4), }", 128, &[3, 4], false);
    is_read_as::<f32>(v1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 128, &[3, 4], false);
    is_read_as::<f64>(v1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }", 128, &[3, 4], false);
    let v2 = b"\x93NUMPY\x02\x00t\x00\x00\x00";
    is_read_as::<f64>(v2, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", 128, &[3], false);
    let v3 = b"\x93NUMPY\x03\x00t\x00\x00\x00";
    is_read_as::<f64>(v3, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }", 128, &[2, 3], true);
    let ones = vec!["1"; 64].join(", ");
    let text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({ones}), }}");
    is_read_as::<u8>(b"\x93NUMPY\x01\x006\x01", &text, 320, &[1; 64], false);
}

#[cfg(feature = "half")]
#[test]
fn what_numpy_writes_of_halves_is_read() {
    let text = "{'descr': '<f2', 'fortran_order': False, 'shape': (3, 4), }";
    is_read_as::<half::f16>(b"\x93NUMPY\x01\x00v\x00", text, 128, &[3, 4], false);
}

#[cfg(feature = "complex")]
#[test]
fn what_numpy_writes_of_complex_numbers_is_read() {
    use num_complex::Complex;
    let v1 = b"\x93NUMPY\x01\x00v\x00";
    is_read_as::<Complex<f32>>(v1, "{'descr': '<c8', 'fortran_order': False, 'shape': (3, 4), }", 128, &[3, 4], false);
    is_read_as::<Complex<f64>>(v1, "{'descr': '<c16', 'fortran_order': False, 'shape': (3, 4), }", 128, &[3, 4], false);
}

#[test]
fn a_dictionary_is_read_as_others_write_it() {
    let expected = right("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4)}");
    let same = [
        r#"{"descr":"<f8","fortran_order":False,"shape":(3,4)}"#,
        r#"{"shape": (3, 4, ), 'fortran_order': False, "descr": '<f8', }"#,
        " { 'descr' : '<f8' ,\n\t'fortran_order':False, 'shape' : ( 3L , 4L ) , } \r\n\n",
    ];
    for text in same {
        let header = right(text);
        assert_eq!(header.data_offset, 10 + text.len() as u64);
        assert_eq!(Header { data_offset: expected.data_offset, ..header }, expected, "{text}");
    }
    for (shape, expected) in [("()", &[][..]), ("( )", &[]), ("(7,)", &[7]), ("(7L ,)", &[7]), ("(0,0)", &[0, 0])] {
        assert_eq!(right(&format!("{{'descr':'f','fortran_order':True,'shape':{shape}}}")).shape, expected);
    }
}

#[test]
fn what_is_no_such_dictionary_is_refused_and_named() {
    let all = |dtype: &str, order: &str, shape: &str| {
        wrong(&format!("{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}"))
    };
    let dtype = |dtype: &str| all(dtype, "False", "(3,)");
    assert_eq!(
        dtype("[('a', '<f4'), ('b', '<i2')]"),
        "the type of its elements: a number: a structure, `[('a', '<f4'), ('b', '<i…`"
    );
    let long = format!("'{}'", "f".repeat(65));
    for bad in ["''", "'a\"b'", "None", "'\\x3cf8'", "u'<f8'", "'<f8\0'", "'\u{fc}'", "('<f4', (2,))", &long] {
        assert!(dtype(bad).starts_with("its header: the name of a type: `"), "{bad}: {}", dtype(bad));
    }
    assert!(dtype("'<f8").starts_with("its header: "));
    for bad in ["false", "0", "1", "None", "'True'", ""] {
        assert!(all("'<f8'", bad, "(3,)").starts_with("its header: `True` or `False`: `"), "{bad}");
    }
    let shape = |shape: &str| all("'<f8'", "False", shape);
    for bad in ["3", "[3]", "None", "", "'('"] {
        assert!(shape(bad).starts_with("its header: a tuple of lengths: `"), "{bad}: {}", shape(bad));
    }
    for bad in ["(-1,)", "(+1,)", "(1.0e,", "(,)", "(03, 4)", "(1_0,)", "(0x10,)", "(3,,4)", "(18446744073709551616,)"]
    {
        assert!(shape(bad).starts_with("its header: "), "{bad}");
    }
    assert!(shape("(3)").starts_with("its header: a `,`: `), }`"), "{}", shape("(3)"));
    assert!(shape("(3LL,)").starts_with("its header: a `,`: `L,), }`"));
    assert!(shape("((3,),)").starts_with("its header: the length of an axis: `(3,),), }`"));
    assert!(shape(&format!("({})", "1,".repeat(65))).starts_with("its header: at most 64 lengths: `1,1,"));
    assert!(wrong("").starts_with("its header: a `{`: its end"));
    assert!(wrong("{").starts_with("its header: a key of the dictionary: its end"));
    assert!(wrong("{}").starts_with("its header: one with `descr`, `fortran_order` and `shape`: without `descr`"));
    assert!(wrong("{'descr': '<f8', 'fortran_order': False}").ends_with(": without `shape`"));
    assert!(wrong("{'descr': '<f8', 'shape': ()}").ends_with(": without `fortran_order`"));
    assert!(wrong("{'descr': '<f8', 'descr': '<f8'}").starts_with("its header: each key once: `'descr'"));
    assert!(wrong("{'descr': '<f8', 'more': 1}").starts_with("its header: `descr`, `fortran_order` or `shape`: `"));
    assert!(wrong("{'descr': '<f8' 'shape': ()}").starts_with("its header: a `,` or a `}`: `"));
    assert!(wrong("{'descr' '<f8'}").starts_with("its header: a `:`: `'<f8'}`"));
    assert!(wrong("{,}").starts_with("its header: a key of the dictionary: `,}`"));
    assert!(
        wrong("{'descr': '<f8', 'fortran_order': False, 'shape': ()} 1")
            .starts_with("its header: nothing behind the dictionary: `1`")
    );
    // Deep nesting is no way anywhere.
    assert!(wrong(&"{".repeat(60_000)).starts_with("its header: a key of the dictionary: `{{{{"));
    assert!(shape(&"(".repeat(60_000)).starts_with("its header: the length of an axis: `(((("));
}

#[test]
fn a_length_is_within_what_this_machine_can_count() {
    let text = |length: u128| format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({length}, 0), }}");
    assert_eq!(right(&text(usize::MAX as u128)).shape, [usize::MAX, 0]);
    assert!(wrong(&text(usize::MAX as u128 + 1)).starts_with("its header: the length of an axis: `"));
    let header = |shape: &[usize]| Header::of::<f64>(shape, false).unwrap().data_len(8);
    assert_eq!(header(&[]), Some(8));
    assert_eq!(header(&[3, 4]), Some(96));
    assert_eq!(header(&[3, 0, usize::MAX >> 8]), Some(0));
    assert_eq!(header(&[3, 0, usize::MAX >> 4]), None);
    assert_eq!(header(&[1 << 30, 1 << 30]), None);
    assert_eq!(header(&[usize::MAX, usize::MAX]), None);
}

#[test]
fn what_is_no_npy_file_is_refused_and_named() {
    let (what, expected, found) = npy(read(b"GIF89a and so on").unwrap_err());
    assert_eq!((what, expected.as_str(), found.as_str()), ("its beginning", "`\\x93NUMPY`", "`GIF89a a`"));
    assert_eq!(npy(read(b"\x93NUMPX").unwrap_err()).0, "its beginning");
    for version in [[0, 0], [1, 1], [4, 0], [255, 255]] {
        let (what, _, found) = npy(read(&[&b"\x93NUMPY"[..], &version, b"v\0{}"].concat()).unwrap_err());
        assert_eq!((what, found), ("its version", format!("{}.{}", version[0], version[1])));
    }
    let long = MAX_TEXT + 1;
    let (what, _, found) = npy(read(&[&b"\x93NUMPY\x02\0"[..], &long.to_le_bytes()].concat()).unwrap_err());
    assert_eq!((what, found), ("the length of its header", long.to_string()));
}

#[test]
fn a_header_that_is_cut_short_is_too_short_wherever_it_ends() {
    let whole = Header::of::<f64>(&[3, 4], false).unwrap().format();
    for len in 0..whole.len() {
        match read(&whole[..len]) {
            Err(FileFault::TooShort { expected, found }) => {
                assert_eq!(
                    (expected, found),
                    (
                        if len < 8 {
                            8
                        } else if len < 10 {
                            10
                        } else {
                            128
                        },
                        len as u64
                    )
                );
            }
            other => panic!("{len}: {other:?}"),
        }
    }
    assert!(read(&whole).is_ok());
}

#[test]
fn elements_of_another_type_are_refused_and_named() {
    let header = |dtype: &str| right(&format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ()}}"));
    let found = |dtype: &str| {
        let (what, expected, found) = npy(header(dtype).expect::<f64>().unwrap_err());
        assert_eq!((what, expected.as_str()), ("the type of its elements", "<f8"));
        found
    };
    assert_eq!(found(">f8"), ">f8, big-endian");
    for other in ["<f4", "<i8", "f8", "=f8", "|f8", "|O", "<M8[ns]", "<U8", "|V8", "<f88", "<", "f"] {
        assert_eq!(found(other), other);
    }
    for same in ["|u1", "<u1", ">u1", "=u1"] {
        header(same).expect::<u8>().unwrap();
        assert!(header(same).expect::<i8>().is_err() && header(same).expect::<bool>().is_err());
    }
}

#[test]
fn an_array_with_more_axes_than_numpy_knows_has_no_header() {
    assert_eq!(Header::of::<u8>(&[1; 64], true).unwrap().shape.len(), 64);
    assert_eq!(npy(Header::of::<u8>(&[1; 65], true).unwrap_err()).0, "the number of axes");
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(shape in vec(any::<usize>(), 0..=64), fortran_order: bool) {
        let header = Header::of::<i16>(&shape, fortran_order).unwrap();
        let bytes = header.format();
        prop_assert_eq!(header.data_offset, bytes.len() as u64);
        prop_assert_eq!(bytes.len() % 128, 0);
        prop_assert_eq!(bytes[bytes.len() - 1], b'\n');
        // Nothing of the data is read.
        let mut rest = &[&bytes[..], b"data"].concat()[..];
        prop_assert_eq!(Header::read(&mut rest).unwrap(), header);
        prop_assert_eq!(rest, b"data");
    }

    #[test]
    fn any_text_is_read_or_refused(text: Vec<u8>, of in vec(prop::sample::select(PIECES), 0..20)) {
        let _ = read(&text);
        let _ = read(&file(&text));
        if let Ok(header) = read(&file(of.concat().as_bytes())) {
            let again = read(&header.format()).unwrap();
            prop_assert_eq!((again.dtype, again.fortran_order, again.shape), (header.dtype, header.fortran_order, header.shape));
        }
    }
}

const PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    ",",
    ":",
    " ",
    "'descr'",
    "'shape'",
    "\"fortran_order\"",
    "True",
    "False",
    "'<f8'",
    "12",
    "L",
    "[",
];
