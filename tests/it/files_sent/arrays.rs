//! Arrays in files, sent.

use commonage::{SharedArray, SharedArrayMut};
use ndarray::{Array2, Axis, Ix2, ShapeBuilder, s};

use super::*;

fn table() -> Array2<f32> {
    Array2::from_shape_fn((40, 30), |(row, column)| (100 * row + column) as f32)
}

#[test]
fn a_part_of_an_array_in_a_file_is_seen_by_a_child_where_it_is() {
    const TEST: &str = "files_sent::arrays::a_part_of_an_array_in_a_file_is_seen_by_a_child_where_it_is";
    match role().as_deref() {
        None => {
            let place = Place::new();
            let fortran = Array2::from_shape_vec((40, 30).f(), table().t().iter().copied().collect()).unwrap();
            for (order, array) in [("C", table()), ("Fortran", fortran)] {
                file::write(&place.path, &array).unwrap();
                // SAFETY: nobody changes it.
                let value: SharedArray<f32, Ix2> = unsafe { file::open(&place.path) }.unwrap();
                assert_eq!(value.as_view(), table(), "{order}");
                let part = value.slice_axis(Axis(0), 10..20).slice_axis(Axis(1), 5..25);
                let token = part.into_token().unwrap();
                child(TEST, "reader").env("TOKEN", &token).env("PLACE", &place.path).run_to_success();
            }
        }
        Some(_) => {
            let part = SharedArray::<f32, Ix2>::from_token(&env::var("TOKEN").unwrap()).unwrap();
            assert_eq!(part.as_view(), table().slice(s![10..20, 5..25]));
            assert_eq!(part.path(), Some(Path::new(&env::var("PLACE").unwrap())));
        }
    }
}

#[test]
fn rows_of_an_array_in_a_file_are_written_by_threads_and_then_sent() {
    let place = Place::new();
    // SAFETY: nobody changes it but this crate.
    let whole: SharedArrayMut<f32, Ix2> = unsafe { file::create(&place.path, &(0.0, Ix2(40, 30))) }.unwrap();
    let mut parts = whole.split_into(4).unwrap();
    std::thread::scope(|scope| {
        for (number, part) in parts.iter_mut().enumerate() {
            scope.spawn(move || {
                let rows = 10 * number..10 * (number + 1);
                part.as_view_mut().assign(&table().slice(s![rows, ..]));
            });
        }
    });
    let last = parts.pop().unwrap().into_ticket().unwrap_err();
    assert!(matches!(last.reason, Error::File { fault: FileFault::NotSent { .. }, .. }), "{last}");
    parts.push(last.handle);
    let whole = SharedArrayMut::unsplit_all(parts).unwrap();
    let received = SharedArrayMut::<f32, Ix2>::from_token(&whole.into_token().unwrap()).unwrap();
    assert_eq!(received.as_view(), table());
    drop(received);
    assert_eq!(file::read::<ndarray::Array<f32, Ix2>>(&place.path).unwrap().as_view(), table());
}
