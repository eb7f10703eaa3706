//! What is wrong with bytes that should have been a token.

use std::fmt;

/// Why bytes or text are no token, before anything in them is believed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TokenFault {
    /// Fewer bytes than any token has, or than this one says that it has.
    TooShort {
        /// The least number of bytes that would do.
        expected: usize,
        /// The number of bytes there are.
        found: usize,
    },
    /// More bytes than the token says that it has.
    TooLong {
        /// The number of bytes that the token says it has.
        expected: usize,
        /// The number of bytes there are.
        found: usize,
    },
    /// The first bytes are not those of a token of this version of the crate.
    Magic {
        /// What stands there, little-endian.
        found: u32,
    },
    /// The text is not in the alphabet of tokens.
    Text,
    /// A field has a value that no token of this version has.
    Field(
        /// The name of the field.
        &'static str,
    ),
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenFault::TooShort { expected, found } => {
                write!(f, "it is cut short: at least {expected} bytes expected, {found} found")
            }
            TokenFault::TooLong { expected, found } => {
                write!(f, "it is too long: {expected} bytes expected, {found} found")
            }
            TokenFault::Magic { found } => {
                write!(f, "it does not begin as tokens of this version do (found {found:#010x})")
            }
            TokenFault::Text => f.write_str("it is not base64 (URL-safe, unpadded) text"),
            TokenFault::Field(name) => write!(f, "its field `{name}` has no meaning"),
        }
    }
}
