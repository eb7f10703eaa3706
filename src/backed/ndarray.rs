//! `ndarray::Array<A, D>`: its elements, and shape and strides as metadata.

// Bytes get their type here: shape, strides, length, alignment and content are checked by `check`, and the unsafe blocks
// cite it.
#![allow(unsafe_code)]

use std::{mem::MaybeUninit, ops::Range};

use bytemuck::{CheckedBitPattern, NoUninit};
use ndarray::{Array, ArrayRef, ArrayView, ArrayViewMut, Axis, Dimension, ShapeBuilder, StrideShape};

use super::{
    CheckError, ShmemBacked, ShmemChecked, ShmemView, ShmemViewMut,
    slice::{alignment_of, all_valid, any_bit_pattern, fits, room_for, start_of, start_of_mut, write_elements},
};
use crate::{Shared, SharedMut, fingerprint::fingerprint_of_family};

mod layout;

use layout::count;
pub use layout::{ArrayLayout, Order};

/// An immutable [`ndarray::Array`] in shared memory.
///
/// ```
/// use commonage::{Shared, SharedArray};
/// use ndarray::{Array, Ix2, array};
///
/// let image = array![[1, 2, 3], [4, 5, 6]];
/// let shared: SharedArray<i32, Ix2> = Shared::copy_from(&image)?;
/// assert_eq!(shared.as_view(), image);
/// assert_eq!(shared.as_view().row(1).sum(), 15);
/// # Ok::<(), commonage::Error>(())
/// ```
pub type SharedArray<A, D> = Shared<Array<A, D>>;

/// A writable [`ndarray::Array`] in shared memory.
///
/// ```
/// use commonage::SharedArrayMut;
/// use ndarray::{Ix2, s};
///
/// let mut image = SharedArrayMut::new(&(0.0f32, Ix2(480, 640)))?;
/// image.as_view_mut().slice_mut(s![10..20, ..]).fill(1.0);
/// assert_eq!(image.as_view().sum(), 6400.0);
/// # Ok::<(), commonage::Error>(())
/// ```
pub type SharedArrayMut<A, D> = SharedMut<Array<A, D>>;

fn bytes_of<A>(count: Option<usize>) -> usize {
    count.map_or(usize::MAX, |count| count.saturating_mul(size_of::<A>()))
}

/// The metadata of an array in C order with shape `dim`, as [`ShmemBacked::new`] makes it.
pub(crate) fn standard_metadata<D: Dimension>(dim: &D) -> ArrayLayout<D> {
    ArrayLayout::contiguous(dim.clone(), Order::C)
}

/// The number of bytes that a copy of `src` (an array or a view, in any order) needs.
pub(crate) fn required_memory_of<A: NoUninit, D: Dimension>(src: &ArrayRef<A, D>) -> usize {
    bytes_of::<A>(Some(src.len()))
}

/// The number of bytes that an array of shape `dim` needs.
pub(crate) fn required_memory_for<A: NoUninit, D: Dimension>(dim: &D) -> usize {
    bytes_of::<A>(count(dim.as_array_view()))
}

/// The room for an array that [`standard_metadata`] describes, at the beginning of `data`, to be written to as
/// [`room_for`] says.
///
/// Panics if `data` is too short or not aligned.
#[track_caller]
pub(crate) fn room_for_array<'a, A: NoUninit, D: Dimension>(
    data: &'a mut [u8],
    layout: &ArrayLayout<D>,
) -> ArrayViewMut<'a, MaybeUninit<A>, D> {
    let room = room_for(data, count(layout.shape()).unwrap_or(usize::MAX));
    match ArrayViewMut::from_shape(layout.dim().clone(), room) {
        Ok(view) => view,
        Err(error) => unreachable!("there is room for as many elements as the shape has: {error}"),
    }
}

/// Copies `src` to the beginning of `data`, which is aligned for `A`, and returns the metadata of the copy. Contiguous
/// arrays keep their order, C or Fortran; everything else is copied in logical order to C order.
///
/// Panics if `data` is too short or not aligned.
#[track_caller]
pub(crate) fn write_array<A: NoUninit, D: Dimension>(data: &mut [u8], src: &ArrayRef<A, D>) -> ArrayLayout<D> {
    if let Some((elements, layout)) = contiguous(src) {
        write_elements(data, elements);
        return layout;
    }
    let room: &mut [MaybeUninit<A>] = room_for(data, src.len());
    match ArrayViewMut::from_shape(src.raw_dim(), room) {
        Ok(to) => src.assign_to(to),
        Err(error) => unreachable!("there is room for as many elements as the shape has: {error}"),
    }
    ArrayLayout::contiguous(src.raw_dim(), Order::C)
}

