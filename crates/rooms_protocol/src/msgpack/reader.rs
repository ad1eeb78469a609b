//! MessagePack value by value: where each begins, and what it says.

use rmp_serde::decode::Error;
use serde::de::Error as _;

/// The beginning of a value, or all of it where it holds no others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'de> {
    /// Nil, or an extension: other SDKs write what their language calls undefined as one.
    Nil,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'de str),
    /// Bytes, or a text that is none.
    Bytes(&'de [u8]),
    /// So many values follow.
    List(usize),
    /// So many keys follow, each with its value.
    Map(usize),
}

impl Token<'_> {
    /// How many values follow that belong to this one.
    fn parts(self) -> usize {
        match self {
            Self::List(length) => length,
            Self::Map(entries) => entries * 2,
            _ => 0,
        }
    }
}

/// Reads values from bytes that somebody sent.
#[derive(Clone, Debug)]
pub(super) struct Reader<'de> {
    left: &'de [u8],
}

impl<'de> Reader<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self { left: bytes }
    }

    /// Whether everything is read.
    pub(super) fn is_at_end(&self) -> bool {
        self.left.is_empty()
    }

    /// What is still to be read.
    pub(super) fn left(&self) -> &'de [u8] {
        self.left
    }

    /// The next value, or its beginning.
    ///
    /// # Errors
    /// Where the bytes end within it. A list or map that claims more than there are bytes ends too early as well.
    pub(super) fn next(&mut self) -> Result<Token<'de>, Error> {
        let [marker] = self.array()?;
        Ok(match marker {
            0x00..=0x7f => Token::Unsigned(marker.into()),
            0x80..=0x8f => self.map(usize::from(marker & 0x0f))?,
            0x90..=0x9f => self.list(usize::from(marker & 0x0f))?,
            0xa0..=0xbf => self.text(usize::from(marker & 0x1f))?,
            0xc0 => Token::Nil,
            0xc1 => return Err(Error::custom("0xc1 begins no value")),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4..=0xc6 => {
                let length = self.length(marker - 0xc4)?;
                Token::Bytes(self.take(length)?)
            }
            0xc7..=0xc9 => {
                let length = self.length(marker - 0xc7)?;
                self.extension(length)?
            }
            0xca => Token::Float(f32::from_be_bytes(self.array()?).into()),
            0xcb => Token::Float(f64::from_be_bytes(self.array()?)),
            0xcc => Token::Unsigned(u8::from_be_bytes(self.array()?).into()),
            0xcd => Token::Unsigned(u16::from_be_bytes(self.array()?).into()),
            0xce => Token::Unsigned(u32::from_be_bytes(self.array()?).into()),
            0xcf => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            0xd0 => Token::Signed(i8::from_be_bytes(self.array()?).into()),
            0xd1 => Token::Signed(i16::from_be_bytes(self.array()?).into()),
            0xd2 => Token::Signed(i32::from_be_bytes(self.array()?).into()),
            0xd3 => Token::Signed(i64::from_be_bytes(self.array()?)),
            0xd4..=0xd8 => self.extension(1 << (marker - 0xd4))?,
            0xd9..=0xdb => {
                let length = self.length(marker - 0xd9)?;
                self.text(length)?
            }
            0xdc | 0xdd => {
                let length = self.length(marker - 0xdb)?;
                self.list(length)?
            }
            0xde | 0xdf => {
                let length = self.length(marker - 0xdd)?;
                self.map(length)?
            }
            0xe0..=0xff => Token::Signed(i8::from_be_bytes([marker]).into()),
        })
    }

    /// Whether the next value is nil or an extension, which is then read.
    pub(super) fn take_nil(&mut self) -> Result<bool, Error> {
        match self.left.first() {
            Some(0xc0 | 0xc7..=0xc9 | 0xd4..=0xd8) => self.next().map(|_| true),
            _ => Ok(false),
        }
    }

    /// Skips one value with all that it holds, however deep. Returns how many values that were.
    pub(super) fn skip(&mut self) -> Result<usize, Error> {
        let (mut pending, mut skipped) = (1_usize, 0);
        while pending > 0 {
            pending = (pending - 1).saturating_add(self.next()?.parts());
            skipped += 1;
        }
        Ok(skipped)
    }

    fn take(&mut self, length: usize) -> Result<&'de [u8], Error> {
        let (taken, left) = self.left.split_at_checked(length).ok_or_else(cut_short)?;
        self.left = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, left) = self.left.split_first_chunk().ok_or_else(cut_short)?;
        self.left = left;
        Ok(*taken)
    }

    /// A length that takes 1, 2 or 4 bytes.
    fn length(&mut self, width: u8) -> Result<usize, Error> {
        Ok(match width {
            0 => usize::from(u8::from_be_bytes(self.array()?)),
            1 => usize::from(u16::from_be_bytes(self.array()?)),
            _ => usize::try_from(u32::from_be_bytes(self.array()?)).map_err(Error::custom)?,
        })
    }

    fn text(&mut self, length: usize) -> Result<Token<'de>, Error> {
        let bytes = self.take(length)?;
        Ok(str::from_utf8(bytes).map_or(Token::Bytes(bytes), Token::Text))
    }

    fn extension(&mut self, length: usize) -> Result<Token<'de>, Error> {
        self.take(length.saturating_add(1))?;
        Ok(Token::Nil)
    }

    fn list(&mut self, length: usize) -> Result<Token<'de>, Error> {
        if length > self.left.len() { Err(cut_short()) } else { Ok(Token::List(length)) }
    }

    fn map(&mut self, entries: usize) -> Result<Token<'de>, Error> {
        if entries > self.left.len() / 2 { Err(cut_short()) } else { Ok(Token::Map(entries)) }
    }
}

fn cut_short() -> Error {
    Error::custom("the bytes are cut short")
}
