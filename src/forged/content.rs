//! Content that is no value of the type.

use super::{fields::KINDS, *};

/// A value of bytes, and a token that says it is a `T`'s.
fn said_to_be<T: ShmemBacked + ?Sized, M: Serialize>(kind: Kind, bytes: &[u8], metadata: &M) -> Token {
    let text = match kind {
        Kind::Shared => SharedSlice::<u8>::copy_from(bytes).unwrap().into_token().unwrap(),
        Kind::SharedMut => SharedSliceMut::<u8>::copy_from(bytes).unwrap().into_token().unwrap(),
    };
    let (fields, secret) = taken_apart(&text);
    forge(&Fields { fingerprint: T::fingerprint(), ..fields }, metadata, &secret)
}

/// The error of a claim; the message is taken back after it.
fn refused<H>(claim: fn(&str) -> Result<H, Error>, token: &Token) -> Error {
    let Err(error) = claim(&token.text()) else { panic!("claimed") };
    assert!(revoke(token.as_bytes()).unwrap(), "a claim that fails leaves the ticket: {error}");
    error
}

#[test]
fn a_bool_that_is_two_and_a_char_that_is_none() {
    assert!(
        SharedSlice::<bool>::from_token(&said_to_be::<[bool], _>(Kind::Shared, &[0, 1, 1], &3usize).text()).is_ok()
    );
    for (bytes, at) in [([2, 0, 1], 0), ([0, 1, 2], 2), ([1, 255, 1], 1)] {
        let token = said_to_be::<[bool], _>(Kind::Shared, &bytes, &3usize);
        let error = refused(SharedSlice::<bool>::from_token, &token);
        assert!(matches!(error, Error::Content { .. }), "{at}: {error:?}");
        let token = said_to_be::<[bool], _>(Kind::SharedMut, &bytes, &3usize);
        let error = refused(SharedSliceMut::<bool>::from_token, &token);
        assert!(matches!(error, Error::Content { .. }), "{at}: {error:?}");
        let token = said_to_be::<[bool], _>(Kind::Shared, &bytes, &3usize);
        let error = serde_json::from_str::<SharedSlice<bool>>(&serde_json::to_string(&Sent(&token)).unwrap());
        assert!(error.unwrap_err().to_string().contains("content"));
        assert!(revoke(token.as_bytes()).unwrap());
    }
    for bad in [0xd800u32, 0xdfff, 0x11_0000, u32::MAX] {
        let token = said_to_be::<[char], _>(Kind::Shared, &bad.to_ne_bytes(), &1usize);
        let error = refused(SharedSlice::<char>::from_token, &token);
        assert!(matches!(error, Error::Content { .. }), "{bad:x}: {error:?}");
    }
}

#[test]
fn a_value_refused_for_its_content_can_still_be_claimed_as_what_it_is() {
    for kind in KINDS {
        let text = match kind {
            Kind::Shared => SharedSlice::<u8>::copy_from(&[2, 0xff][..]).unwrap().into_token().unwrap(),
            Kind::SharedMut => SharedSliceMut::<u8>::copy_from(&[2, 0xff][..]).unwrap().into_token().unwrap(),
        };
        let (fields, secret) = taken_apart(&text);
        let bools = forge(&Fields { fingerprint: <[bool]>::fingerprint(), ..fields }, &2usize, &secret);
        let letters = forge(&Fields { fingerprint: str::fingerprint(), ..fields }, &2usize, &secret);
        let errors = match kind {
            Kind::Shared => [
                refusal("bools", SharedSlice::<bool>::from_token, &bools),
                refusal("text", SharedStr::from_token, &letters),
            ],
            Kind::SharedMut => [
                refusal("bools", SharedSliceMut::<bool>::from_token, &bools),
                refusal("text", SharedMut::<str>::from_token, &letters),
            ],
        };
        assert!(errors.iter().all(|error| matches!(error, Error::Content { .. })), "{errors:?}");
        match kind {
            Kind::Shared => {
                let value = SharedSlice::<u8>::from_token(&text).unwrap();
                assert_eq!((&value[..], value.counts().in_flight), (&[2, 0xff][..], 0));
            }
            Kind::SharedMut => assert_eq!(*SharedSliceMut::<u8>::from_token(&text).unwrap(), [2, 0xff]),
        }
    }
}

#[test]
fn text_that_is_not_utf_8() {
    let token = said_to_be::<str, _>(Kind::Shared, "grüße".as_bytes(), &7usize);
    assert_eq!(*SharedStr::from_token(&token.text()).unwrap(), *"grüße");
    for bytes in [&b"\xff"[..], b"ab\xc3", b"\xed\xa0\x80", b"\xc0\x80abc", &[b'x'; 5000].map(|x| x | 0x80)] {
        let token = said_to_be::<str, _>(Kind::Shared, bytes, &bytes.len());
        let error = refused(SharedStr::from_token, &token);
        assert!(matches!(error, Error::Content { .. }), "{error:?}");
        let token = said_to_be::<str, _>(Kind::SharedMut, bytes, &bytes.len());
        let error = refused(SharedMut::<str>::from_token, &token);
        assert!(matches!(error, Error::Content { .. }), "{error:?}");
    }
}
