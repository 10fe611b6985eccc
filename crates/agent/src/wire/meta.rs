//! What is known of an entry, as differences to the one before.

use super::cursor::{Cursor, put_varint, put_zigzag, put_zigzag_wide};
use octo_core::{Error, FileId, Kind, Meta, Timestamp};

const NOT_LOCAL: u8 = 1 << 2;
const CREATION: u8 = 1 << 3;
const CHANGE: u8 = 1 << 4;
const ID: u8 = 1 << 5;
const ATTRIBUTES: u8 = 1 << 6;
const LINKS: u8 = 1 << 7;

/// What the differences refer to: the meta before in the same frame.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PreviousMeta {
    write: i64,
    volume: u64,
    id: u128,
}

impl PreviousMeta {
    pub fn put(&mut self, out: &mut Vec<u8>, meta: &Meta) {
        let kind = match meta.kind {
            Kind::File => 0,
            Kind::Folder => 1,
            Kind::Link => 2,
            Kind::Other => 3,
        };
        let flag = |is: bool, bit: u8| if is { bit } else { 0 };
        out.push(
            kind | flag(!meta.is_local, NOT_LOCAL)
                | flag(meta.creation_time.is_some(), CREATION)
                | flag(meta.change_time.is_some(), CHANGE)
                | flag(meta.id.is_some(), ID)
                | flag(meta.attributes != 0, ATTRIBUTES)
                | flag(meta.links != 1, LINKS),
        );
        put_varint(out, meta.size_bytes);
        let write = meta.write_time.0;
        put_zigzag(out, write.wrapping_sub(self.write));
        self.write = write;
        for time in [meta.creation_time, meta.change_time].into_iter().flatten() {
            put_zigzag(out, time.0.wrapping_sub(write));
        }
        if let Some(id) = meta.id {
            put_zigzag(out, id.volume.wrapping_sub(self.volume) as i64);
            put_zigzag_wide(out, id.id.wrapping_sub(self.id) as i128);
            (self.volume, self.id) = (id.volume, id.id);
        }
        if meta.attributes != 0 {
            put_varint(out, meta.attributes);
        }
        if meta.links != 1 {
            put_varint(out, meta.links);
        }
    }

    pub fn get(&mut self, cursor: &mut Cursor<'_>) -> Result<Meta, Error> {
        let flags = cursor.u8()?;
        let has = |bit: u8| flags & bit != 0;
        let kind = match flags & 3 {
            0 => Kind::File,
            1 => Kind::Folder,
            2 => Kind::Link,
            _ => Kind::Other,
        };
        let size_bytes = cursor.varint()?;
        self.write = self.write.wrapping_add(cursor.zigzag()?);
        let write = self.write;
        let mut time = |bit| {
            if !has(bit) {
                return Ok::<_, Error>(None);
            }
            Ok(Some(Timestamp(write.wrapping_add(cursor.zigzag()?))))
        };
        let (creation_time, change_time) = (time(CREATION)?, time(CHANGE)?);
        let mut id = None;
        if has(ID) {
            self.volume = self.volume.wrapping_add(cursor.zigzag()? as u64);
            self.id = self.id.wrapping_add(cursor.zigzag_wide()? as u128);
            id = Some(FileId { volume: self.volume, id: self.id });
        }
        let attributes = if has(ATTRIBUTES) { cursor.varint()? } else { 0 };
        let links = if has(LINKS) { cursor.varint()? } else { 1 };
        Ok(Meta {
            kind,
            size_bytes,
            write_time: Timestamp(write),
            creation_time,
            change_time,
            attributes,
            id,
            links,
            is_local: !has(NOT_LOCAL),
        })
    }
}
