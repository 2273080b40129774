//! How each field type is written: plain numbers and text, names, digests, options and lists.

use oci::digest::Digest;
use oci::manifest::Role;
use oci::name::{RepositoryName, TagName};

use super::{Field, Malformed, Raw, Reader, Value, write_bytes, write_number};
use crate::replica::{MemberNumber, ReplicaId};

impl<T: Value> Field for Option<T> {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        if let Some(value) = self {
            value.write(number, out);
        }
    }

    fn take(reader: &mut Reader<'_>, number: u32) -> Result<Self, Malformed> {
        reader.take(number)?.map(T::read).transpose()
    }
}

impl<T: Value> Field for Vec<T> {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        for value in self {
            value.write(number, out);
        }
    }

    fn take(reader: &mut Reader<'_>, number: u32) -> Result<Self, Malformed> {
        let mut values = Vec::new();
        while let Some(raw) = reader.take(number)? {
            values.push(T::read(raw)?);
        }
        Ok(values)
    }
}

/// Plain numbers: a value may be zero inside `Option` and `Vec`; as a field by itself zero is left
/// out.
macro_rules! plain_numbers {
    ($($Type:ty)*) => { $(
        impl Value for $Type {
            fn write(&self, number: u32, out: &mut Vec<u8>) {
                write_number(number, u64::from(*self), out);
            }

            fn read(raw: Raw<'_>) -> Result<Self, Malformed> {
                Self::try_from(raw.number()?).map_err(|_| Malformed::Value("a number too large"))
            }
        }

        impl Field for $Type {
            fn put(&self, number: u32, out: &mut Vec<u8>) {
                if *self != 0 {
                    self.write(number, out);
                }
            }

            fn take(reader: &mut Reader<'_>, number: u32) -> Result<Self, Malformed> {
                reader.take(number)?.map_or(Ok(0), Self::read)
            }
        }
    )* };
}

plain_numbers!(u64 u32 u16);

impl Value for bool {
    fn write(&self, number: u32, out: &mut Vec<u8>) {
        write_number(number, u64::from(*self), out);
    }

    fn read(raw: Raw<'_>) -> Result<Self, Malformed> {
        match raw.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Value("neither true nor false")),
        }
    }
}

impl Field for bool {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        if *self {
            self.write(number, out);
        }
    }

    fn take(reader: &mut Reader<'_>, number: u32) -> Result<Self, Malformed> {
        reader.take(number)?.map_or(Ok(false), Self::read)
    }
}

impl Value for String {
    fn write(&self, number: u32, out: &mut Vec<u8>) {
        write_bytes(number, self.as_bytes(), out);
    }

    fn read(raw: Raw<'_>) -> Result<Self, Malformed> {
        raw.text().map(str::to_owned)
    }
}

impl Field for String {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        if !self.is_empty() {
            self.write(number, out);
        }
    }

    fn take(reader: &mut Reader<'_>, number: u32) -> Result<Self, Malformed> {
        reader.take(number)?.map_or(Ok(Self::new()), Self::read)
    }
}

impl Field for Vec<u8> {
    fn put(&self, number: u32, out: &mut Vec<u8>) {
        if !self.is_empty() {
            write_bytes(number, self, out);
        }
    }

    fn take(reader: &mut Reader<'_>, number: u32) -> Result<Self, Malformed> {
        let raw = reader.take(number)?;
        raw.map_or(Ok(Self::new()), |raw| raw.bytes().map(<[u8]>::to_vec))
    }
}

/// Values that are checked when read and must be there when they stand as a field.
macro_rules! checked {
    ($(
        $Type:ty: |$value:ident, $number:ident, $out:ident| $write:expr, |$raw:ident| $read:expr;
    )*) => { $(
        impl Value for $Type {
            fn write(&self, $number: u32, $out: &mut Vec<u8>) {
                let $value = self;
                $write
            }

            fn read($raw: Raw<'_>) -> Result<Self, Malformed> {
                $read
            }
        }

        super::required!($Type);
    )* };
}

checked! {
    [u8; 16]: |value, number, out| write_bytes(number, value, out),
        |raw| raw.bytes()?.try_into().map_err(|_| Malformed::Value("not sixteen bytes"));
    [u8; 32]: |value, number, out| write_bytes(number, value, out),
        |raw| raw.bytes()?.try_into().map_err(|_| Malformed::Value("not thirty-two bytes"));
    Digest: |value, number, out| write_bytes(number, &value.to_bytes(), out),
        |raw| Self::from_key(raw.bytes()?).ok_or(Malformed::Value("not a digest"));
    RepositoryName: |value, number, out| write_bytes(number, value.as_str().as_bytes(), out),
        |raw| Self::parse(raw.text()?).map_err(|_| Malformed::Value("not a repository name"));
    TagName: |value, number, out| write_bytes(number, value.as_str().as_bytes(), out),
        |raw| Self::parse(raw.text()?).map_err(|_| Malformed::Value("not a tag name"));
    ReplicaId: |value, number, out| write_number(number, value.as_u64(), out),
        |raw| Self::from_u64(raw.number()?).ok_or(Malformed::Value("not a replica id"));
    MemberNumber: |value, number, out| write_number(number, u64::from(value.0), out),
        |raw| u16::read(raw).map(MemberNumber);
    Role: |value, number, out| write_number(number, role_number(*value), out),
        |raw| role_of(raw.number()?);
}

fn role_number(role: Role) -> u64 {
    match role {
        Role::Config => 1,
        Role::Layer => 2,
        Role::Child => 3,
    }
}

fn role_of(number: u64) -> Result<Role, Malformed> {
    match number {
        1 => Ok(Role::Config),
        2 => Ok(Role::Layer),
        3 => Ok(Role::Child),
        _ => Err(Malformed::Value("not a role of a descriptor")),
    }
}