/// What [`write_array`] copies byte by byte, and the metadata that it returns.
pub(crate) fn plain_array<A: NoUninit, D: Dimension>(src: &ArrayRef<A, D>) -> Option<(&[u8], ArrayLayout<D>)> {
    contiguous(src).map(|(elements, layout)| (bytemuck::cast_slice(elements), layout))
}

/// The elements in the order of a copy, C or Fortran, if they lie so, and the copy's metadata.
fn contiguous<A, D: Dimension>(src: &ArrayRef<A, D>) -> Option<(&[A], ArrayLayout<D>)> {
    let (elements, order) = match src.as_slice() {
        Some(elements) => (elements, Order::C),
        None => (src.t().to_slice()?, Order::Fortran),
    };
    Some((elements, ArrayLayout::contiguous(src.raw_dim(), order)))
}

/// Cuts the array with metadata `layout` down to the indices `range` along `axis`, as [`ArrayLayout::narrow`] says, but
/// in bytes.
pub(crate) fn narrow_axis<A, D: Dimension>(
    layout: &ArrayLayout<D>,
    axis: usize,
    range: Range<usize>,
) -> Option<(usize, usize, ArrayLayout<D>)> {
    let (start, span, part) = layout.narrow(axis, range)?;
    Some((start * size_of::<A>(), span * size_of::<A>(), part))
}

/// Shape and strides as ndarray wants them to make a view of what is not plain: strides without sign (ndarray inverts
/// axes afterwards, which moves its pointer to the other end), and the axes to invert.
///
/// A layout without elements gets ndarray's own strides for it, all 0: its pointer leads nowhere and must not be moved.
#[cold]
fn turned<D: Dimension>(layout: &ArrayLayout<D>) -> (StrideShape<D>, Vec<Axis>) {
    if layout.shape().contains(&0) {
        return (layout.dim().clone().into(), Vec::new());
    }
    let mut steps = D::zeros(layout.shape().len());
    let mut inverted = Vec::new();
    for (axis, &stride) in layout.strides().iter().enumerate() {
        steps[axis] = stride.unsigned_abs();
        if stride < 0 {
            inverted.push(Axis(axis));
        }
    }
    (layout.dim().clone().strides(steps), inverted)
}

/// The view of the elements in `data`, which may be of type `A` or of another with the same size and alignment.
///
/// # Safety
///
/// `data` must begin with `layout.span(size_of::<A>())` aligned, valid `A`s, and that must not be an error.
#[inline]
unsafe fn view_of<'a, A, D: Dimension>(data: &'a [u8], layout: &ArrayLayout<D>) -> ArrayView<'a, A, D> {
    if let Some(plain) = layout.plain() {
        // SAFETY: the caller says that the elements which the layout spans are within `data` and valid, from its
        // beginning, where all strides are counted from as none is negative; `data` is borrowed for as long as the view;
        // `span` has checked ndarray's conditions on the numbers.
        return unsafe { ArrayView::from_shape_ptr(plain, start_of(data)) };
    }
    let (dim, inverted) = turned(layout);
    // SAFETY: as above; the strides have no sign here. Without elements they are 0, and the pointer is aligned.
    let mut view = unsafe { ArrayView::from_shape_ptr(dim, start_of(data)) };
    inverted.into_iter().for_each(|axis| view.invert_axis(axis));
    view
}

