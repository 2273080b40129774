//! How rows, commands and answers become bytes: protobuf's wire format, written one way only.
//!
//! `message!`, `choice!` and `numbered!` declare a type together with its field numbers, as a
//! `.proto` file would, but with the field types of this house (a digest, a repository name)
//! instead of text and bytes, so that no second set of structs is needed. Numbers are never used
//! again for something else.
//!
//! Writing is canonical (fields in rising order, zero and empty left out), since replicas compare
//! stored bytes. Reading is strict: a field this binary does not know is an error, never dropped,
//! since a replica that ignored it would reach another state than the others.

use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// Bytes that are not what this binary, or an older one, would have written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end too early or are no protobuf at all.
    #[error("the bytes are cut or not in protobuf's wire format")]
    Cut,
    /// A field or variant that a newer binary wrote.
    #[error(
        "{type_name} carries field {number}, which this version does not know; \
             a newer version wrote it"
    )]
    Unknown {
        /// The type that was read.
        type_name: &'static str,
        /// The number found.
        number: u32,
    },
    /// A field that every version writes is not there.
    #[error("a required field is missing")]
    Missing,
    /// A value outside its type's bounds.
    #[error("a value is out of bounds: {0}")]
    Value(&'static str),
    /// A log entry in a newer format.
    #[error("the log entry has format {0}; this version knows format 1 only")]
    NewerFormat(u32),
}

/// A field's value as it stands in the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raw<'a> {
    /// A number.
    Number(u64),
    /// Text, bytes or a nested message.
    Bytes(&'a [u8]),
}

impl<'a> Raw<'a> {
    pub(crate) fn number(self) -> Result<u64, Malformed> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Bytes(_) => Err(Malformed::Value("bytes where a number stands")),
        }
    }

    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err(Malformed::Value("a number where bytes stand")),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed::Value("text that is not UTF-8"))
    }
}

