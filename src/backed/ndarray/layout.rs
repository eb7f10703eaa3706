//! Where an array's elements are: its metadata.

use std::{fmt, marker::PhantomData, ops::Range};

use ndarray::{ArrayRef, Dimension, ShapeBuilder, StrideShape};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::CheckError;

/// The metadata of an array: its shape, and its strides, counted in elements. The data begin with the element that has
/// the lowest address; that is the one with index 0 along every axis whose stride is not negative, and the last index
/// along the others.
///
/// Whether it fits a piece of memory is checked when a value is claimed, not each time that it is looked at.
///
/// ```
/// use commonage::backed::ArrayLayout;
/// use ndarray::{Array2, Axis};
///
/// let mut array = Array2::<f32>::zeros((480, 640));
/// array.swap_axes(0, 1);
/// array.invert_axis(Axis(0));
/// let layout = ArrayLayout::of(&array);
/// assert_eq!((layout.shape(), layout.strides()), (&[640, 480][..], &[-1, 640][..]));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ArrayLayout<D> {
    shape: D,
    /// Each a `usize` with the bits of an `isize`: what ndarray keeps in a dimension.
    strides: D,
    /// INVARIANT: `Plain` only if there are elements, and no stride is negative: ndarray takes such strides as they are.
    way: Way,
}

/// A layout that ndarray takes as it is. It becomes ndarray's type within ndarray's function, so that the compiler sees
/// there that the strides are given: moved there by way of memory, those of a dynamic number of axes cost 12 ns.
pub(super) struct Plain<'a, D>(&'a ArrayLayout<D>);

impl<D: Dimension> From<Plain<'_, D>> for StrideShape<D> {
    #[inline(always)]
    fn from(Plain(layout): Plain<'_, D>) -> Self {
        layout.shape.clone().strides(layout.strides.clone())
    }
}

/// How the elements are reached. A word, so that a layout is copied by words.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
enum Way {
    Plain,
    /// Backwards along some axis; or there are none.
    Turned,
}

impl Way {
    fn of(shape: &[usize], strides: &[usize]) -> Self {
        let backwards = |&stride: &usize| (stride as isize) < 0;
        if shape.contains(&0) || strides.iter().any(backwards) { Way::Turned } else { Way::Plain }
    }
}

/// The order of the axes in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Order {
    /// The last axis varies fastest.
    C,
    /// The first axis varies fastest.
    Fortran,
}

/// What a dimension is made of.
#[inline]
fn numbers<D: Dimension>(dim: &D) -> &[usize] {
    match dim.as_array_view().to_slice() {
        Some(numbers) => numbers,
        None => unreachable!("a dimension is an array of numbers"),
    }
}

impl<D: Dimension> ArrayLayout<D> {
    /// The layout of an array or a view.
    pub fn of<A>(array: &ArrayRef<A, D>) -> Self {
        let mut strides = D::zeros(array.ndim());
        for (axis, &stride) in array.strides().iter().enumerate() {
            strides[axis] = stride as usize;
        }
        Self::with(array.raw_dim(), strides)
    }

    /// The layout of a contiguous array; like ndarray's, its strides are all 0 if it has no elements. Of a shape that
    /// [`count`] does not accept they are any numbers.
    pub(crate) fn contiguous(shape: D, order: Order) -> Self {
        let mut strides = D::zeros(shape.ndim());
        if !numbers(&shape).contains(&0) {
            let mut step = 1usize;
            let mut set = |axis: usize| {
                strides[axis] = step;
                step = shape[axis].wrapping_mul(step);
            };
            match order {
                Order::C => (0..shape.ndim()).rev().for_each(&mut set),
                Order::Fortran => (0..shape.ndim()).for_each(&mut set),
            }
        }
        Self::with(shape, strides)
    }

    fn with(shape: D, strides: D) -> Self {
        let way = Way::of(numbers(&shape), numbers(&strides));
        ArrayLayout { shape, strides, way }
    }

