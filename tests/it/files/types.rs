//! Every type is in a file what it is in memory.

use commonage::{
    CheckError, Shared, SharedMut, ShmemBacked, ShmemChecked, ShmemView, ShmemViewMut, Value, backed::fingerprint_of,
    file,
};

use super::Place;

/// Writes it, by copy, by handle and as a draft, and looks at it by all ways that there are.
fn stays<T>(src: &T, arg: &T::NewArg, seen: impl Fn(<T as ShmemView<'_>>::View) -> String)
where
    T: ShmemChecked + ?Sized + for<'a> ShmemView<'a> + for<'a> ShmemViewMut<'a>,
{
    let place = Place::new();
    let path = place.path();
    let shared = Shared::copy_from(src).unwrap();
    let expected = seen(shared.as_view());
    let look = |how: &str| {
        assert_eq!(seen(file::read::<T>(&path).unwrap().as_view()), expected, "{how}, read");
        // SAFETY: nobody changes the file but through the crate, here and below.
        let mapped: Shared<T> = unsafe { file::open(&path) }.unwrap();
        assert_eq!(seen(mapped.as_view()), expected, "{how}, open");
        assert_eq!(seen(mapped.clone().as_view()), expected, "{how}, another handle");
        drop(mapped);
        // SAFETY: as above.
        let private: SharedMut<T> = unsafe { file::open_private(&path) }.unwrap();
        assert_eq!(seen(private.as_view()), expected, "{how}, open_private");
        drop(private);
        // SAFETY: as above.
        let mut written: SharedMut<T> = unsafe { file::open_mut(&path) }.unwrap();
        written.as_view_mut();
        assert_eq!(seen(written.as_view()), expected, "{how}, open_mut");
    };
    file::write(&path, src).unwrap();
    look("write");
    file::write_shared(&path, &shared).unwrap();
    look("write_shared");
    file::write_shared_mut(&path, &SharedMut::copy_from(src).unwrap()).unwrap();
    look("write_shared_mut");
    // SAFETY: as above.
    let created = unsafe { file::create_from(&path, src) }.unwrap();
    assert_eq!(seen(created.as_view()), expected, "create_from");
    drop(created);
    look("create_from");

    let expected = seen(Shared::<T>::new(arg).unwrap().as_view());
    let mut draft = file::draft::<T>(&path, arg).unwrap();
    assert_eq!(seen(draft.as_view()), expected, "draft");
    draft.as_view_mut();
    draft.publish().unwrap();
    assert_eq!(seen(file::read::<T>(&path).unwrap().as_view()), expected, "draft, read");
    // SAFETY: as above.
    let created: SharedMut<T> = unsafe { file::create(&path, arg) }.unwrap();
    assert_eq!(seen(created.freeze().unwrap().as_view()), expected, "create");
    assert_eq!(seen(file::anonymous::<T>(arg).unwrap().as_view()), expected, "anonymous");
    assert_eq!(place.names(), ["value"]);
}

#[test]
fn slices() {
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    stays(&bytes[..], &(7, 5000), |view: &[u8]| format!("{} {:?} {:?}", view.len(), &view[..9], view.last()));
    stays(&[1.5f64, -0.0, 1e300][..], &(2.5, 3), |view: &[f64]| format!("{view:?}"));
    stays(&[true, false][..], &(true, 9), |view: &[bool]| format!("{view:?}"));
    stays(&['ß', '水'][..], &('a', 2), |view: &[char]| format!("{view:?}"));
    stays(&[[1u16, 2, 3]; 1000][..], &([7; 3], 1), |view: &[[u16; 3]]| format!("{} {:?}", view.len(), view[0]));
}

#[test]
fn empty_ones() {
    stays(&[0u64; 0][..], &(1, 0), |view: &[u64]| format!("{view:?}"));
    stays("", "", str::to_owned);
    stays(&[(); 0].map(|()| [0u8; 0])[..], &([], 3), |view: &[[u8; 0]]| format!("{view:?}"));
}

#[test]
fn strings() {
    stays("Grüße, 水", "anders", str::to_owned);
    stays("lange ".repeat(50_000).as_str(), "kurz", |view: &str| format!("{} {}", view.len(), &view[..4]));
}

#[test]
fn plain_values() {
    stays(&Value(42u64), &41, |view: &u64| view.to_string());
    stays(&Value([0.5f32; 2000]), &[1.0; 2000], |view: &[f32; 2000]| format!("{} {}", view[0], view[1999]));
}

/// Samples of several channels, with their names.
struct Sound {
    samples: Vec<u8>,
    names: Vec<String>,
}

// SAFETY: the view is of bytes and of a copy of the names, whatever these are; the fingerprint is this type's alone.
unsafe impl ShmemBacked for Sound {
    type NewArg = usize;
    type MetaData = Vec<String>;

    fn required_memory_arg(samples: &usize) -> usize {
        *samples
    }
    fn required_memory_src(src: &Self) -> usize {
        src.samples.len()
    }
    fn new(data: &mut [u8], _: &usize) -> Vec<String> {
        // New files are zero, where that is needed.
        assert!(data.iter().all(|byte| *byte == 0));
        vec!["silence".to_owned()]
    }
    fn new_from_src(data: &mut [u8], src: &Self) -> Vec<String> {
        assert!(data.iter().all(|byte| *byte == 0));
        data.copy_from_slice(&src.samples);
        src.names.clone()
    }
    fn check(data: &[u8], names: &Vec<String>) -> Result<(), CheckError> {
        match data.len() % names.len().max(1) {
            0 => Ok(()),
            _ => Err(CheckError::metadata(format!("{} channels can't have {} bytes", names.len(), data.len()))),
        }
    }
    fn fingerprint() -> u64 {
        fingerprint_of("sound of the tests, version 1", 24, 8)
    }
}

// SAFETY: any bytes and names make a view.
unsafe impl ShmemChecked for Sound {}

impl<'a> ShmemView<'a> for Sound {
    type View = (&'a [u8], &'a [String]);
    fn view(data: &'a [u8], names: &'a Vec<String>) -> Self::View {
        (data, names)
    }
}

impl<'a> ShmemViewMut<'a> for Sound {
    type View = &'a mut [u8];
    fn view_mut(data: &'a mut [u8], _: &'a mut Vec<String>) -> Self::View {
        data
    }
}

#[test]
fn types_of_ones_own_with_metadata_of_any_length() {
    let seen = |(data, names): (&[u8], &[String])| format!("{} {:?} {}", data.len(), names.last(), names.len());
    // What has no room in the first page lies behind the data.
    for channels in [0, 1, 7, 500, 20_000] {
        let names = (0..channels).map(|channel| format!("channel {channel}")).collect();
        stays(&Sound { samples: vec![9; 140_000], names }, &300, seen);
    }
}

#[test]
fn metadata_of_more_than_a_mebibyte_are_refused_and_leave_nothing() {
    let place = Place::new();
    let sound = Sound { samples: vec![0; 4], names: vec!["n".repeat(2 << 20)] };
    let error = file::write(place.path(), &sound).unwrap_err().to_string();
    assert!(error.contains("2097157 bytes, of 1048576 at most"), "{error}");
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn what_the_types_check_finds_is_said() {
    let place = Place::new();
    let (path, sound) = (place.path(), Sound { samples: vec![0; 5], names: vec![String::new(); 2] });
    file::write(&path, &sound).unwrap();
    let error = file::read::<Sound>(&path).unwrap_err().to_string();
    assert!(error.contains("2 channels can't have 5 bytes"), "{error}");
    // SAFETY: nobody changes the file.
    let error = unsafe { file::open_mut::<Sound>(&path) }.unwrap_err().to_string();
    assert!(error.contains("2 channels can't have 5 bytes"), "{error}");
    // Who was refused has changed nothing: it is not being written.
    file::options::<Sound>().raw_as(vec![], 5).read(&path).unwrap();
    let error = file::read::<Sound>(&path).unwrap_err().to_string();
    assert!(error.contains("2 channels can't have 5 bytes"), "{error}");
}

#[cfg(feature = "ndarray")]
mod arrays {
    use commonage::file::{self, Draft};
    use ndarray::{Array0, Array1, Array2, Array3, ArrayD, ArrayView, Dimension, IxDyn, ShapeBuilder, s};

    use super::{super::Place, stays};

    fn seen<D: Dimension>(view: ArrayView<'_, f32, D>) -> String {
        format!("{:?} {:?} {view:?}", view.shape(), view.strides())
    }

    #[test]
    fn arrays_of_c_and_fortran_order_and_of_any_number_of_axes() {
        let c = Array2::from_shape_fn((3, 4), |(y, x)| (10 * y + x) as f32);
        stays(&c, &(1.5, ndarray::Ix2(2, 2)), seen);
        let fortran = Array2::from_shape_fn((3, 4).f(), |(y, x)| (10 * y + x) as f32);
        stays(&fortran, &(0.0, ndarray::Ix2(1, 5)), seen);
        stays(&Array0::from_elem((), 7.0), &(3.0, ndarray::Ix0()), seen);
        stays(&Array1::from_elem(100_000, 7.0), &(3.0, ndarray::Ix1(7)), |view| {
            format!("{:?} {}", view.shape(), view[6])
        });
        stays(&Array3::from_elem((2, 0, 3), 7.0), &(3.0, ndarray::Ix3(1, 1, 0)), seen);
        stays(&ArrayD::from_elem(IxDyn(&[2, 1, 2, 2]), 7.0), &(3.0, IxDyn(&[3])), seen);
    }

    #[test]
    fn views_and_functions_of_indices() {
        let place = Place::new();
        let (path, image) = (place.path(), Array2::from_shape_fn((50, 60), |(y, x)| 100 * y + x));
        for view in [image.view(), image.t(), image.slice(s![3..40, ..;-2]), image.slice(s![..0, ..])] {
            Draft::<Array2<usize>>::copy_from_view(&path, &view).unwrap().publish().unwrap();
            assert_eq!(file::read::<Array2<usize>>(&path).unwrap().as_view(), view);
        }
        Draft::<Array2<usize>>::from_shape_fn(&path, (50, 60), |(y, x)| 100 * y + x).unwrap().publish().unwrap();
        assert_eq!(file::read::<Array2<usize>>(&path).unwrap().as_view(), image);
        let mut zeroes = Draft::<Array2<usize>>::zeroed(&path, (500, 300)).unwrap();
        assert!(zeroes.as_view().iter().all(|zero| *zero == 0));
        zeroes.as_view_mut()[[499, 299]] = 7;
        zeroes.publish().unwrap();
        assert_eq!(file::read::<Array2<usize>>(&path).unwrap().as_view().sum(), 7);
    }
}
