//! Last write times that the filesystem cannot hold: those before or after all that it knows. The entry then bears the nearest
//! time that there is, and the true one is kept here by its path. A record counts only while the entry bears such a time.

use super::database::{Records, below};
use octo_core::{Error, RelPath, Timestamp};
use rusqlite::params;

impl Records {
    /// The true last write time of an entry that bears the first or last time that its filesystem knows.
    pub(crate) fn time_beyond(&self, path: &RelPath) -> Result<Option<Timestamp>, Error> {
        let sql = "SELECT write_time FROM beyond WHERE path = ?1";
        self.one(sql, params![path.as_bytes()], |row| row.get(0).map(Timestamp))
    }

    /// Keeps the true time of an entry, or forgets it where the entry bears it itself.
    pub(crate) fn keep_time_beyond(&self, path: &RelPath, write: Option<Timestamp>) -> Result<(), Error> {
        let path = path.as_bytes();
        match write {
            Some(write) => self.change("INSERT OR REPLACE INTO beyond VALUES (?1, ?2)", params![path, write.0])?,
            None => self.change("DELETE FROM beyond WHERE path = ?1", params![path])?,
        };
        Ok(())
    }

    /// An entry has one more path. What was recorded there is of what is gone.
    pub(super) fn copy_time(&self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        if from == to || !self.has_times_beyond()? {
            return Ok(());
        }
        self.keep_time_beyond(to, None)?;
        let sql = "INSERT INTO beyond SELECT ?2, write_time FROM beyond WHERE path = ?1";
        self.change(sql, params![from.as_bytes(), to.as_bytes()])?;
        Ok(())
    }

    /// An entry has another path.
    pub(super) fn move_time(&self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        if from == to || !self.has_times_beyond()? {
            return Ok(());
        }
        self.keep_time_beyond(to, None)?;
        self.change("UPDATE beyond SET path = ?2 WHERE path = ?1", params![from.as_bytes(), to.as_bytes()])?;
        Ok(())
    }

    /// A folder is gone: so is what is recorded below it.
    pub(crate) fn remove_times_in(&self, folder: &RelPath) -> Result<(), Error> {
        let (low, high) = below(folder);
        self.change("DELETE FROM beyond WHERE path > ?1 AND path < ?2", params![low, high])?;
        Ok(())
    }

    /// Most mirrors have none: every rename asks, and a look is much cheaper than a change.
    fn has_times_beyond(&self) -> Result<bool, Error> {
        Ok(self.one("SELECT 1 FROM beyond LIMIT 1", params![], |_| Ok(()))?.is_some())
    }
}
