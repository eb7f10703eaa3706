//! Code that changes stacks by itself, as the model checker does, where the system goes through handlers of exceptions.

use std::arch::asm;

/// What a thread's own block holds first: the innermost handler of exceptions, where these are a list on the stack. A program
/// of 64 bits has none, but Wine's own code has.
struct Handlers(usize);

/// No handler.
const NONE: usize = usize::MAX;

impl Handlers {
    fn replace(with: usize) -> usize {
        let before;
        // SAFETY: reads and writes the first word of this thread's own block, which nobody else has.
        unsafe { asm!("xchg gs:[0], {0}", inout(reg) with => before) };
        before
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        Handlers::replace(self.0);
    }
}

/// Runs what may go over to other stacks and panic there. Wine takes a handler for passed, and calls it, when it lies below the
/// stack pointer: on a stack that lies above this thread's own these are all handlers of the thread, and the outermost of
/// them says that the exception is dealt with. So they are put aside until `run` returns, or a panic comes out of it.
pub(crate) fn with_other_stacks<R>(run: impl FnOnce() -> R) -> R {
    let _handlers = Handlers(Handlers::replace(NONE));
    run()
}