    fn from_slices(shape: &[usize], strides: &[isize]) -> Result<Self, CheckError> {
        let fault = |what: &str| fault(shape, strides, what);
        if shape.len() != strides.len() {
            return Err(fault("has not one stride for each axis"));
        }
        if let Some(ndim) = D::NDIM.filter(|&ndim| ndim != shape.len()) {
            return Err(fault(&format!("has not {ndim} axes")));
        }
        let (mut shapes, mut steps) = (D::zeros(shape.len()), D::zeros(shape.len()));
        for (axis, (&len, &stride)) in shape.iter().zip(strides).enumerate() {
            shapes[axis] = len;
            steps[axis] = stride as usize;
        }
        Ok(Self::with(shapes, steps))
    }

    /// The length of each axis.
    pub fn shape(&self) -> &[usize] {
        numbers(&self.shape)
    }

    /// How many elements from one index to the next, for each axis.
    pub fn strides(&self) -> &[isize] {
        bytemuck::cast_slice(numbers(&self.strides))
    }

    pub(super) fn dim(&self) -> &D {
        &self.shape
    }

    /// The layout, if ndarray takes it as it is.
    #[inline]
    pub(super) fn plain(&self) -> Option<Plain<'_, D>> {
        (self.way == Way::Plain).then_some(Plain(self))
    }

    /// Whether a copy of it needs no memory.
    pub(super) fn is_small(&self) -> bool {
        D::NDIM.is_some() || self.shape.ndim() <= SMALL
    }

    /// The part that has the indices `range` along `axis`. Returns where its data begin, how many elements they span from the
    /// lowest to the highest address, and its layout. What a part in the middle of a fast axis spans has elements of other
    /// parts in it: parts of different ranges may overlap, their elements don't.
    ///
    /// `None` if there is no such axis or the range is not within its length. The layout must have passed `check`.
    pub(super) fn narrow(&self, axis: usize, range: Range<usize>) -> Option<(usize, usize, Self)> {
        let length = *self.shape().get(axis)?;
        if range.start > range.end || range.end > length {
            return None;
        }
        let mut shape = self.shape.clone();
        shape[axis] = range.len();
        if numbers(&shape).contains(&0) {
            return Some((0, 0, Self::contiguous(shape, Order::C)));
        }
        let stride = self.strides()[axis];
        // The elements that are left out below the part: those after it, if the axis runs backwards in memory.
        let below = if stride < 0 { length - range.end } else { range.start };
        let part = ArrayLayout { shape, ..self.clone() };
        let reach: usize =
            part.shape().iter().zip(part.strides()).map(|(len, stride)| (len - 1) * stride.unsigned_abs()).sum();
        Some((below * stride.unsigned_abs(), reach + 1, part))
    }

    /// How many rows (indices along the first axis) there are, and how many elements each has, if the elements lie one after
    /// the other in C order. As to ndarray, strides that are never stepped along are all the same.
    pub(crate) fn rows(&self) -> Option<(usize, usize)> {
        let (&rows, row) = self.shape().split_first()?;
        let contiguous = Self::contiguous(self.shape.clone(), Order::C);
        let mut axes = self.shape().iter().zip(self.strides().iter().zip(contiguous.strides()));
        let standard = axes.all(|(&len, (stride, contiguous))| len == 1 || stride == contiguous);
        (standard || self.shape().contains(&0)).then_some((rows, count(row)?))
    }

    /// The layout of an array in C order that has so many rows like this one's; `None` if there can't be such an array.
    pub(crate) fn with_rows(&self, rows: usize) -> Option<Self> {
        let mut shape = self.shape.clone();
        if shape.ndim() == 0 {
            return None;
        }
        shape[0] = rows;
        count(numbers(&shape))?;
        Some(Self::contiguous(shape, Order::C))
    }

    /// How many elements, from the lowest address to the highest, an array with this layout spans, if the layout is one that
    /// an array with elements of `size` bytes can have: the invariants of ndarray's `ArrayBase`, and no two indices lead
    /// to one element.
    ///
    /// The last is decided as ndarray does it: in the order of their strides, each axis must step over everything that the
    /// axes before it reach. All layouts that ndarray's own slicing, reversing and permuting make are of that kind.
    pub(super) fn span(&self, size: usize) -> Result<usize, CheckError> {
        let (shape, strides) = (self.shape(), self.strides());
        let fault = |what: &str| fault(shape, strides, what);
        let count = count(shape).ok_or_else(|| fault("has more elements than can be addressed"))?;

        // Offsets have to stay within `isize` both in elements and in bytes, also for axes that are never walked along.
        let too_far = || fault("reaches further than can be addressed");
        let limit = isize::MAX as usize / size.max(1);
        let mut reach = 0usize;
        for (&len, stride) in shape.iter().zip(strides) {
            let stride = Some(stride.unsigned_abs()).filter(|&stride| stride <= limit).ok_or_else(too_far)?;
            reach = stride
                .checked_mul(len.saturating_sub(1))
                .and_then(|along| reach.checked_add(along))
                .filter(|&reach| reach <= limit)
                .ok_or_else(too_far)?;
        }
        if count == 0 {
            return Ok(0);
        }
        if !is_in_c_order(shape, strides) && overlaps(shape, strides) {
            return Err(fault("leads from two indices to one element"));
        }
        Ok(reach + 1)
    }
}

