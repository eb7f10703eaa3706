//! The explicit form of a serialization: made, kept, passed on and taken back by hand.

use std::{
    any::type_name,
    fmt,
    marker::PhantomData,
    mem,
    sync::atomic::{AtomicU32, Ordering},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Error, Kind, Shared, SharedMut, ShmemBacked, sys,
    wire::{self, Token, Unverified},
};

/// A ticket for a value of type `T` in shared memory: one serialization that has not been claimed yet.
///
/// It is made by [`Shared::ticket`] or [`SharedMut::into_ticket`], or deserialized from anything that those two wrappers, or
/// a ticket, have been serialized to. It is only a token: to pass it on, a process needs no access to the value, and gets
/// none. Other than the wrappers it serializes any number of times as the *same* ticket, and says by typed errors why a
/// claim fails.
///
/// ```
/// use commonage::{Error, SharedStr, SharedStrMut, Ticket};
///
/// let ticket = SharedStrMut::copy_from("for one")?.into_ticket()?;
/// let text = serde_json::to_string(&ticket).unwrap();
///
/// // In any process:
/// let ticket: Ticket<str> = serde_json::from_str(&text).unwrap();
/// assert!(matches!(ticket.claim(), Err(Error::WrongKind { .. })));
/// assert_eq!(ticket.claim_mut()?, "for one");
/// assert!(matches!(ticket.claim_mut(), Err(Error::AlreadyClaimed { .. })));
/// # Ok::<(), commonage::Error>(())
/// ```
///
/// # Originals and copies
///
/// The ticket that its issuer makes is the original. Dropped before it has been serialized, turned into a token or
/// claimed, it takes itself back: a value that nobody else holds goes with it. Once it has been sent it is a copy like any
/// other, and dropping a copy changes nothing.
///
/// # Files
///
/// Of a value in a [`file`](crate::file) the ticket keeps nothing alive: it says where the file is, and how to know that
/// it is still the same. One for a [`Shared`] can be claimed as often as anybody likes, as long as the file is as it was;
/// it is never taken back, and [`revoke`](Self::revoke) is false. One for a [`SharedMut`] can be claimed once, as any
/// other; to take it back is to claim the file and let it go, so that nobody else's claim finds it. An original that is
/// dropped unsent does that if it can: if another process has the file by then, that has made the ticket worthless
/// already. In both cases, the file stays, with what was written to it.
#[must_use = "an original that is dropped unsent takes itself back"]
pub struct Ticket<T: ?Sized> {
    token: Token,
    /// Of an unsent original the process that issued it, else 0: a forked child inherits the ticket, not the right to
    /// take it back. Relaxed: it orders nothing, and whoever drops is alone.
    unsent: AtomicU32,
    of: PhantomData<fn() -> T>,
}

impl<T: ?Sized> Ticket<T> {
    pub(crate) fn original(token: Token) -> Self {
        Ticket { token, unsent: AtomicU32::new(sys::process_id()), of: PhantomData }
    }

    fn copy(token: &[u8]) -> Result<Self, Error> {
        Ok(Ticket { token: Token::copy_from(token)?, unsent: AtomicU32::new(0), of: PhantomData })
    }

    fn sent(&self) {
        self.unsent.store(0, Ordering::Relaxed);
    }

    /// Which of the two claims the ticket is for: [`claim`](Self::claim) or [`claim_mut`](Self::claim_mut). Until then it is
    /// only what the token says.
    pub fn kind(&self) -> Kind {
        match self.token.parse() {
            Ok(token) => token.kind(),
            Err(_) => unreachable!("a token has been parsed, or made here"),
        }
    }

    /// The text of the ticket, to be passed by argv, environment, or a pipe: the same as
    /// [`Shared::into_token`] makes. The ticket counts as sent.
    pub fn into_token(self) -> String {
        self.sent();
        self.token.text()
    }

    /// The ticket of a text. White space around it is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::NotAToken`]. Whether the token is as it was sent shows at the claim.
    pub fn from_token(token: &str) -> Result<Self, Error> {
        wire::from_text(token, Self::copy)
    }

    /// Takes the ticket back, so that it can't be claimed any more; true if it was still there. A value that is
    /// held by nothing else goes with it, unless it is in a [file](Self#files). Whoever has a ticket can do that, as it could
    /// claim the value and drop it.
    ///
    /// ```
    /// use commonage::SharedSlice;
    /// let shared: SharedSlice<u8> = SharedSlice::copy_from(&[1, 2, 3])?;
    /// let ticket = shared.ticket()?;
    /// assert_eq!(shared.counts().in_flight, 1);
    /// assert!(ticket.revoke()?);
    /// assert_eq!(shared.counts().in_flight, 0);
    /// # Ok::<(), commonage::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of finding the ticket's segment, as at [`Shared::from_token`]; of a file's [`SharedMut`] those of claiming it.
    pub fn revoke(self) -> Result<bool, Error> {
        self.sent();
        wire::revoke(self.token.as_bytes())
    }
}

impl<T> Ticket<T>
where
    T: ShmemBacked + ?Sized,
{
    /// Claims the value, in whatever process. Claimed a second time it gives one more handle, as long as there is any.
    ///
    /// # Errors
    ///
    /// As [`Shared::from_token`].
    pub fn claim(&self) -> Result<Shared<T>, Error> {
        let shared = Shared::claim(self.token.as_bytes())?;
        self.sent();
        Ok(shared)
    }

    /// Claims the value, in whatever process, to write. It can be claimed once. A claim that fails can be repeated.
    ///
    /// # Errors
    ///
    /// As [`SharedMut::from_token`].
    pub fn claim_mut(&self) -> Result<SharedMut<T>, Error> {
        let exclusive = SharedMut::claim(self.token.as_bytes())?;
        self.sent();
        Ok(exclusive)
    }
}

impl<T: ?Sized> Drop for Ticket<T> {
    fn drop(&mut self) {
        let issuer = mem::take(self.unsent.get_mut());
        if issuer != 0 && issuer == sys::process_id() {
            // An error means that there is nothing left to take back.
            let _ = wire::revoke(self.token.as_bytes());
        }
    }
}

/// Emits the token, always the same. An original counts as sent when a serializer has accepted it, but not by one that
/// only measures.
impl<T: ?Sized> Serialize for Ticket<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sent = self.token.emit(serializer)?;
        if !wire::only_measures::<S>() {
            self.sent();
        }
        Ok(sent)
    }
}

/// Takes the token as it is, without looking for the value.
impl<'de, T: ?Sized> Deserialize<'de> for Ticket<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        wire::receive(deserializer, Self::copy)
    }
}

/// Where the value is. Not the token: whoever has that can claim the value.
impl<T: ?Sized> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Ticket");
        shown.field("type", &format_args!("{}", type_name::<T>()));
        if let Ok(token) = self.token.parse() {
            shown.field("kind", &token.kind());
            match token {
                Unverified::Block(token) => shown
                    .field("segment", &format_args!("{}", token.fields().locator.id))
                    .field("ticket", &token.fields().issued.ticket),
                Unverified::File(token) => shown.field("file", &token.path()),
            };
        }
        shown.finish_non_exhaustive()
    }
}