/// Reads fields in rising order of their numbers.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The field that comes next, if any.
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Raw<'a>)>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = decode_key(&mut self.rest).map_err(|_| Malformed::Cut)?;
        let value = decode_varint(&mut self.rest).map_err(|_| Malformed::Cut)?;
        match wire_type {
            WireType::Varint => Ok(Some((number, Raw::Number(value)))),
            WireType::LengthDelimited => {
                let length = usize::try_from(value).map_err(|_| Malformed::Cut)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Cut)?;
                self.rest = rest;
                Ok(Some((number, Raw::Bytes(bytes))))
            }
            _ => Err(Malformed::Cut),
        }
    }

    /// The next field if it is `number`; leaves it where it is otherwise.
    pub(crate) fn take(&mut self, number: u32) -> Result<Option<Raw<'a>>, Malformed> {
        let before = self.rest;
        match self.next()? {
            Some((found, raw)) if found == number => Ok(Some(raw)),
            Some(_) => {
                self.rest = before;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    /// Whatever was not taken is a field this binary does not know.
    pub(crate) fn end(&mut self, type_name: &'static str) -> Result<(), Malformed> {
        match self.next()? {
            None => Ok(()),
            Some((number, _)) => Err(Malformed::Unknown { type_name, number }),
        }
    }
}

/// One value under a field number.
pub(crate) trait Value: Sized {
    fn write(&self, number: u32, out: &mut Vec<u8>);
    fn read(raw: Raw<'_>) -> Result<Self, Malformed>;
}

/// What may stand as a field of a message: a value, a plain number or text with a default, an
/// `Option` or a `Vec`.
pub(crate) trait Field: Sized {
    fn put(&self, number: u32, out: &mut Vec<u8>);
    fn take(reader: &mut Reader<'_>, number: u32) -> Result<Self, Malformed>;
}

/// A struct or enum with field numbers: nested it is a length-delimited value.
pub(crate) trait Message: Sized {
    fn write_fields(&self, out: &mut Vec<u8>);
    fn read_fields(reader: &mut Reader<'_>) -> Result<Self, Malformed>;
}

pub(crate) fn write_number(number: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(number, WireType::Varint, out);
    encode_varint(value, out);
}

pub(crate) fn write_bytes(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

pub(crate) fn write_message(number: u32, message: &impl Message, out: &mut Vec<u8>) {
    let mut body = Vec::with_capacity(64);
    message.write_fields(&mut body);
    write_bytes(number, &body, out);
}

pub(crate) fn encode(message: &impl Message) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    message.write_fields(&mut out);
    out
}

pub(crate) fn decode<M: Message>(bytes: &[u8]) -> Result<M, Malformed> {
    M::read_fields(&mut Reader::new(bytes))
}

mod values;

/// Declares a struct whose fields carry protobuf numbers.
macro_rules! message {
    ($(#[$meta:meta])* pub struct $Name:ident {
        $($(#[$field_meta:meta])* $number:literal $field:ident: $Type:ty,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $Name { $($(#[$field_meta])* pub $field: $Type,)* }

        impl $crate::codec::Message for $Name {
            fn write_fields(&self, out: &mut Vec<u8>) {
                $($crate::codec::Field::put(&self.$field, $number, out);)*
                let _ = out;
            }

            fn read_fields(
                reader: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::Malformed> {
                let message = Self {
                    $($field: $crate::codec::Field::take(reader, $number)?,)*
                };
                reader.end(stringify!($Name))?;
                Ok(message)
            }
        }

        $crate::codec::coded!($Name);
    };
}

/// Declares an enum whose variants, and their fields, carry protobuf numbers.
macro_rules! choice {
    ($(#[$meta:meta])* pub enum $Name:ident {
        $($(#[$variant_meta:meta])* $variant_number:literal $Variant:ident $({
            $($(#[$field_meta:meta])* $number:literal $field:ident: $Type:ty,)*
        })?,)*
    }) => {
        $(#[$meta])*
        pub enum $Name {
            $($(#[$variant_meta])* $Variant $({ $($(#[$field_meta])* $field: $Type,)* })?,)*
        }

        impl $crate::codec::Message for $Name {
            fn write_fields(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$Variant $({ $($field,)* })? => {
                        #[allow(unused_mut)]
                        let mut body = Vec::new();
                        $($($crate::codec::Field::put($field, $number, &mut body);)*)?
                        $crate::codec::write_bytes($variant_number, &body, out);
                    })*
                }
            }

            fn read_fields(
                reader: &mut $crate::codec::Reader<'_>,
            ) -> Result<Self, $crate::codec::Malformed> {
                let (number, raw) = reader.next()?.ok_or($crate::codec::Malformed::Missing)?;
                let mut body = $crate::codec::Reader::new(raw.bytes()?);
                let choice = match number {
                    $($variant_number => Self::$Variant $({
                        $($field: $crate::codec::Field::take(&mut body, $number)?,)*
                    })?,)*
                    _ => {
                        let type_name = stringify!($Name);
                        return Err($crate::codec::Malformed::Unknown { type_name, number });
                    }
                };
                body.end(stringify!($Name))?;
                reader.end(stringify!($Name))?;
                Ok(choice)
            }
        }

        $crate::codec::coded!($Name);
    };
}

/// Declares an enum without fields, stored as a number.
macro_rules! numbered {
    ($(#[$meta:meta])* pub enum $Name:ident {
        $($(#[$variant_meta:meta])* $number:literal $Variant:ident,)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $Name { $($(#[$variant_meta])* $Variant = $number,)* }

        impl $crate::codec::Value for $Name {
            fn write(&self, number: u32, out: &mut Vec<u8>) {
                $crate::codec::write_number(number, *self as u64, out);
            }

            fn read(raw: $crate::codec::Raw<'_>) -> Result<Self, $crate::codec::Malformed> {
                match raw.number()? {
                    $($number => Ok(Self::$Variant),)*
                    _ => Err($crate::codec::Malformed::Value(concat!(
                        stringify!($Name), ": a number that this version does not know"
                    ))),
                }
            }
        }

        $crate::codec::required!($Name);
    };
}

/// What a message and a choice share: whole-value coding, and standing as a field.
macro_rules! coded {
    ($Name:ident) => {
        impl $Name {
            /// These bytes are stored and sent; equal values give equal bytes.
            pub fn encode(&self) -> Vec<u8> {
                $crate::codec::encode(self)
            }

            /// The value that [`encode`](Self::encode) wrote.
            pub fn decode(bytes: &[u8]) -> Result<Self, $crate::codec::Malformed> {
                $crate::codec::decode(bytes)
            }
        }

        impl $crate::codec::Value for $Name {
            fn write(&self, number: u32, out: &mut Vec<u8>) {
                $crate::codec::write_message(number, self, out);
            }

            fn read(raw: $crate::codec::Raw<'_>) -> Result<Self, $crate::codec::Malformed> {
                $crate::codec::decode(raw.bytes()?)
            }
        }

        $crate::codec::required!($Name);
    };
}

/// A value that, standing as a field by itself, is always written and must be there.
macro_rules! required {
    ($Name:ty) => {
        impl $crate::codec::Field for $Name {
            fn put(&self, number: u32, out: &mut Vec<u8>) {
                $crate::codec::Value::write(self, number, out);
            }

            fn take(
                reader: &mut $crate::codec::Reader<'_>,
                number: u32,
            ) -> Result<Self, $crate::codec::Malformed> {
                let raw = reader.take(number)?.ok_or($crate::codec::Malformed::Missing)?;
                $crate::codec::Value::read(raw)
            }
        }
    };
}

pub(crate) use {choice, coded, message, numbered, required};
