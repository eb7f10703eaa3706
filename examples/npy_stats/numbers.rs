//! Arrays of any type of numbers.

use std::path::Path;

use commonage::{
    SharedArray,
    file::{
        self,
        npy::{self, NumPyElement, Order},
    },
};
use ndarray::{Array, Axis, IxDyn};
use serde::{Deserialize, Serialize};

use crate::{
    Failure,
    element::Element,
    summary::{self, Summary},
};

macro_rules! numbers {
    ($($variant:ident $element:ty,)*) => {
        /// An array in a file, or some of its rows. What is sent of it is a token.
        #[derive(Serialize, Deserialize)]
        pub(crate) enum Numbers {
            $($variant(SharedArray<$element, IxDyn>),)*
        }

        impl Numbers {
            /// Maps a file with elements of this type.
            pub(crate) fn open(path: &Path, dtype: &str) -> Result<Self, Failure> {
                match dtype {
                    $(<$element>::DTYPE => {
                        // SAFETY: that nobody changes the file is for the user to see to, as the help says.
                        Ok(Numbers::$variant(unsafe { npy::open(path)? }))
                    })*
                    _ => Err(no_numbers(dtype)),
                }
            }

            /// Makes a file, with numbers that are made up.
            pub(crate) fn make(path: &Path, shape: &[usize], dtype: &str) -> Result<(), Failure> {
                $(if <$element>::DTYPE.ends_with(dtype) && dtype.len() > 1 {
                    return make::<$element>(path, shape);
                })*
                Err(no_numbers(dtype))
            }

            pub(crate) fn count(&self) -> u64 {
                match self {
                    $(Numbers::$variant(array) => array.as_view().len() as u64,)*
                }
            }

            /// Handles on at most so many parts, all about as large.
            pub(crate) fn split(&self, fortran_order: bool, most: usize) -> Vec<Self> {
                match self {
                    $(Numbers::$variant(array) => {
                        split(array, fortran_order, most).into_iter().map(Numbers::$variant).collect()
                    })*
                }
            }

            /// `progress` is told how many numbers were looked at since it was told the last time.
            pub(crate) fn summarize(&self, progress: impl FnMut(u64)) -> Result<Option<Summary>, Failure> {
                match self {
                    $(Numbers::$variant(array) => {
                        let view = array.as_view();
                        let numbers = view.as_slice_memory_order().ok_or("the numbers do not lie side by side")?;
                        Ok(summary::of(numbers, progress))
                    })*
                }
            }
        }
    };
}

numbers! {
    Bool bool,
    I8 i8, I16 i16, I32 i32, I64 i64,
    U8 u8, U16 u16, U32 u32, U64 u64,
    F32 f32, F64 f64,
}

fn no_numbers(dtype: &str) -> Failure {
    format!("numbers of the type {dtype} are not known here, but |b1, i and u of 1, 2, 4, 8 bytes, <f4, <f8").into()
}

/// Rows are what the outermost axis counts that has more than one: those of a part lie side by side.
fn split<A: Element>(array: &SharedArray<A, IxDyn>, fortran_order: bool, most: usize) -> Vec<SharedArray<A, IxDyn>> {
    let view = array.as_view();
    let mut axes: Vec<usize> = (0..view.ndim()).collect();
    if fortran_order {
        axes.reverse();
    }
    let Some((axis, rows)) = axes.into_iter().map(|axis| (axis, view.shape()[axis])).find(|(_, rows)| *rows > 1) else {
        return vec![array.clone()];
    };
    let parts = most.clamp(1, rows);
    let edge = |part: usize| (part as u128 * rows as u128 / parts as u128) as usize;
    (0..parts).map(|part| array.slice_axis(Axis(axis), edge(part)..edge(part + 1))).collect()
}

fn make<A: Element>(path: &Path, shape: &[usize]) -> Result<(), Failure> {
    let options = file::options::<Array<A, IxDyn>>().must_be_new();
    let mut draft = options.draft_npy(path, IxDyn(shape), Order::C)?;
    let mut state = 7_u64;
    for element in &mut draft.as_view_mut() {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        *element = A::made_up((state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0);
    }
    Ok(draft.publish()?)
}
