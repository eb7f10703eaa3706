//! Files of others, which say nothing of what is in them.

use std::{fs, path::Path};

use commonage::{Error, FileFault, Shared, Value, file};

use super::{Place, fault, text};

/// Bytes that say where they are.
fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 256) as u8).collect()
}

fn written(place: &Place, bytes: &[u8]) -> std::path::PathBuf {
    fs::write(place.path(), bytes).unwrap();
    place.path()
}

fn opened<T: commonage::ShmemBacked + ?Sized>(options: &file::Options<T>, path: &Path) -> Result<Shared<T>, Error> {
    // SAFETY: nobody changes the tests' files; any bytes are numbers, and text is checked.
    unsafe { options.open(path) }
}

#[test]
fn any_offset_and_length_that_fit_are_read_where_they_are() {
    let (place, bytes) = (Place::new(), bytes(10_000));
    let path = written(&place, &bytes);
    for offset in [0, 1, 2, 127, 128, 4095, 4096, 4097, 8191, 9999, 10_000] {
        for length in [None, Some(0), Some(1), Some(1000), Some(10_000 - offset)] {
            let mut options = file::options::<[u8]>().raw().offset(offset);
            if let Some(length) = length {
                options = options.length(length);
            }
            let end = offset + length.unwrap_or(10_000 - offset);
            for result in [opened(&options, &path), options.read(&path)] {
                match result {
                    Ok(found) => assert_eq!(*found, bytes[offset as usize..end as usize], "{offset}, {length:?}"),
                    Err(error) => {
                        let expected = format!("it is too short: {end} bytes expected, 10000 found");
                        assert!(
                            end > 10_000 && error.to_string().ends_with(&expected),
                            "{offset}, {length:?}: {error}"
                        );
                    }
                }
            }
        }
    }
    let beyond = file::options::<[u8]>().raw().offset(10_001);
    assert!(matches!(fault(&path, opened(&beyond, &path)), FileFault::TooShort { expected: 10_001, found: 10_000 }));
    let far = file::options::<[u8]>().raw().offset(u64::MAX).length(2);
    assert!(opened(&far, &path).is_err() && far.read(&path).is_err());
}

#[test]
fn elements_lie_at_multiples_of_their_alignment_and_are_whole() {
    let (place, bytes) = (Place::new(), bytes(4104));
    let path = written(&place, &bytes);
    for offset in (0..64).chain(4090..4104) {
        let options = file::options::<[u64]>().raw().offset(offset).length(8);
        let number = u64::from_ne_bytes(*bytes[offset as usize..].first_chunk().unwrap_or(&[0; 8]));
        match opened(&options, &path) {
            Ok(found) => assert_eq!((offset % 8, &*found), (0, &[number][..])),
            Err(_) if offset > 4096 && offset % 8 == 0 => panic!("{offset}"),
            Err(error) if offset % 8 != 0 => {
                let expected = format!("offset {offset} is no multiple of 8, the alignment of `[u64]`");
                assert!(error.to_string().ends_with(&expected), "{error}");
            }
            Err(error) => panic!("{offset}: {error}"),
        }
        // A copy lies where it should.
        match options.read(&path) {
            Ok(found) => assert_eq!(*found, [number]),
            Err(error) => assert!(offset > 4096, "{offset}: {error}"),
        }
    }
    let whole = file::options::<[u64]>().raw();
    assert_eq!(opened(&whole, &path).unwrap().len(), 513);
    for cut in 1..8 {
        let path = written(&place, &bytes[..4104 - cut]);
        let expected = format!("{} bytes are not whole elements of 8 bytes", 4104 - cut);
        assert_eq!(text(&path, opened(&whole, &path)), expected);
        assert_eq!(text(&path, whole.read(&path)), expected);
    }
    let nothing = file::options::<[[u8; 0]]>().raw();
    assert!(matches!(fault(&path, opened(&nothing, &path)), FileFault::NotWholeElements { element: 0, .. }));
}

#[test]
fn what_is_made_holds_the_bytes_and_nothing_else() {
    let place = Place::new();
    let path = place.path();
    let options = file::options::<[u16]>().raw();
    options.write(&path, &[0x0101, 0x0202]).unwrap();
    assert_eq!(fs::read(&path).unwrap(), [1, 1, 2, 2]);
    options.draft_from_fn(&path, 3, |index| index as u16 * 0x0101).unwrap().publish().unwrap();
    assert_eq!(fs::read(&path).unwrap(), [0, 0, 1, 1, 2, 2]);
    // SAFETY: nobody changes the file but through the crate, here and below.
    let mut created = unsafe { options.create(&path, &(0x0303, 5000)) }.unwrap();
    created[4999] = 0x0404;
    drop(created);
    assert_eq!(fs::read(&path).unwrap()[9996..], [3, 3, 4, 4]);
    // SAFETY: as above.
    let mut changed = unsafe { file::options::<[u16]>().raw().offset(4).length(4).open_mut(&path) }.unwrap();
    changed.fill(0x0707);
    changed.flush().unwrap();
    drop(changed);
    assert_eq!(fs::read(&path).unwrap()[2..10], [3, 3, 7, 7, 7, 7, 3, 3]);
    // SAFETY: as above.
    let mut private = unsafe { file::options::<[u16]>().raw().offset(9998).open_private(&path) }.unwrap();
    private.fill(0);
    assert_eq!(fs::read(&path).unwrap()[9996..], [3, 3, 4, 4]);
    drop(private);
    options.write(&path, &[]).unwrap();
    assert!(fs::read(&path).unwrap().is_empty());
    assert!(opened(&options, &path).unwrap().is_empty());
    assert!(options.read(&path).unwrap().is_empty());
}

