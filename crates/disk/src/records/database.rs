//! The open database: links, full names, and what moves with an entry. One statement or transaction for each change.

use super::fault::damage;
use super::seen::Seen;
use octo_core::{Code, Error, LinkTarget, LinkType, Name, RelPath, Timestamp};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row, params};

/// A link that is recorded, not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordedLink {
    pub(crate) target: LinkTarget,
    pub(crate) write: Timestamp,
}

/// What the database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Looking,
    Changing,
}

/// The open database.
#[derive(Debug)]
pub(crate) struct Records {
    pub(super) db: Connection,
    pub(super) purpose: Purpose,
    /// The files as they were when they were opened to be looked at.
    pub(super) seen: Option<Seen>,
}

impl Records {
    /// Whether it was opened for that, or for more.
    pub(crate) fn serves(&self, purpose: Purpose) -> bool {
        purpose == Purpose::Looking || self.purpose == Purpose::Changing
    }

    /// The error, or, where somebody else changed the files since they were opened to be looked at, that this is so: what
    /// is read then need not fit together, and proves no damage.
    pub(crate) fn judged(&self, error: Error) -> Error {
        self.seen.as_ref().map_or(error.clone(), |seen| seen.judged(error))
    }

    /// The link recorded at `path`.
    pub(crate) fn link(&self, path: &RelPath) -> Result<Option<RecordedLink>, Error> {
        let (folder, name) = split(path);
        self.one(
            "SELECT tag, data, write_time FROM link WHERE folder = ?1 AND name = ?2",
            params![folder, name],
            |row| {
                let kind = row.get::<_, Option<u32>>(0)?.map_or(LinkType::Posix, LinkType::Windows);
                Ok(RecordedLink { target: LinkTarget { kind, data: row.get(1)? }, write: Timestamp(row.get(2)?) })
            },
        )
    }

    /// Records a link, replacing one that is there.
    pub(crate) fn put_link(&self, path: &RelPath, link: &LinkTarget, write: Timestamp) -> Result<(), Error> {
        let (folder, name) = split(path);
        let tag = match link.kind {
            LinkType::Posix => None,
            LinkType::Windows(tag) => Some(tag),
        };
        self.change(
            "INSERT OR REPLACE INTO link VALUES (?1, ?2, ?3, ?4, ?5)",
            params![folder, name, tag, link.data, write.0],
        )?;
        Ok(())
    }

    /// Whether there was a link to forget.
    pub(crate) fn remove_link(&self, path: &RelPath) -> Result<bool, Error> {
        let (folder, name) = split(path);
        self.change("DELETE FROM link WHERE folder = ?1 AND name = ?2", params![folder, name])
    }

    /// Whether there is a link whose time could be set.
    pub(crate) fn set_link_time(&self, path: &RelPath, write: Timestamp) -> Result<bool, Error> {
        let (folder, name) = split(path);
        self.change("UPDATE link SET write_time = ?3 WHERE folder = ?1 AND name = ?2", params![folder, name, write.0])
    }