// SAFETY: `new` and `new_from_src` write all elements of the layout that they return (or panic), which is what
// `required_memory_*` asked room for; `check` accepts only layouts that stay within the data, lead from each index to
// another element, and find aligned, valid elements there; `A: NoUninit` holds no addresses, and writing `A`s leaves
// valid `A`s. `Dimension` is sealed, so that its answers can be relied on.
unsafe impl<A, D> ShmemBacked for Array<A, D>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    /// The value of every element, and the shape.
    type NewArg = (A, D);
    /// Shape, and strides counted in elements. The data begin with the element that has the lowest address.
    type MetaData = ArrayLayout<D>;

    const ALIGNMENT: usize = alignment_of::<A>();
    const NEEDS_ZEROED: bool = false;

    fn required_memory_arg((_, dim): &Self::NewArg) -> usize {
        required_memory_for::<A, D>(dim)
    }

    fn required_memory_src(src: &Self) -> usize {
        required_memory_of(src)
    }

    /// An array in C order.
    ///
    /// # Panics
    ///
    /// If `data` is shorter than `required_memory_arg` says, or not aligned for `A`.
    fn new(data: &mut [u8], (value, dim): &Self::NewArg) -> Self::MetaData {
        // Elements without bytes are there already, however many.
        if size_of::<A>() != 0 {
            room_for(data, count(dim.as_array_view()).unwrap_or(usize::MAX)).fill(MaybeUninit::new(*value));
        }
        standard_metadata(dim)
    }

    /// A contiguous array keeps its order, C or Fortran; everything else (reversed, sliced, permuted axes) is copied in
    /// logical order to C order.
    ///
    /// # Panics
    ///
    /// If `data` is shorter than `required_memory_src` says, or not aligned for `A`.
    fn new_from_src(data: &mut [u8], src: &Self) -> Self::MetaData {
        write_array(data, src)
    }

    fn plain_bytes(src: &Self) -> Option<(&[u8], Self::MetaData)> {
        plain_array(src)
    }

    fn check(data: &[u8], layout: &Self::MetaData) -> Result<(), CheckError> {
        fits::<A>(data, layout.span(size_of::<A>())?)?;
        if any_bit_pattern::<A>() {
            return Ok(());
        }
        // One zero-sized element is as good as all, of which there may be any number.
        if size_of::<A>() == 0 {
            return <[A]>::check(data, &layout.shape().iter().copied().product::<usize>().min(1));
        }
        // SAFETY: `Bits` has the size and alignment of `A`, so `fits` says that as many as the layout spans are within
        // `data` and aligned; any bytes are `Bits`.
        let bits: ArrayView<'_, A::Bits, D> = unsafe { view_of(data, layout) };
        let valid = match bits.as_slice_memory_order() {
            Some(bits) => all_valid::<A>(bits),
            None => bits.iter().all(A::is_valid_bit_pattern),
        };
        if valid { Ok(()) } else { Err(CheckError::content("an element has an invalid bit pattern")) }
    }

    fn shares_metadata(layout: &Self::MetaData) -> bool {
        !layout.is_small()
    }

    fn fingerprint() -> u64 {
        fingerprint_of_family::<A>(b"ndarray ", D::NDIM.map_or(u64::MAX, |ndim| ndim as u64))
    }
}

// SAFETY: `check` accepts only layouts that stay within the data and lead from each index to another element, and finds
// aligned, valid elements there. `Dimension` is sealed, so that no other crate's answers are relied on.
unsafe impl<A, D> ShmemChecked for Array<A, D>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
}

impl<'a, A, D> ShmemView<'a> for Array<A, D>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    type View = ArrayView<'a, A, D>;

    /// # Panics
    ///
    /// If [`check`](ShmemBacked::check) refuses: shape and strides don't fit into `data` or lead twice to one element,
    /// `data` is not aligned, or holds an invalid bit pattern.
    fn view(data: &'a [u8], layout: &'a <Self as ShmemBacked>::MetaData) -> Self::View {
        if let Err(error) = Self::check(data, layout) {
            error.refuse::<Self>()
        }
        // SAFETY: `check` has accepted.
        unsafe { Self::view_unchecked(data, layout) }
    }

    #[inline]
    unsafe fn view_unchecked(data: &'a [u8], layout: &'a <Self as ShmemBacked>::MetaData) -> Self::View {
        // SAFETY: the caller says that `new` made these or `check` accepted them.
        unsafe { view_of(data, layout) }
    }
}