#[test]
fn text_is_text() {
    let place = Place::new();
    let path = written(&place, "Grüße\n".as_bytes());
    let options = file::options::<str>().raw();
    assert_eq!(&*opened(&options, &path).unwrap(), "Grüße\n");
    assert_eq!(&*opened(&options.clone().offset(2).length(2), &path).unwrap(), "ü");
    let half = options.clone().offset(3);
    assert!(matches!(opened(&half, &path), Err(Error::Content { type_name: "str", .. })));
    assert!(matches!(half.read(&path), Err(Error::Content { type_name: "str", .. })));
    options.write(&path, "anders").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "anders");
}

#[test]
fn a_value_of_any_type_is_had_with_metadata_from_elsewhere() {
    let (place, bytes) = (Place::new(), bytes(1024));
    let path = written(&place, &bytes);
    let value = opened(&file::options::<Value<[u8; 4]>>().raw_as((), 4).offset(128), &path).unwrap();
    assert_eq!(*value.as_view(), bytes[128..132]);
    drop(value);
    let misaligned = file::options::<Value<[u8; 4]>>().raw_as((), 4).offset(64);
    assert!(matches!(
        fault(&path, opened(&misaligned, &path)),
        FileFault::Misaligned { offset: 64, alignment: 128, .. }
    ));
    let too_few = file::options::<Value<[u8; 4]>>().raw_as((), 3);
    assert!(matches!(opened(&too_few, &path), Err(Error::Metadata { .. })));
    // What moved: a file of another type's name, by its metadata and its place.
    file::write(&path, &[true, false, true][..]).unwrap();
    let moved = file::options::<[u8]>().raw_as(3, 3).offset(4096);
    assert_eq!(*moved.read(&path).unwrap(), [1, 0, 1]);
}

#[test]
fn readers_and_writers_of_a_file_without_a_header_keep_out_of_each_others_way() {
    let (place, bytes) = (Place::new(), bytes(100));
    let path = written(&place, &bytes);
    let options = file::options::<[u8]>().raw();
    let read = opened(&options, &path).unwrap();
    // SAFETY: nobody changes the file but through the crate, here and below.
    let write = || unsafe { options.open_mut(&path) };
    assert!(matches!(fault(&path, write()), FileFault::Locked { .. }));
    drop(read);
    let written = write().unwrap();
    assert_eq!(text(&path, opened(&options, &path)).split(": ").last(), Some("another process writes it"));
    drop(written);
    // Nothing says who has left it.
    let panicked = std::panic::catch_unwind(|| {
        let _written = write().unwrap();
        panic!("in the middle");
    });
    assert!(panicked.is_err());
    assert_eq!(*opened(&options, &path).unwrap(), bytes[..]);
}

#[test]
#[cfg(feature = "ndarray")]
fn an_array_of_a_foreign_file_has_its_shape_from_elsewhere() {
    use commonage::backed::ArrayLayout;
    use ndarray::{Array2, ShapeBuilder};

    let (place, shape) = (Place::new(), Array2::from_shape_fn((3, 4).f(), |(y, x)| (y * 10 + x) as u8));
    let mut content = vec![0; 256];
    content.extend(shape.as_slice_memory_order().unwrap());
    let path = written(&place, &content);
    let options = file::options::<Array2<u8>>().raw_as(ArrayLayout::of(&shape.view()), 12).offset(256);
    assert_eq!(opened(&options, &path).unwrap().as_view(), shape);
    let beyond = file::options::<Array2<u8>>().raw_as(ArrayLayout::of(&shape.view()), 11).offset(256);
    assert!(matches!(opened(&beyond, &path), Err(Error::Metadata { .. })));
}

#[test]
fn what_needs_more_than_a_page_is_not_made_where_it_would_not_be_aligned() {
    use commonage::bytemuck::{Pod, Zeroable};

    #[derive(Clone, Copy, Pod, Zeroable)]
    #[bytemuck(crate = "commonage::bytemuck")]
    #[repr(C, align(8192))]
    struct Big([u8; 8192]);

    let place = Place::new();
    let path = place.path();
    let big = Big([7; 8192]);
    let value = file::options::<Value<Big>>().raw_as((), 8192).draft(&path, &big);
    let slice = file::options::<[Big]>().raw().draft(&path, &(big, 1));
    let copied = file::options::<[Big]>().raw().write(&path, &[big]);
    for error in [value.map(drop).unwrap_err(), slice.map(drop).unwrap_err(), copied.unwrap_err()] {
        assert!(matches!(error, Error::Alignment { requested: 8192, limit: 4096 }), "{error}");
    }
    assert!(!path.exists());
}