    /// Up to `count` links of one folder by name, after the name `after`.
    pub(crate) fn links_in(
        &self,
        folder: &RelPath,
        after: &[u8],
        count: usize,
    ) -> Result<Vec<(Name, Timestamp)>, Error> {
        let sql = "SELECT name, write_time FROM link WHERE folder = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = self.prepared(sql).and_then(|mut statement| {
            let row = |row: &Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, Timestamp(row.get(1)?)));
            statement.query_map(params![folder.as_bytes(), after, limit], row)?.collect::<Result<Vec<_>, _>>()
        });
        let name = |(name, write): (Vec<u8>, _)| match Name::new(name) {
            Ok(name) => Ok((name, write)),
            Err(why) => Err(Error::new(Code::RecordsDamaged, format!("meta.db: a link's name: {}", why.reason()))),
        };
        rows.map_err(|error| damage(&error))?.into_iter().map(name).collect()
    }

    /// Whether any link is recorded in the folder, not counting its subfolders.
    pub(crate) fn has_links_in(&self, folder: &RelPath) -> Result<bool, Error> {
        let found = self.one("SELECT 1 FROM link WHERE folder = ?1 LIMIT 1", params![folder.as_bytes()], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// Makes the link at `from` the link at `to` as well, replacing one that is there.
    pub(crate) fn copy_link(&self, from: &RelPath, to: &RelPath) -> Result<bool, Error> {
        let ((folder, name), (to_folder, to_name)) = (split(from), split(to));
        let sql = "INSERT OR REPLACE INTO link SELECT ?3, ?4, tag, data, write_time FROM link WHERE folder = ?1 AND name = ?2";
        self.change(sql, params![folder, name, to_folder, to_name])
    }

    /// Renames a link, replacing one that is there.
    pub(crate) fn move_link(&self, from: &RelPath, to: &RelPath) -> Result<bool, Error> {
        let ((folder, name), (to_folder, to_name)) = (split(from), split(to));
        let sql = "UPDATE OR REPLACE link SET folder = ?3, name = ?4 WHERE folder = ?1 AND name = ?2";
        self.change(sql, params![folder, name, to_folder, to_name])
    }

    /// Remembers the full name of the entry at `path`.
    pub(crate) fn put_name(&self, path: &RelPath, original: &[u8]) -> Result<(), Error> {
        self.change("INSERT OR REPLACE INTO name VALUES (?1, ?2)", params![path.as_bytes(), original])?;
        Ok(())
    }

    /// The full name of the entry at `path`.
    pub(crate) fn name(&self, path: &RelPath) -> Result<Option<Vec<u8>>, Error> {
        self.one("SELECT original FROM name WHERE path = ?1", params![path.as_bytes()], |row| row.get(0))
    }

    /// An entry has one more path: so has its full name, and its metadata.
    pub(crate) fn entry_linked(&self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        self.copy_detail(from, to)?;
        self.copy_time(from, to)?;
        let sql = "INSERT OR REPLACE INTO name SELECT ?2, original FROM name WHERE path = ?1";
        self.change(sql, params![from.as_bytes(), to.as_bytes()])?;
        Ok(())
    }

    /// An entry has another path: so has its full name, and its metadata.
    pub(crate) fn entry_renamed(&self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        self.move_detail(from, to)?;
        self.move_time(from, to)?;
        self.change("UPDATE OR REPLACE name SET path = ?2 WHERE path = ?1", params![from.as_bytes(), to.as_bytes()])?;
        Ok(())
    }

    /// An entry is gone: so is its full name, and its metadata.
    pub(crate) fn entry_removed(&self, path: &RelPath) -> Result<(), Error> {
        self.remove_detail(path)?;
        self.keep_time_beyond(path, None)?;
        self.change("DELETE FROM name WHERE path = ?1", params![path.as_bytes()])?;
        Ok(())
    }

    /// A folder has another path: so has everything recorded below it. All or nothing.
    pub(crate) fn move_folder(&mut self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        // `||` works on text; the casts change no byte.
        let moved =
            |column: &str| format!("CAST(CAST(?2 AS TEXT) || CAST(substr({column}, length(?1) + 1) AS TEXT) AS BLOB)");
        let links = format!(
            "UPDATE OR REPLACE link SET folder = {} WHERE folder = ?1 OR (folder > ?3 AND folder < ?4)",
            moved("folder")
        );
        let names = format!("UPDATE OR REPLACE name SET path = {} WHERE path > ?3 AND path < ?4", moved("path"));
        let details = format!("UPDATE OR REPLACE detail SET path = {} WHERE path > ?3 AND path < ?4", moved("path"));
        let times = format!("UPDATE OR REPLACE beyond SET path = {} WHERE path > ?3 AND path < ?4", moved("path"));
        let (low, high) = below(from);
        let values = params![from.as_bytes(), to.as_bytes(), low, high];
        let mut work = || {
            let change = self.db.transaction()?;
            change.execute(&links, values)?;
            change.execute(&names, values)?;
            change.execute(&details, values)?;
            change.execute(&times, values)?;
            change.commit()
        };
        work().map_err(|error| damage(&error))
    }

    /// Makes everything durable: the log is synced, taken into the database, and that is synced.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        if self.purpose == Purpose::Looking {
            return Ok(());
        }
        let busy: i64 = self
            .db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| damage(&error))?;
        if busy == 0 { Ok(()) } else { Err(Error::new(Code::TargetBusy, "meta.db is in use")) }
    }

    pub(super) fn prepared(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.db.prepare_cached(sql)
    }

    pub(super) fn one<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let row = self.prepared(sql).and_then(|mut statement| statement.query_row(values, read).optional());
        row.map_err(|error| damage(&error))
    }

    /// Whether any row was changed.
    pub(super) fn change(&self, sql: &str, values: impl Params) -> Result<bool, Error> {
        let rows = self.prepared(sql).and_then(|mut statement| statement.execute(values));
        rows.map(|rows| rows > 0).map_err(|error| damage(&error))
    }
}

/// Between these two lie the paths below a folder: between `a/` and `a0`, the byte after `/`.
pub(super) fn below(folder: &RelPath) -> (Vec<u8>, Vec<u8>) {
    let end = |end: u8| [folder.as_bytes(), &[end]].concat();
    (end(b'/'), end(b'/' + 1))
}

/// The folder and the name of a path, as bytes.
fn split(path: &RelPath) -> (&[u8], &[u8]) {
    let bytes = path.as_bytes();
    match bytes.iter().rposition(|&b| b == b'/') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (b"", bytes),
    }
}