/// The number of elements of an array of this shape. Like ndarray, this refuses shapes whose non-zero lengths have a
/// product above `isize::MAX`, even if another length is zero.
pub(super) fn count<'a>(shape: impl IntoIterator<Item = &'a usize>) -> Option<usize> {
    let (mut product, mut empty) = (1usize, false);
    for &len in shape {
        if len == 0 {
            empty = true;
        } else {
            product = product.checked_mul(len).filter(|&product| isize::try_from(product).is_ok())?;
        }
    }
    Some(if empty { 0 } else { product })
}

/// Whether these are the strides of [`ArrayLayout::contiguous`] in C order, whatever the shape.
fn is_in_c_order(shape: &[usize], strides: &[isize]) -> bool {
    if shape.contains(&0) {
        return strides.iter().all(|&stride| stride == 0);
    }
    let mut step = 1usize;
    shape.iter().zip(strides).rev().all(|(&len, &stride)| {
        let next = stride as usize == step;
        step = step.wrapping_mul(len);
        next
    })
}

/// Whether an axis steps onto what the axes with smaller strides reach. No length is 0, and all reaches together are
/// within `isize`.
fn overlaps(shape: &[usize], strides: &[isize]) -> bool {
    let mut axes: Vec<(usize, usize)> = shape
        .iter()
        .zip(strides)
        .map(|(&len, stride)| (stride.unsigned_abs(), len))
        .filter(|&(_, len)| len > 1)
        .collect();
    axes.sort_unstable();
    let mut reach = 0;
    axes.into_iter().any(|(stride, len)| {
        let onto = stride <= reach;
        reach += stride * (len - 1);
        onto
    })
}

#[cold]
fn fault(shape: &[usize], strides: &[isize], what: &str) -> CheckError {
    CheckError::metadata(format!("the shape {} with the strides {} {what}", Brief(shape), Brief(strides)))
}

/// The numbers of a shape, or the first of them: metadata off the wire may be long.
struct Brief<'a, N>(&'a [N]);

impl<N: fmt::Debug> fmt::Display for Brief<'_, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 8;
        match self.0.get(..MOST) {
            Some(first) if self.0.len() > MOST => write!(f, "{first:?} and {} more", self.0.len() - MOST),
            _ => write!(f, "{:?}", self.0),
        }
    }
}

