//! The parts of an entry's metadata that its filesystem cannot hold.
//!
//! They are kept as an object that is never changed once it is written; paths refer to it, as names refer to an inode. So
//! a hard link costs one small row, and what a version refers to stays as it was. An object goes with its last path.

use super::database::{Records, below};
use super::fault::damage;
use octo_core::{Error, RelPath};
use rusqlite::{Transaction, params};

/// What a piece is of. The numbers are kept in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum PieceKind {
    Attributes = 1,
    Security = 2,
    Stream = 3,
    Extended = 4,
    Reparse = 5,
    Posix = 6,
    Xattr = 7,
}

impl PieceKind {
    const ALL: [PieceKind; 7] = [
        PieceKind::Attributes,
        PieceKind::Security,
        PieceKind::Stream,
        PieceKind::Extended,
        PieceKind::Reparse,
        PieceKind::Posix,
        PieceKind::Xattr,
    ];
}

/// What is recorded for a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Detail {
    object: i64,
    /// This is all of the entry's metadata, not only what its filesystem cannot hold.
    pub(crate) is_whole: bool,
}

/// An object while it is written, in a transaction of its own.
pub(crate) struct ObjectWriter<'t> {
    change: Transaction<'t>,
    object: i64,
    pieces: u64,
}

impl Records {
    /// What is recorded for `path`.
    pub(crate) fn detail(&self, path: &RelPath) -> Result<Option<Detail>, Error> {
        self.one("SELECT object, is_whole FROM detail WHERE path = ?1", params![path.as_bytes()], |row| {
            Ok(Detail { object: row.get(0)?, is_whole: row.get(1)? })
        })
    }

    /// Hands over the pieces of an object in order: sort, name, offset, data. Those of one name follow each other.
    pub(crate) fn pieces(
        &self,
        detail: Detail,
        mut each: impl FnMut(PieceKind, &[u8], u64, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let sql = "SELECT part, name, at, data FROM piece WHERE object = ?1 ORDER BY part, name, at";
        let mut statement = self.prepared(sql).map_err(|error| damage(&error))?;
        let mut rows = statement.query(params![detail.object]).map_err(|error| damage(&error))?;
        while let Some(row) = rows.next().map_err(|error| damage(&error))? {
            let read = || {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get_ref(1)?.as_blob()?,
                    row.get::<_, i64>(2)?,
                    row.get_ref(3)?.as_blob()?,
                ))
            };
            let (part, name, at, data) = read().map_err(|error: rusqlite::Error| damage(&error))?;
            let sort = PieceKind::ALL.into_iter().find(|sort| i64::from(*sort as u8) == part);
            if let (Some(sort), Ok(at)) = (sort, u64::try_from(at)) {
                each(sort, name, at, data)?;
            }
        }
        Ok(())
    }

    /// Begins a new object.
    pub(crate) fn write_object(&mut self) -> Result<ObjectWriter<'_>, Error> {
        let change = self.db.transaction().map_err(|error| damage(&error))?;
        let object = change
            .prepare_cached("SELECT coalesce(max(object), 0) + 1 FROM detail")
            .and_then(|mut next| next.query_row([], |row| row.get(0)))
            .map_err(|error| damage(&error))?;
        Ok(ObjectWriter { change, object, pieces: 0 })
    }

    /// Nothing is recorded for this path any more.
    pub(crate) fn remove_detail(&self, path: &RelPath) -> Result<(), Error> {
        self.change("DELETE FROM detail WHERE path = ?1", params![path.as_bytes()])?;
        Ok(())
    }

    /// A folder is gone: so is what is recorded below it, also where nothing was.
    pub(crate) fn remove_details_in(&self, folder: &RelPath) -> Result<(), Error> {
        let (low, high) = below(folder);
        self.change("DELETE FROM detail WHERE path > ?1 AND path < ?2", params![low, high])?;
        Ok(())
    }

    /// An entry has one more path. What is recorded there already is older, and stays.
    pub(super) fn copy_detail(&self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        let sql = "INSERT OR IGNORE INTO detail SELECT ?2, object, is_whole FROM detail WHERE path = ?1";
        self.change(sql, params![from.as_bytes(), to.as_bytes()])?;
        Ok(())
    }

    /// An entry has another path. What was recorded there was of what is gone.
    pub(super) fn move_detail(&self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        if from == to {
            return Ok(());
        }
        self.remove_detail(to)?;
        self.change("UPDATE detail SET path = ?2 WHERE path = ?1", params![from.as_bytes(), to.as_bytes()])?;
        Ok(())
    }
}

impl ObjectWriter<'_> {
    /// Adds a piece. A name's pieces come in order, from offset 0 on.
    pub(crate) fn piece(&mut self, sort: PieceKind, name: &[u8], at: u64, data: &[u8]) -> Result<(), Error> {
        self.pieces += 1;
        let at = i64::try_from(at).unwrap_or(i64::MAX);
        let sql = "INSERT OR REPLACE INTO piece VALUES (?1, ?2, ?3, ?4, ?5)";
        let added = self
            .change
            .prepare_cached(sql)
            .and_then(|mut insert| insert.execute(params![self.object, i64::from(sort as u8), name, at, data]));
        added.map(drop).map_err(|error| damage(&error))
    }

    /// Takes over what an older object has of one sort, but for names that were added already.
    pub(crate) fn take_over(&mut self, old: Detail, sort: PieceKind) -> Result<(), Error> {
        let sql = "INSERT INTO piece SELECT ?1, part, name, at, data FROM piece AS old WHERE object = ?2 AND part = ?3
            AND NOT EXISTS (SELECT 1 FROM piece WHERE object = ?1 AND part = ?3 AND name = old.name)";
        let taken = self
            .change
            .prepare_cached(sql)
            .and_then(|mut insert| insert.execute(params![self.object, old.object, i64::from(sort as u8)]));
        self.pieces += u64::try_from(taken.map_err(|error| damage(&error))?).unwrap_or(0);
        Ok(())
    }

    /// Lets `path` refer to the object, instead of what it referred to. An empty object is
    /// none: false then.
    pub(crate) fn finish(self, path: &RelPath, is_whole: bool) -> Result<bool, Error> {
        let (path, object, pieces) = (path.as_bytes(), self.object, self.pieces);
        let work = || {
            self.change.prepare_cached("DELETE FROM detail WHERE path = ?1")?.execute(params![path])?;
            if pieces > 0 {
                let sql = "INSERT INTO detail VALUES (?1, ?2, ?3)";
                self.change.prepare_cached(sql)?.execute(params![path, object, is_whole])?;
            }
            self.change.commit()?;
            Ok(pieces > 0)
        };
        work().map_err(|error: rusqlite::Error| damage(&error))
    }
}
