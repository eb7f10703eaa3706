//! What the text of an `.npy` header is made of: a dictionary in Python's notation, with three entries. Scanned once, from
//! left to right, without recursion.

use crate::FileFault;

/// NumPy has no arrays with more axes.
pub(super) const MAX_AXES: usize = 64;
/// No name of a type of elements is longer.
pub(super) const MAX_DTYPE: usize = 64;

/// What the dictionary says.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Said {
    pub(super) dtype: String,
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
}

/// Reads the dictionary. Its keys stand in any order, in quotes of either kind; white space is allowed wherever Python
/// allows it, and a comma behind the last item.
///
/// # Errors
///
/// `FileFault::Npy`.
pub(super) fn parse(text: &[u8]) -> Result<Said, FileFault> {
    let mut scanner = Scanner { text, at: 0 };
    let (mut dtype, mut fortran_order, mut shape) = (None, None, None);
    scanner.expect(b'{', "a `{`")?;
    while !scanner.accept(b'}') {
        let at = scanner.at;
        let key = scanner.string("a key of the dictionary")?;
        scanner.expect(b':', "a `:`")?;
        let is_first = match key {
            "descr" => dtype.replace(scanner.dtype()?).is_none(),
            "fortran_order" => fortran_order.replace(scanner.boolean()?).is_none(),
            "shape" => shape.replace(scanner.shape()?).is_none(),
            _ => return Err(scanner.fault(at, "`descr`, `fortran_order` or `shape`")),
        };
        if !is_first {
            return Err(scanner.fault(at, "each key once"));
        }
        if !scanner.accept(b',') {
            scanner.expect(b'}', "a `,` or a `}`")?;
            break;
        }
    }
    scanner.skip_space();
    if scanner.at < text.len() {
        return Err(scanner.fault(scanner.at, "nothing behind the dictionary"));
    }
    let missing =
        |key| fault("its header", "one with `descr`, `fortran_order` and `shape`", format!("without `{key}`"));
    Ok(Said {
        dtype: dtype.ok_or_else(|| missing("descr"))?,
        fortran_order: fortran_order.ok_or_else(|| missing("fortran_order"))?,
        shape: shape.ok_or_else(|| missing("shape"))?,
    })
}

pub(super) fn fault(what: &'static str, expected: impl Into<String>, found: impl Into<String>) -> FileFault {
    FileFault::Npy { what, expected: expected.into(), found: found.into() }
}

/// The beginning of some bytes, for a message.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const MOST: usize = 24;
    let shown = bytes[..bytes.len().min(MOST)].escape_ascii().to_string().replace("\\'", "'");
    format!("`{shown}{}`", if bytes.len() > MOST { "…" } else { "" })
}

struct Scanner<'a> {
    text: &'a [u8],
    /// INVARIANT: at most the text's length.
    at: usize,
}

impl<'a> Scanner<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// What is at `at` is not what it should be.
    fn fault(&self, at: usize, expected: &str) -> FileFault {
        let found = match &self.text[at..] {
            [] => "its end".to_owned(),
            rest => format!("{} at byte {at} of the text", excerpt(rest)),
        };
        fault("its header", expected, found)
    }

    fn skip_space(&mut self) {
        self.at += self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    }

    /// Skips white space, and then this, if it is there.
    fn accept(&mut self, byte: u8) -> bool {
        self.accept_word(&[byte])
    }

    fn accept_word(&mut self, word: &[u8]) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn expect(&mut self, byte: u8, expected: &str) -> Result<(), FileFault> {
        if self.accept(byte) { Ok(()) } else { Err(self.fault(self.at, expected)) }
    }

    /// A string of printable ASCII without a backslash.
    fn string(&mut self, expected: &str) -> Result<&'a str, FileFault> {
        self.skip_space();
        let [quote @ (b'\'' | b'"'), rest @ ..] = self.rest() else { return Err(self.fault(self.at, expected)) };
        let is_plain = |byte: &u8| byte != quote && *byte != b'\\' && matches!(byte, b' '..=b'~');
        let (string, behind) = rest.split_at(rest.iter().take_while(|byte| is_plain(byte)).count());
        match (behind, str::from_utf8(string)) {
            ([end, ..], Ok(string)) if end == quote => {
                self.at += string.len() + 2;
                Ok(string)
            }
            _ => Err(self.fault(self.at, expected)),
        }
    }

    fn dtype(&mut self) -> Result<String, FileFault> {
        self.skip_space();
        if self.rest().starts_with(b"[") {
            return Err(fault(
                "the type of its elements",
                "a number",
                format!("a structure, {}", excerpt(self.rest())),
            ));
        }
        let at = self.at;
        match self.string("the name of a type")? {
            // No quotes, so that it can be written again.
            name if (1..=MAX_DTYPE).contains(&name.len()) && !name.contains(['\'', '"']) => Ok(name.to_owned()),
            _ => Err(self.fault(at, "the name of a type")),
        }
    }

    fn boolean(&mut self) -> Result<bool, FileFault> {
        if self.accept_word(b"True") {
            Ok(true)
        } else if self.accept_word(b"False") {
            Ok(false)
        } else {
            Err(self.fault(self.at, "`True` or `False`"))
        }
    }

    fn shape(&mut self) -> Result<Vec<usize>, FileFault> {
        self.expect(b'(', "a tuple of lengths")?;
        let at = self.at;
        let mut shape = Vec::new();
        while !self.accept(b')') {
            if shape.len() == MAX_AXES {
                return Err(self.fault(at, &format!("at most {MAX_AXES} lengths")));
            }
            shape.push(self.length()?);
            if self.accept(b',') {
                continue;
            }
            // What has no comma is no tuple, but a number in parentheses.
            if shape.len() == 1 {
                return Err(self.fault(self.at, "a `,`"));
            }
            self.expect(b')', "a `,` or a `)`")?;
            break;
        }
        Ok(shape)
    }

    /// A number; those of Python 2 could end with an `L`.
    fn length(&mut self) -> Result<usize, FileFault> {
        self.skip_space();
        let digits = &self.rest()[..self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count()];
        let number = match digits {
            [b'0', _, ..] => None,
            digits => str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()),
        };
        let number = number.ok_or_else(|| self.fault(self.at, "the length of an axis"))?;
        self.at += digits.len();
        if self.rest().starts_with(b"L") {
            self.at += 1;
        }
        Ok(number)
    }
}
