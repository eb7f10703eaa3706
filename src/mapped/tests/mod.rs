//! What holds of files that this process has open.
