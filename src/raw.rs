//! Values in memory or in files that hold nothing else: their metadata follow from their length.

/// How the metadata of a value follow from its length, where nothing else says them.
pub(crate) struct Raw<M> {
    /// Bytes of an element.
    element: usize,
    metadata: fn(usize) -> M,
    count: fn(&M) -> usize,
}

impl Raw<usize> {
    /// The metadata are the number of elements.
    pub(crate) const fn of_elements(element: usize) -> Self {
        Raw { element, metadata: |count| count, count: |count| *count }
    }
}

impl<M> Raw<M> {
    /// Bytes of an element.
    pub(crate) fn element(&self) -> usize {
        self.element
    }

    /// The metadata of a value of `bytes` bytes, if these are whole elements.
    pub(crate) fn metadata(&self, bytes: u64) -> Option<M> {
        let element = self.element;
        let count = bytes.checked_div(element as u64).filter(|count| count * element as u64 == bytes);
        count.and_then(|count| usize::try_from(count).ok()).map(self.metadata)
    }

    /// How many bytes a value is that has these metadata.
    pub(crate) fn bytes(&self, metadata: &M) -> usize {
        (self.count)(metadata).saturating_mul(self.element)
    }
}

impl<M> Clone for Raw<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Raw<M> {}
