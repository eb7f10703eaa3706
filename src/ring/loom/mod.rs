//! The ring under a model checker: every interleaving of its two sides, up to a bound of preemptions, and every value that a
//! load may find. What runs is the code that ships, over words of the checker; slots are cells in which it sees a race.

mod attaching;
mod bell;
mod indices;
mod sleeping;
mod words;
