//! Arrays: made from owned ones and from views, taken apart, filled in place, sent: `cargo run --example ndarray`.

use std::error::Error;

use commonage::{Shared, SharedArray, SharedArrayMut};
use ndarray::{Array, Array2, Axis, Ix2, Ix3, s};

fn main() -> Result<(), Box<dyn Error>> {
    // From an owned array; the shape travels with it.
    let cube = Array::from_shape_fn((4, 3, 2), |(i, j, k)| (100 * i + 10 * j + k) as f32);
    let shared: SharedArray<f32, Ix3> = Shared::copy_from(&cube)?;
    assert_eq!(shared.as_view(), cube);
    println!("a cube of {:?} in {} bytes", shared.as_view().shape(), size_of_val(shared.as_view().as_slice().unwrap()));

    // From a view: every other row backwards, transposed, without an owned array in between.
    let rows: Array2<i32> = Array::from_shape_fn((6, 4), |(i, j)| (10 * i + j) as i32);
    let view = rows.slice(s![..;-2, ..]).reversed_axes();
    let shared: SharedArray<i32, Ix2> = view.into();
    assert_eq!(shared.as_view(), view);
    println!("from a view: {:?}, the first element {}", shared.as_view().shape(), shared.as_view()[[0, 0]]);

    // A handle on some of it, without a copy.
    let middle = shared.slice_axis(Axis(0), 1..3);
    assert_eq!(middle.as_view(), view.slice(s![1..3, ..]));
    assert_eq!(middle.as_view().as_ptr(), shared.as_view().row(1).as_ptr());
    println!("rows 1 and 2 of it: {:?}, {} handles on one block", middle.as_view().shape(), shared.counts().handles);

    // Made in shared memory and filled there, then frozen and sent: here to this process.
    let mut table: SharedArrayMut<f64, Ix2> = SharedArrayMut::new(&(0.0, Ix2(3, 3)))?;
    table.as_view_mut().diag_mut().fill(1.0);
    let table: SharedArray<f64, Ix2> = table.freeze()?;
    let received: SharedArray<f64, Ix2> = serde_json::from_str(&serde_json::to_string(&table)?)?;
    assert_eq!(received.as_view(), Array2::<f64>::eye(3));
    println!("received:\n{}", received.as_view());
    Ok(())
}
