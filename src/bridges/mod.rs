//! Types of other crates, made of what is shared, or going over it; each behind the feature of its crate's name.

#[cfg(feature = "bytes")]
mod bytes;
#[cfg(feature = "rayon")]
mod rayon;