impl<'a, A, D> ShmemViewMut<'a> for Array<A, D>
where
    A: NoUninit + CheckedBitPattern,
    D: Dimension,
{
    type View = ArrayViewMut<'a, A, D>;

    /// # Panics
    ///
    /// If [`check`](ShmemBacked::check) refuses: shape and strides don't fit into `data` or lead twice to one element,
    /// `data` is not aligned, or holds an invalid bit pattern.
    fn view_mut(data: &'a mut [u8], layout: &'a mut <Self as ShmemBacked>::MetaData) -> Self::View {
        if let Err(error) = Self::check(data, layout) {
            error.refuse::<Self>()
        }
        // SAFETY: `check` has accepted.
        unsafe { Self::view_mut_unchecked(data, layout) }
    }

    #[inline]
    unsafe fn view_mut_unchecked(data: &'a mut [u8], layout: &'a mut <Self as ShmemBacked>::MetaData) -> Self::View {
        if let Some(plain) = layout.plain() {
            // SAFETY: as in `view_of`; `data` is borrowed exclusively, no two indices lead to one element, and
            // `A: NoUninit` can write no uninitialized byte into it.
            return unsafe { ArrayViewMut::from_shape_ptr(plain, start_of_mut(data)) };
        }
        let (dim, inverted) = turned(layout);
        // SAFETY: as above.
        let mut view = unsafe { ArrayViewMut::from_shape_ptr(dim, start_of_mut(data)) };
        inverted.into_iter().for_each(|axis| view.invert_axis(axis));
        view
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ndarray::{Array0, Array1, Array2, Array3, Ix0, Ix1, Ix2, Ix3, IxDyn, SliceInfoElem, array, s};
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::backed::tests::{Buffer, assert_travels, copy_of, made_from, panic_of};

    /// 0, 1, 2, ... in C order.
    fn counting<D: Dimension>(dim: D) -> Array<u32, D> {
        let mut array = Array::zeros(dim);
        array.iter_mut().zip(0..).for_each(|(element, n)| *element = n);
        array
    }

    /// A layout as it travels.
    type Raw = (Vec<usize>, Vec<isize>);

    fn raw<D: Dimension>(layout: &ArrayLayout<D>) -> Raw {
        (layout.shape().to_vec(), layout.strides().to_vec())
    }

    fn laid_out<D: Dimension>(shape: impl Into<Vec<usize>>, strides: impl Into<Vec<isize>>) -> ArrayLayout<D> {
        ArrayLayout::try_from((shape.into(), strides.into())).unwrap()
    }

    /// Copies `src`, compares all four views with it, and returns the strides of the copy.
    fn round_trip<D: Dimension>(src: &ArrayRef<u32, D>) -> Vec<isize> {
        let mut buffer = Buffer::dirty(required_memory_of(src));
        let mut layout = write_array(buffer.bytes_mut(), src);
        assert_eq!(layout.shape(), src.shape());
        assert_travels::<Array<u32, D>>(&layout);
        assert_eq!(Array::<u32, D>::check(buffer.bytes(), &layout), Ok(()));
        assert_eq!(Array::<u32, D>::view(buffer.bytes(), &layout), src);
        assert_eq!(Array::<u32, D>::view_mut(buffer.bytes_mut(), &mut layout), src);
        // SAFETY: made by `write_array`, as `new_from_src` makes it.
        let view = unsafe { Array::<u32, D>::view_unchecked(buffer.bytes(), &layout) };
        assert_eq!(view, src);
        assert_eq!(view.strides(), layout.strides());
        assert_eq!(layout, ArrayLayout::of(&view));
        // SAFETY: likewise.
        let mut view = unsafe { Array::<u32, D>::view_mut_unchecked(buffer.bytes_mut(), &mut layout) };
        view += 1;
        let mut elements: Vec<u32> = bytemuck::cast_slice(buffer.bytes()).to_vec();
        let mut expected: Vec<u32> = src.iter().map(|element| element + 1).collect();
        elements.sort_unstable();
        expected.sort_unstable();
        assert_eq!(elements, expected);
        layout.strides().to_vec()
    }

    #[test]
    fn contiguous_arrays_keep_their_order() {
        assert_eq!(round_trip(&counting(Ix3(2, 3, 4))), [12, 4, 1]);
        assert_eq!(round_trip(&counting(Ix3(2, 3, 4)).reversed_axes()), [1, 4, 12]);
        assert_eq!(round_trip(&counting(IxDyn(&[2, 3, 4]))), [12, 4, 1]);
        assert_eq!(round_trip(&counting(IxDyn(&[2, 3, 4])).reversed_axes()), [1, 4, 12]);
        assert_eq!(round_trip(&counting(Ix2(1, 5))), [5, 1]);
        assert_eq!(round_trip(&counting(Ix1(5))), [1]);
        let mut f = Array2::<u32>::zeros((3, 4).f());
        f.iter_mut().zip(0..).for_each(|(element, n)| *element = n);
        assert_eq!(round_trip(&f), [1, 3]);
    }

    #[test]
    fn everything_else_is_copied_to_c_order() {
        let array = counting(Ix3(4, 5, 6));
        let mut reversed = array.clone();
        reversed.invert_axis(Axis(1));
        assert_eq!(round_trip(&reversed), [30, 6, 1]);
        assert_eq!(round_trip(&array.slice(s![1..3, ..;2, 1..;3])), [6, 2, 1]);
        assert_eq!(round_trip(&array.slice(s![..;-1, ..;-2, ..;-1])), [18, 6, 1]);
        assert_eq!(round_trip(&array.view().permuted_axes([1, 0, 2])), [24, 6, 1]);
        assert_eq!(round_trip(&array.view().permuted_axes([2, 0, 1])), [20, 5, 1]);
        assert_eq!(round_trip(&array.slice(s![2, .., ..])), [6, 1]);
        assert_eq!(round_trip(&array.slice(s![.., 2, ..])), [6, 1]);
        assert_eq!(round_trip(&array.view().into_dyn().permuted_axes(vec![1, 0, 2])), [24, 6, 1]);
        assert_eq!(round_trip(&array![1, 2, 3].broadcast((2, 3)).unwrap()), [3, 1]);
        assert_eq!(round_trip(&array.diag()), [1]);
    }

    #[test]
    fn arrays_without_elements_or_axes() {
        assert_eq!(round_trip(&Array2::<u32>::zeros((0, 5))), [0, 0]);
        assert_eq!(round_trip(&Array3::<u32>::zeros((3, 0, 5)).reversed_axes()), [0, 0, 0]);
        assert_eq!(round_trip(&counting(IxDyn(&[3, 4])).slice(s![1..1, ..;-1])), [0, 0]);
        assert_eq!(round_trip(&counting(IxDyn(&[0]))), [0]);
        assert_eq!(round_trip(&counting(Ix0())), Vec::<isize>::new());
        assert_eq!(round_trip(&counting(IxDyn(&[]))), Vec::<isize>::new());
        assert_eq!(round_trip(&counting(IxDyn(&[1; 12]))), [1; 12]);

        let (buffer, layout) = made_from::<Array2<f64>>(&(1.0, Ix2(7, 0)));
        assert_eq!(raw(&layout), (vec![7, 0], vec![0, 0]));
        assert_eq!(Array2::<f64>::view(buffer.bytes(), &layout).dim(), (7, 0));
        let (buffer, layout) = made_from::<Array0<f64>>(&(1.5, Ix0()));
        assert_eq!(Array0::<f64>::view(buffer.bytes(), &layout).into_scalar(), &1.5);
        let (buffer, layout) = made_from::<Array2<()>>(&((), Ix2(3, 2)));
        assert_eq!(Array2::<()>::view(buffer.bytes(), &layout), Array2::from_elem((3, 2), ()));
    }

    #[test]
    fn made_from_a_value_and_a_shape() {
        let (buffer, layout) = made_from::<Array3<u16>>(&(7, Ix3(2, 3, 4)));
        assert_eq!(raw(&layout), (vec![2, 3, 4], vec![12, 4, 1]));
        assert_eq!(layout, standard_metadata(&Ix3(2, 3, 4)));
        assert_eq!(Array3::<u16>::view(buffer.bytes(), &layout), Array3::from_elem((2, 3, 4), 7));
        let (buffer, layout) = made_from::<Array<bool, IxDyn>>(&(true, IxDyn(&[3, 2])));
        assert!(Array::<bool, IxDyn>::view(buffer.bytes(), &layout).iter().all(|&element| element));
    }

    /// What sharify's `shared_mut_array_layout` does through `metadata_mut`.
    #[test]
    fn metadata_may_be_set_to_those_of_another_view() {
        let (mut buffer, mut layout) = made_from::<Array<f64, IxDyn>>(&(0.0, IxDyn(&[10, 20, 30])));
        let mut view = Array::<f64, IxDyn>::view_mut(buffer.bytes_mut(), &mut layout);
        assert!(view.is_standard_layout());
        view.swap_axes(0, 1);
        view.invert_axis(Axis(2));
        view[[1, 2, 3]] = 5.0;
        let layout = ArrayLayout::of(&view);
        assert_eq!(raw(&layout), (vec![20, 10, 30], vec![30, 600, -1]));
        let view = Array::<f64, IxDyn>::view(buffer.bytes(), &layout);
        assert_eq!((view.shape(), view.strides()), (layout.shape(), layout.strides()));
        assert_eq!(view[[1, 2, 3]], 5.0);
        assert_eq!(bytemuck::cast_slice::<u8, f64>(buffer.bytes())[2 * 600 + 30 + (29 - 3)], 5.0);
    }

    #[test]
    fn required_memory_saturates() {
        let required = |dim: &[usize]| Array::<u64, IxDyn>::required_memory_arg(&(0, IxDyn(dim)));
        assert_eq!(required(&[2, 3]), 48);
        assert_eq!(required(&[]), 8);
        assert_eq!(required(&[0, 1 << 40]), 0);
        assert_eq!(required(&[1 << 62]), usize::MAX);
        assert_eq!(required(&[usize::MAX, 2]), usize::MAX);
        assert_eq!(required(&[usize::MAX]), usize::MAX);
        assert_eq!(required(&[0, usize::MAX, 2]), usize::MAX);
        assert!(panic_of(|| Array::<u64, IxDyn>::new(&mut [], &(0, IxDyn(&[usize::MAX, 2])))).contains("do not fit"));
    }

    #[track_caller]
    fn refused<D: Dimension>(shape: &[usize], strides: &[isize], what: &str) {
        let buffer = Buffer::dirty(64);
        let layout: ArrayLayout<D> = laid_out(shape, strides);
        let error = Array::<u64, D>::check(buffer.bytes(), &layout).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert!(panic_of(|| Array::<u64, D>::view(buffer.bytes(), &layout)).contains(what));
        assert!(
            panic_of(|| Array::<u64, D>::view_mut(buffer.clone().bytes_mut(), &mut layout.clone()).len())
                .contains(what)
        );
        assert!(matches!(error.into_error::<Array<u64, D>>(), crate::Error::Metadata { .. }));
    }

    /// Not even a layout.
    #[track_caller]
    fn senseless<D: Dimension>(shape: &[usize], strides: &[isize], what: &str) {
        let error = ArrayLayout::<D>::try_from((shape.to_vec(), strides.to_vec())).unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert!(postcard::from_bytes::<ArrayLayout<D>>(&postcard::to_stdvec(&(shape, strides)).unwrap()).is_err());
    }

    #[test]
    fn hostile_metadata_are_refused() {
        senseless::<Ix2>(&[2, 4], &[1], "not one stride for each axis");
        senseless::<Ix2>(&[8], &[1], "has not 2 axes");
        senseless::<IxDyn>(&[8, 1], &[1], "not one stride for each axis");
        senseless::<Ix0>(&[1], &[1], "has not 0 axes");
        refused::<Ix1>(&[9], &[1], "do not fit");
        refused::<Ix1>(&[5], &[2], "do not fit");
        refused::<Ix1>(&[5], &[-2], "do not fit");
        refused::<Ix2>(&[3, 4], &[4, 1], "do not fit");
        refused::<Ix1>(&[usize::MAX], &[1], "more elements than can be addressed");
        refused::<Ix2>(&[1 << 32, 1 << 32], &[0, 0], "more elements than can be addressed");
        refused::<Ix2>(&[0, usize::MAX], &[0, 0], "more elements than can be addressed");
        refused::<Ix1>(&[isize::MAX as usize], &[1], "further than can be addressed");
        refused::<Ix1>(&[2], &[isize::MAX], "further than can be addressed");
        refused::<Ix1>(&[1], &[isize::MIN], "further than can be addressed");
        refused::<Ix1>(&[0], &[isize::MIN], "further than can be addressed");
        refused::<Ix2>(&[3, 3], &[isize::MIN, isize::MIN], "further than can be addressed");
        refused::<Ix2>(&[0, 1 << 30], &[0, 1 << 40], "further than can be addressed");
        refused::<Ix1>(&[2], &[0], "two indices to one element");
        refused::<Ix2>(&[2, 2], &[1, 1], "two indices to one element");
        refused::<Ix2>(&[2, 2], &[1, -1], "two indices to one element");
        refused::<Ix2>(&[2, 3], &[2, 1], "two indices to one element");
        refused::<IxDyn>(&[2; 64], &[0; 64], "more elements than can be addressed");
        refused::<IxDyn>(&[1; 70_000], &[isize::MAX; 70_000], "[1, 1, 1, 1, 1, 1, 1, 1] and 69992 more");

        // An axis of length 1 steps nowhere.
        let buffer = Buffer::dirty(64);
        assert_eq!(Array2::<u64>::check(buffer.bytes(), &laid_out([1, 8], [0, 1])), Ok(()));
        assert_eq!(Array2::<u64>::check(buffer.bytes(), &laid_out([1, 8], [-1000, 1])), Ok(()));
        assert_eq!(Array2::<u64>::view(buffer.bytes(), &laid_out([1, 8], [-1000, 1])).len(), 8);
        // Zero-sized elements need no bytes, but the numbers have to stay within bounds all the same.
        assert!(Array1::<()>::check(&[], &laid_out([usize::MAX], [1])).is_err());
        assert!(Array1::<()>::check(&[], &laid_out([2], [isize::MIN])).is_err());
        assert_eq!(Array1::<()>::check(&[], &laid_out([isize::MAX as usize], [1])), Ok(()));
    }

    #[test]
    fn misaligned_data_are_refused() {
        let buffer = Buffer::dirty(64);
        let layout = laid_out([2], [1]);
        assert!(Array1::<u64>::check(&buffer.bytes()[4..], &layout).is_err());
        assert!(panic_of(|| Array1::<u64>::view(&buffer.bytes()[4..], &layout)).contains("not aligned to 8 bytes"));
        assert_eq!(Array1::<u64>::check(&buffer.bytes()[8..], &layout), Ok(()));
        assert!(
            panic_of(|| write_array(&mut buffer.clone().bytes_mut()[4..], &array![1u64, 2, 3].slice(s![..;-1])))
                .contains("not aligned")
        );
    }

    #[test]
    fn content_is_checked_where_the_layout_leads_and_only_there() {
        let (mut buffer, layout) = copy_of(&Array2::from_elem((3, 4), true));
        buffer.bytes_mut()[6] = 2;
        let error = Array2::<bool>::check(buffer.bytes(), &layout).unwrap_err();
        assert!(matches!(error.into_error::<Array2<bool>>(), crate::Error::Content { .. }));
        assert!(panic_of(|| Array2::<bool>::view(buffer.bytes(), &layout)).contains("invalid bit pattern"));
        // The columns 0 and 1, then the columns 1 and 2.
        assert_eq!(Array2::<bool>::check(buffer.bytes(), &laid_out([3, 2], [4, 1])), Ok(()));
        assert!(Array2::<bool>::check(&buffer.bytes()[1..], &laid_out([3, 2], [4, 1])).is_err());
        // Recycled bytes are no elements until they are written.
        let (buffer, layout) = copy_of(&Array2::from_elem((3, 4), 'x').slice(s![..;-1, ..;2]).to_owned());
        assert!(Array2::<char>::view(buffer.bytes(), &layout).iter().all(|&element| element == 'x'));
    }

    #[test]
    fn parts_along_an_axis() {
        let array = counting(Ix2(4, 6));
        let (buffer, layout) = copy_of(&array);
        let (start, len, part) = narrow_axis::<u32, _>(&layout, 0, 1..3).unwrap();
        assert_eq!((start, len, raw(&part)), (24, 48, (vec![2, 6], vec![6, 1])));
        let (start, len, part) = narrow_axis::<u32, _>(&layout, 1, 2..5).unwrap();
        assert_eq!((start, len), (8, 84));
        assert_eq!(Array2::<u32>::view(&buffer.bytes()[start..start + len], &part), array.slice(s![.., 2..5]));
        assert_eq!(narrow_axis::<u32, _>(&layout, 1, 6..6), Some((0, 0, laid_out([4, 0], [0, 0]))));
        assert_eq!(narrow_axis::<u32, _>(&layout, 1, 0..7), None);
        assert_eq!(narrow_axis::<u32, _>(&layout, 2, 0..1), None);
        #[allow(clippy::reversed_empty_ranges)]
        let reversed = 3..2;
        assert_eq!(narrow_axis::<u32, _>(&layout, 1, reversed), None);
    }

    /// Any numbers, but mostly small ones that can mean something, and mostly a stride for each axis.
    fn any_layout() -> impl Strategy<Value = Raw> {
        let length = || prop_oneof![12 => 0usize..5, 1 => any::<usize>(), 1 => Just(isize::MAX as usize)];
        let stride = || prop_oneof![12 => -12isize..13, 1 => any::<isize>(), 1 => Just(isize::MIN)];
        prop_oneof![
            12 => (0usize..5).prop_flat_map(move |ndim| (vec(length(), ndim), vec(stride(), ndim))),
            1 => (vec(length(), 0..5), vec(stride(), 0..5)),
        ]
    }

    /// If `check` accepts: every index leads to another element within the data, and to the one that the strides say.
    fn accepted_is_sound<D: Dimension>(elements: usize, raw: &Raw) -> Result<bool, TestCaseError> {
        let mut buffer = Buffer::of(&(0..elements as u32).collect::<Vec<_>>());
        let Ok(mut layout) = ArrayLayout::<D>::try_from(raw.clone()) else { return Ok(false) };
        if Array::<u32, D>::check(buffer.bytes(), &layout).is_err() {
            return Ok(false);
        }
        let view = Array::<u32, D>::view(buffer.bytes(), &layout);
        prop_assert_eq!(view.shape(), &raw.0[..]);
        let lowest: isize = raw
            .0
            .iter()
            .zip(&raw.1)
            .map(|(&len, &stride)| if stride < 0 { stride * (len as isize - 1) } else { 0 })
            .sum();
        let mut seen = HashSet::new();
        for (index, &element) in view.clone().into_dyn().indexed_iter() {
            let offset: isize = index.as_array_view().iter().zip(&raw.1).map(|(&i, stride)| i as isize * stride).sum();
            prop_assert_eq!(element as isize, offset - lowest);
            prop_assert!(seen.insert(element));
        }
        prop_assert_eq!(seen.len(), raw.0.iter().product::<usize>());

        let mut view = Array::<u32, D>::view_mut(buffer.bytes_mut(), &mut layout);
        view += 1000;
        let data: &[u32] = bytemuck::cast_slice(buffer.bytes());
        for (at, &element) in (0..).zip(data) {
            prop_assert_eq!(element, if seen.contains(&at) { at + 1000 } else { at });
        }
        Ok(true)
    }

    #[test]
    fn a_layout_travels_without_the_strides_of_c_order() {
        let bytes = |shape: &[usize], strides: &[isize]| {
            let layout: ArrayLayout<IxDyn> = laid_out(shape, strides);
            assert_travels::<Array<u8, IxDyn>>(&layout);
            postcard::to_stdvec(&layout).unwrap()
        };
        assert_eq!(bytes(&[4, 100], &[100, 1]), [2, 4, 100, 0]);
        assert_eq!(bytes(&[4, 100], &[1, 4]), [2, 4, 100, 2, 2, 8]);
        assert_eq!(bytes(&[4, 100], &[-100, 1]), [2, 4, 100, 2, 199, 1, 2]);
        assert_eq!(bytes(&[4, 0], &[0, 0]), [2, 4, 0, 0]);
        assert_eq!(bytes(&[4, 0], &[0, 1]), [2, 4, 0, 2, 0, 2]);
        assert_eq!(bytes(&[1; 7], &[1; 7]), [7, 1, 1, 1, 1, 1, 1, 1, 0]);
        assert_eq!(bytes(&[], &[]), [0, 0]);
    }

    /// All layouts of two axes with small numbers: sound if accepted, and accepted if ndarray accepts them.
    #[test]
    fn every_small_layout() -> Result<(), TestCaseError> {
        let (mut accepted, mut refused) = (0, 0);
        for n in 0..4 * 4 * 9 * 9 {
            let layout = (vec![n % 4, n / 4 % 4], vec![(n / 16 % 9) as isize - 4, (n / 144) as isize - 4]);
            for elements in [0, 1, 5, 9, 12] {
                let is_accepted = accepted_is_sound::<Ix2>(elements, &layout)?;
                *(if is_accepted { &mut accepted } else { &mut refused }) += 1;
                let steps = Ix2(layout.1[0].unsigned_abs(), layout.1[1].unsigned_abs());
                let mut elements = vec![0u32; elements];
                let view = ArrayViewMut::from_shape(Ix2(layout.0[0], layout.0[1]).strides(steps), &mut elements);
                prop_assert_eq!(is_accepted, view.is_ok() || layout.0.contains(&0));
            }
        }
        prop_assert!(accepted > 1000 && refused > 1000, "{} accepted, {} refused", accepted, refused);
        Ok(())
    }

    /// What to do to one axis: keep every `step`th index of those from `start` on, at most `take`, maybe backwards.
    fn any_cut() -> impl Strategy<Value = (usize, usize, isize)> {
        (0usize..6, 0usize..7, prop_oneof![Just(1isize), Just(-1), -3isize..0, 1isize..4])
    }

    proptest! {
        #[test]
        fn what_check_accepts_is_sound(elements in 0usize..40, layout in any_layout()) {
            accepted_is_sound::<IxDyn>(elements, &layout)?;
            accepted_is_sound::<Ix0>(elements, &layout)?;
            accepted_is_sound::<Ix1>(elements, &layout)?;
            accepted_is_sound::<Ix2>(elements, &layout)?;
            accepted_is_sound::<Ix3>(elements, &layout)?;
        }

        #[test]
        fn check_of_content_never_panics(bytes in vec(0u8..3, 0..40), layout in any_layout()) {
            let buffer = Buffer::of(&bytes);
            let Ok(layout) = ArrayLayout::<IxDyn>::try_from(layout) else { return Ok(()) };
            if Array::<bool, IxDyn>::check(buffer.bytes(), &layout).is_ok() {
                let view = Array::<bool, IxDyn>::view(buffer.bytes(), &layout);
                let bits = Array::<u8, IxDyn>::view(buffer.bytes(), &layout);
                prop_assert!(view.iter().zip(&bits).all(|(&element, &bits)| element as u8 == bits));
            } else if Array::<u8, IxDyn>::check(buffer.bytes(), &layout).is_ok() {
                prop_assert!(Array::<u8, IxDyn>::view(buffer.bytes(), &layout).iter().any(|&bits| bits > 1));
            }
        }

        /// Whatever ndarray's own methods make of an array can be copied, and is accepted as it is.
        #[test]
        fn every_view_of_an_array_is_a_value(
            shape in vec(0usize..6, 0..5),
            cuts in vec(any_cut(), 5),
            order in Just((0..5usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let array = counting(IxDyn(&shape));
            let slices: Vec<SliceInfoElem> = shape
                .iter()
                .zip(&cuts)
                .map(|(&len, &(start, take, step))| {
                    let start = start.min(len);
                    let end = (start + take).min(len);
                    SliceInfoElem::Slice { start: start as isize, end: Some(end as isize), step }
                })
                .collect();
            let order: Vec<usize> = order.into_iter().filter(|&axis| axis < shape.len()).collect();
            let view = array.slice(&slices[..]).permuted_axes(order);
            round_trip(&view);

            let layout = ArrayLayout::of(&view);
            let first = view.iter().min().copied().unwrap_or(0) as usize;
            let buffer = Buffer::of(&array.iter().copied().skip(first).collect::<Vec<_>>());
            prop_assert_eq!(Array::<u32, IxDyn>::view(buffer.bytes(), &layout), view.view());

            for axis in 0..view.ndim() {
                let len = view.len_of(Axis(axis));
                for range in [0..len, 0..len / 2, len / 2..len, len / 3..len - len / 3, len..len] {
                    let (start, len, part) = narrow_axis::<u32, _>(&layout, axis, range.clone()).unwrap();
                    let data = &buffer.bytes()[start..start + len];
                    prop_assert_eq!(
                        Array::<u32, IxDyn>::view(data, &part),
                        view.slice_axis(Axis(axis), range.into())
                    );
                }
            }
        }
    }
}