impl<D: Dimension> fmt::Debug for ArrayLayout<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrayLayout").field("shape", &self.shape()).field("strides", &self.strides()).finish()
    }
}

/// From a shape and its strides, one for each axis: sharify's metadata.
impl<D: Dimension> TryFrom<(Vec<usize>, Vec<isize>)> for ArrayLayout<D> {
    type Error = CheckError;

    fn try_from((shape, strides): (Vec<usize>, Vec<isize>)) -> Result<Self, CheckError> {
        Self::from_slices(&shape, &strides)
    }
}

/// A shape and its strides, one sequence each; of an array in C order there are no strides.
impl<D: Dimension> Serialize for ArrayLayout<D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (shape, strides) = (self.shape(), self.strides());
        let strides = if is_in_c_order(shape, strides) { &[] } else { strides };
        (shape, strides).serialize(serializer)
    }
}

impl<'de, D: Dimension> Deserialize<'de> for ArrayLayout<D> {
    fn deserialize<De: Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
        let (Axes(shape, ..), Axes(strides, ..)) = <(Axes<D, usize>, Axes<D, isize>)>::deserialize(deserializer)?;
        let shape = match shape {
            Some(shape) => shape,
            None if D::NDIM.unwrap_or(0) == 0 => D::zeros(0),
            None => return Err(de::Error::invalid_length(0, &AXES)),
        };
        match strides {
            Some(strides) if strides.ndim() == shape.ndim() => Ok(Self::with(shape, strides)),
            Some(strides) => Err(de::Error::invalid_length(strides.ndim(), &AXES)),
            None => Ok(Self::contiguous(shape, Order::C)),
        }
    }
}

/// ndarray keeps so many axes in place if their number is dynamic.
const SMALL: usize = 4;

const AXES: &str = "a number for each axis";

/// Numbers off the wire, if there are any: each an `N`, kept with its bits as a `usize`.
struct Axes<D, N>(Option<D>, PhantomData<N>);

impl<'de, D: Dimension, N: Deserialize<'de> + Bits> Deserialize<'de> for Axes<D, N> {
    #[inline]
    fn deserialize<De: Deserializer<'de>>(deserializer: De) -> Result<Self, De::Error> {
        deserializer.deserialize_seq(Axes(None, PhantomData))
    }
}

impl<'de, D: Dimension, N: Deserialize<'de> + Bits> de::Visitor<'de> for Axes<D, N> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(AXES)
    }

    #[inline]
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        let mut next = || Ok(seq.next_element::<N>()?.map(N::bits));
        let Some(first) = next()? else { return Ok(self) };
        let dim = match D::NDIM {
            Some(axes) => {
                let mut dim = D::zeros(axes);
                let mut number = Some(first);
                for axis in 0..axes {
                    dim[axis] = number.ok_or_else(|| de::Error::invalid_length(axis, &AXES))?;
                    number = next()?;
                }
                if number.is_some() {
                    return Err(de::Error::invalid_length(axes + 1, &AXES));
                }
                dim
            }
            None => {
                // A few in place; all of them elsewhere if they are more.
                let (mut few, mut many, mut len) = ([first; SMALL], Vec::new(), 1);
                while let Some(number) = next()? {
                    match few.get_mut(len) {
                        Some(place) => *place = number,
                        None => {
                            if many.is_empty() {
                                many.extend(few);
                            }
                            many.push(number);
                        }
                    }
                    len += 1;
                }
                let numbers = few.get(..len).unwrap_or(&many);
                let mut dim = D::zeros(len);
                numbers.iter().enumerate().for_each(|(axis, &number)| dim[axis] = number);
                dim
            }
        };
        Ok(Axes(Some(dim), PhantomData))
    }
}

trait Bits {
    fn bits(self) -> usize;
}

impl Bits for usize {
    fn bits(self) -> usize {
        self
    }
}

impl Bits for isize {
    fn bits(self) -> usize {
        self as usize
    }
}
