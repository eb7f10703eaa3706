//! Bytes that mean nothing.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// As many bytes as a token has, sent and received as a token is: what a message of that length costs, whatever is in it.
pub(crate) struct Opaque(pub(crate) [u8; Opaque::LEN]);

impl Opaque {
    pub(crate) const LEN: usize = 92;
}

impl Serialize for Opaque {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Opaque {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl de::Visitor<'_> for Bytes {
            type Value = Opaque;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} bytes", Opaque::LEN)
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Opaque, E> {
                bytes.try_into().map(Opaque).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}
