//! Pages that are larger than the system's usual ones.

use rustix::fs::MemfdFlags;

/// Memory of huge pages, from the pool that the system's administrator has set aside (`/proc/sys/vm/nr_hugepages`). With
/// fewer pages, the processor looks fewer of them up.
///
/// What does not fit into that pool is [`Error::NoSpace`](crate::Error::NoSpace): no smaller pages are taken instead.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum HugePages {
    /// Of the size that the system takes when none is said (`Hugepagesize` in `/proc/meminfo`).
    Default,
    /// Of 2 MiB.
    Size2MiB,
    /// Of 1 GiB.
    Size1GiB,
}

impl HugePages {
    /// What a memfd of such pages is asked for with.
    pub(crate) fn flags(self) -> MemfdFlags {
        let size = match self {
            HugePages::Default => MemfdFlags::empty(),
            HugePages::Size2MiB => MemfdFlags::HUGE_2MB,
            HugePages::Size1GiB => MemfdFlags::HUGE_1GB,
        };
        MemfdFlags::HUGETLB | size
    }
}
