//! Types of numbers.

use bytemuck::Zeroable;
use commonage::file::npy::NumPyElement;

use crate::summary::Extreme;

/// A type of real numbers.
pub(crate) trait Element: NumPyElement + Zeroable + PartialOrd + Send + Sync {
    /// None is less, and none is more.
    const LEAST: Self;
    const MOST: Self;

    /// As a float, which may be a little off where it is a large integer.
    fn number(self) -> f64;
    /// As it is.
    fn exact(self) -> Extreme;
    /// One of a series that is made up, of numbers between -1 and 1.
    fn made_up(number: f64) -> Self;

    fn is_nan(self) -> bool {
        false
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl Element for $integer {
            const LEAST: Self = Self::MIN;
            const MOST: Self = Self::MAX;

            fn number(self) -> f64 {
                self as f64
            }

            fn exact(self) -> Extreme {
                Extreme::Whole(self.into())
            }

            fn made_up(number: f64) -> Self {
                // Those without a sign have nothing below zero.
                (number * (Self::MAX as f64).min(1e6)) as Self
            }
        }
    )*};
}

integers! { i8 i16 i32 i64 u8 u16 u32 u64 }

macro_rules! floats {
    ($($float:ty)*) => {$(
        impl Element for $float {
            const LEAST: Self = Self::NEG_INFINITY;
            const MOST: Self = Self::INFINITY;

            fn number(self) -> f64 {
                self.into()
            }

            fn exact(self) -> Extreme {
                Extreme::Real(self.into())
            }

            fn made_up(number: f64) -> Self {
                number as Self
            }

            fn is_nan(self) -> bool {
                self.is_nan()
            }
        }
    )*};
}

floats! { f32 f64 }

impl Element for bool {
    const LEAST: Self = false;
    const MOST: Self = true;

    fn number(self) -> f64 {
        self.into()
    }

    fn exact(self) -> Extreme {
        Extreme::Whole(self.into())
    }

    fn made_up(number: f64) -> Self {
        number > 0.0
    }
}
