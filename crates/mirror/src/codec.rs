//! Fixed binary forms of entries for spill files and the index. Private to one mirror; never sent anywhere.

use octo_core::{Code, Error, FileId, Kind, Meta, RelPath, Timestamp};

/// Writes values one after the other.
#[derive(Debug, Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    /// One byte.
    pub fn u8(&mut self, v: u8) {
        self.0.push(v);
    }
    /// A number.
    pub fn u32(&mut self, v: u32) {
        self.0.extend_from_slice(&v.to_le_bytes());
    }
    /// A number.
    pub fn u64(&mut self, v: u64) {
        self.0.extend_from_slice(&v.to_le_bytes());
    }
    /// A number.
    pub fn u128(&mut self, v: u128) {
        self.0.extend_from_slice(&v.to_le_bytes());
    }
    /// A moment.
    pub fn time(&mut self, v: Timestamp) {
        self.0.extend_from_slice(&v.0.to_le_bytes());
    }
    /// Bytes with their length.
    pub fn bytes(&mut self, v: &[u8]) {
        self.u32(u32::try_from(v.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(v);
    }
    /// A moment that may be unknown.
    pub fn optional_time(&mut self, v: Option<Timestamp>) {
        self.u8(u8::from(v.is_some()));
        self.time(v.unwrap_or_default());
    }
    /// An entry without its name.
    pub fn meta(&mut self, m: &Meta) {
        self.u8(match m.kind {
            Kind::File => 0,
            Kind::Folder => 1,
            Kind::Link => 2,
            Kind::Other => 3,
        });
        self.u8(u8::from(m.is_local));
        self.u64(m.size_bytes);
        self.time(m.write_time);
        self.optional_time(m.creation_time);
        self.optional_time(m.change_time);
        self.u32(m.attributes);
        self.u32(m.links);
        self.u8(u8::from(m.id.is_some()));
        let id = m.id.unwrap_or(FileId { volume: 0, id: 0 });
        self.u64(id.volume);
        self.u128(id.id);
    }
}

/// Reads what a [`Writer`] wrote. Running out of bytes is an error, never a panic: the disk may be damaged.
#[derive(Debug)]
pub struct Reader<'a>(pub &'a [u8]);

fn damaged() -> Error {
    Error::new(Code::RecordsDamaged, "a record is shorter than it says")
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Error> {
        if n > self.0.len() {
            return Err(damaged());
        }
        let (head, tail) = self.0.split_at(n);
        self.0 = tail;
        Ok(head)
    }
    /// This many bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.take(N)?.try_into().map_err(|_| damaged())
    }
    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.array::<1>()?[0])
    }
    /// A number.
    pub fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    /// A number.
    pub fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    /// A number.
    pub fn u128(&mut self) -> Result<u128, Error> {
        Ok(u128::from_le_bytes(self.array()?))
    }
    /// A moment.
    pub fn time(&mut self) -> Result<Timestamp, Error> {
        Ok(Timestamp(i64::from_le_bytes(self.array()?)))
    }
    /// Bytes with their length.
    pub fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let n = self.u32()?;
        self.take(n as usize)
    }
    /// A path.
    pub fn path(&mut self) -> Result<RelPath, Error> {
        RelPath::parse(self.bytes()?).map_err(|_| damaged())
    }
    /// A moment that may be unknown.
    pub fn optional_time(&mut self) -> Result<Option<Timestamp>, Error> {
        let is_present = self.u8()? != 0;
        let time = self.time()?;
        Ok(is_present.then_some(time))
    }
    /// An entry without its name.
    pub fn meta(&mut self) -> Result<Meta, Error> {
        let kind = match self.u8()? {
            0 => Kind::File,
            1 => Kind::Folder,
            2 => Kind::Link,
            3 => Kind::Other,
            _ => return Err(damaged()),
        };
        let is_local = self.u8()? != 0;
        let size_bytes = self.u64()?;
        let write_time = self.time()?;
        let creation_time = self.optional_time()?;
        let change_time = self.optional_time()?;
        let attributes = self.u32()?;
        let links = self.u32()?;
        let has_id = self.u8()? != 0;
        let id = FileId { volume: self.u64()?, id: self.u128()? };
        let id = has_id.then_some(id);
        Ok(Meta { kind, size_bytes, write_time, creation_time, change_time, attributes, id, links, is_local })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn metas_round_trip(size in any::<u64>(), write in any::<i64>(), change in proptest::option::of(any::<i64>()), id in proptest::option::of(any::<u128>()), local in any::<bool>()) {
            let meta = Meta {
                change_time: change.map(Timestamp), id: id.map(|id| FileId { volume: 3, id }), is_local: local, attributes: 7, links: 2,
                ..Meta::new(Kind::Link, size, Timestamp(write))
            };
            let mut writer = Writer::default();
            writer.meta(&meta);
            writer.bytes(b"tail");
            let mut reader = Reader(&writer.0);
            prop_assert_eq!(reader.meta().unwrap(), meta);
            prop_assert_eq!(reader.bytes().unwrap(), b"tail");
        }

        #[test]
        fn damaged_bytes_are_an_error_not_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let mut reader = Reader(&bytes);
            let _ = reader.meta();
            let _ = reader.path();
        }
    }
}
