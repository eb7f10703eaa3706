//! What a read-only link offers of a value: loads.

use std::{
    any::type_name,
    cell::UnsafeCell,
    fmt,
    ops::Index,
    slice,
    sync::atomic::{self, Ordering, fence},
};

use super::Shareable;

/// A value in memory that this process can only read, and others may change at any time. A read-only
/// [`Link`](crate::Link) derefs to it.
///
/// What can be seen of it safely depends on the type: `load` of an atomic, `read` of a
/// [`SeqLock`](crate::sync::SeqLock), `is_set` of an [`Event`](crate::sync::Event); an element of an array, by index;
/// and the [`fields`](Self::fields) of a struct that [`shareable!`](crate::shareable) has made. All of these do no more
/// than relaxed loads, and fences: a store to memory that is mapped read-only traps, and so may any other atomic
/// access. For the same reason atomics that are wider than a pointer have no `load` here.
///
/// ```
/// use commonage::Observed;
/// use std::sync::atomic::AtomicU64;
///
/// fn sum(counters: &Observed<[AtomicU64; 8]>) -> u64 {
///     counters.iter().map(|counter| counter.load()).sum()
/// }
/// ```
///
/// A store is not there, nor is a way to what would store:
///
/// ```compile_fail,E0599
/// use commonage::Observed;
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
///
/// fn disturb(counter: &Observed<AtomicU64>) {
///     counter.store(1, Relaxed);
/// }
/// ```
#[repr(transparent)]
pub struct Observed<T>(UnsafeCell<T>);

// SAFETY: what safe code does through a shared reference is atomic loads; what `get` gives is a `&T`, which may go to
// other threads as `T` is `Sync`.
unsafe impl<T: Sync> Sync for Observed<T> {}

impl<T> Observed<T> {
    /// The value at an address, as something that is only looked at: for implementations of [`Fields`].
    ///
    /// # Safety
    ///
    /// `value` is aligned for a `T`; as long as the reference lives, the bytes there can be read, and whatever writes
    /// to them would be sound beside a `&T` in another process: atomic stores to atomics, the writes of
    /// [`sync`](crate::sync), and any write to plain data, which safe code does not read by this reference.
    pub const unsafe fn from_ptr<'a>(value: *const T) -> &'a Self {
        // SAFETY: an `Observed` has the layout of a `T`, and being an `UnsafeCell` it says nothing about what others
        // write.
        unsafe { &*value.cast() }
    }

    /// Where it is. Memory that is mapped read-only traps when it is written.
    pub const fn as_ptr(&self) -> *const T {
        self.0.get()
    }

    /// The value, if the caller knows that it stands still.
    ///
    /// # Safety
    ///
    /// As long as the reference lives, nobody changes the value, in no process, other than by what is safe through a
    /// `&T` in all of them (atomic accesses, for one); its bytes are a value of `T`; and this process does nothing by
    /// the reference that stores: memory that is mapped read-only traps.
    pub const unsafe fn get(&self) -> &T {
        // SAFETY: it can be read, since there is an `Observed` of it, and it stands still, says the caller.
        unsafe { &*self.0.get() }
    }
}

impl<T: Fields> Observed<T> {
    /// Its fields, each of them [`Observed`].
    ///
    /// ```
    /// use commonage::{Observed, shareable};
    /// use std::sync::atomic::AtomicU64;
    ///
    /// shareable! {
    ///     pub struct Traffic {
    ///         pub sent: AtomicU64,
    ///         pub received: AtomicU64,
    ///     }
    /// }
    ///
    /// fn under_way(traffic: &Observed<Traffic>) -> u64 {
    ///     let traffic = traffic.fields();
    ///     traffic.sent.load().saturating_sub(traffic.received.load())
    /// }
    /// ```
    pub fn fields(&self) -> T::Fields<'_> {
        T::fields(self)
    }
}

/// A struct whose fields can be observed one by one: what [`shareable!`](crate::shareable) defines.
pub trait Fields: Shareable {
    /// A struct with a field for each of this one's: a reference to an [`Observed`] of it, as visible as the field
    /// itself.
    type Fields<'a>;

    /// The fields of a value.
    fn fields(observed: &Observed<Self>) -> Self::Fields<'_>;
}

macro_rules! loads {
    ($($(#[$where:meta])* $type:ident $number:ty),* $(,)?) => {$(
        $(#[$where])*
        impl Observed<atomic::$type> {
            /// Its value at the moment. What its writer wrote before a store with `Release` is seen after the load that
            /// finds it.
            pub fn load(&self) -> $number {
                // SAFETY: atomic accesses are all that is done to it, by whoever can reach it, and a load stores
                // nothing.
                let atomic = unsafe { self.get() };
                // Of memory that is mapped read-only only a relaxed load is promised not to trap, see
                // `std::sync::atomic`.
                let value = atomic.load(Ordering::Relaxed);
                // Its partner is the writer's store with `Release`, if it is one.
                fence(Ordering::Acquire);
                value
            }
        }
    )*};
}

// Up to a pointer's width: wider loads may be made of what stores.
loads! {
    #[cfg(target_has_atomic = "8")] AtomicBool bool,
    #[cfg(target_has_atomic = "8")] AtomicU8 u8,
    #[cfg(target_has_atomic = "8")] AtomicI8 i8,
    #[cfg(target_has_atomic = "16")] AtomicU16 u16,
    #[cfg(target_has_atomic = "16")] AtomicI16 i16,
    #[cfg(target_has_atomic = "32")] AtomicU32 u32,
    #[cfg(target_has_atomic = "32")] AtomicI32 i32,
    #[cfg(all(target_has_atomic = "64", target_pointer_width = "64"))] AtomicU64 u64,
    #[cfg(all(target_has_atomic = "64", target_pointer_width = "64"))] AtomicI64 i64,
    #[cfg(target_has_atomic = "ptr")] AtomicUsize usize,
    #[cfg(target_has_atomic = "ptr")] AtomicIsize isize,
}

impl<T, const N: usize> Observed<[T; N]> {
    /// Its elements, each of them [`Observed`].
    pub const fn elements(&self) -> &[Observed<T>; N] {
        let elements: *const [Observed<T>; N] = self.as_ptr().cast();
        // SAFETY: an `Observed` has the layout of what it is of, and of an element may be seen what may be seen of the
        // array.
        unsafe { &*elements }
    }

    /// The number of elements.
    #[expect(clippy::len_without_is_empty, reason = "an array's length is in its type")]
    pub const fn len(&self) -> usize {
        N
    }

    /// Its elements, in order.
    pub fn iter(&self) -> slice::Iter<'_, Observed<T>> {
        self.elements().iter()
    }
}

impl<T, const N: usize> Index<usize> for Observed<[T; N]> {
    type Output = Observed<T>;

    /// # Panics
    ///
    /// If there is no such element.
    fn index(&self, at: usize) -> &Observed<T> {
        &self.elements()[at]
    }
}

impl<'a, T, const N: usize> IntoIterator for &'a Observed<[T; N]> {
    type Item = &'a Observed<T>;
    type IntoIter = slice::Iter<'a, Observed<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> fmt::Debug for Observed<T> {
    /// The type only: to show the value is to read it, and others may be writing it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Observed<{}>", type_name::<T>())
    }
}
