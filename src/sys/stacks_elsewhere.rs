//! Code that changes stacks by itself, as the model checker does, where a panic needs nothing but the stack that it is on.

/// Runs what may go over to other stacks and panic there.
pub(crate) fn with_other_stacks<R>(run: impl FnOnce() -> R) -> R {
    run()
}
