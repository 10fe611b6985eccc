//! The place on a share that a restore writes to: the only part of this crate that changes anything on a server.
//!
//! Everything is opened with backup intent, so that an account with SeRestorePrivilege writes what its rights deny. A file is
//! created under a name in staging, gets its permissions before its first byte, and keeps its handle until that handle is renamed:
//! nobody can put something else in between, and nobody ever sees half a file. A link is opened as what it is and never followed.
//! A lost connection is an error of its own; the engine looks what took effect, and does the rest again. It must never
//! remove or replace anything but what is in staging and what a placing says it replaces. (MS-SMB2 2.2.13, 2.2.21, 2.2.39; MS-FSCC 2.4.)

mod batch;
mod connections;
mod details;
mod entries;
mod folders;
mod inherited;
mod look;
mod rename;
mod send;
mod staged;

use crate::options::{Credentials, SmbOptions};
use crate::wire::attribute;
use batch::SmbBatch;
use connections::{Connections, IN_FLIGHT};
use futures_util::stream::{self, StreamExt};
use octo_core::restore_target::{BatchLimits, FolderEnd, LostParts, Placing};
use octo_core::{
    Abilities, Code, Done, Error, LinkTarget, Meta, NameRules, RelPath, RestoreBatch, RestoreTarget, SmbAddress, Space,
    TimeRules,
};
use std::sync::atomic::AtomicUsize;

/// Handles are kept open until a file has its name, and servers hold some thousands.
const LIMITS: BatchLimits = BatchLimits { files: 1024, bytes: 512 << 20, files_at_once: 64, batches_at_once: 4 };

/// A folder of a share that is restored to.
pub struct SmbRestore {
    connections: Connections,
    /// From which of the [`staged::RIGHTS`] on the server gives what is asked for.
    rights: AtomicUsize,
}

impl SmbRestore {
    /// Connects and logs on. A folder that is missing is made, if `make` says so.
    pub fn connect(
        address: &SmbAddress,
        credentials: &Credentials,
        options: &SmbOptions,
        make: bool,
    ) -> Result<SmbRestore, Error> {
        let connect = |address: SmbAddress| -> Result<SmbRestore, Error> {
            let connections = Connections::connect(address, credentials, options)?;
            Ok(SmbRestore { connections, rights: AtomicUsize::new(0) })
        };
        match connect(address.clone()) {
            Err(error) if error.code == Code::SourceMissing && make && !address.path.is_root() => {
                let above = connect(SmbAddress { path: RelPath::root(), ..address.clone() })?;
                let mut folder = RelPath::root();
                for name in address.path.names() {
                    folder = folder.join(&name);
                    above.make_folder(&folder)?;
                }
                connect(address.clone())
            }
            Err(error) if error.code == Code::SourceMissing => {
                let what = format!("the folder to restore to is not there, or cannot be opened: {}", error.detail);
                Err(Error::new(Code::Usage, what))
            }
            other => other,
        }
    }
}

impl RestoreTarget for SmbRestore {
    fn abilities(&self) -> Abilities {
        let filesystem = self.connections.driver.pool.place().map(|place| place.filesystem.clone()).unwrap_or_default();
        let granularity_ticks = match filesystem.to_ascii_uppercase().as_str() {
            "FAT" | "FAT32" => 20_000_000,
            "EXFAT" => 100_000,
            _ => 1,
        };
        let names = NameRules {
            length_max: 255,
            counts_utf16: true,
            folds_case: true,
            forbidden: "<>:\"|?*\\".to_owned(),
            utf8_only: false,
            windows_rules: true,
        };
        let times = TimeRules { granularity_ticks, ..TimeRules::EXACT };
        Abilities { names, times, hard_links: false, symlinks: false, ..Abilities::full(&filesystem) }
    }

    fn space(&self) -> Result<Space, Error> {
        let root = self.connections.driver.wire_path(&RelPath::root())?;
        let (free_bytes, total_bytes) = self.connections.persistently(async |to, _| look::space(to, &root).await)?;
        Ok(Space { free_bytes, total_bytes, files: None })
    }

    fn limits(&self) -> BatchLimits {
        LIMITS
    }

    fn look(&self, paths: &[RelPath]) -> Vec<Result<Option<Meta>, Error>> {
        let look = async |path: &RelPath| {
            let path = self.connections.driver.wire_path(path)?;
            self.connections.again(async |to, _| look::look(to, &path).await).await
        };
        let looked = self.connections.run(async {
            let all = stream::iter(paths).map(look).buffered(IN_FLIGHT).collect::<Vec<_>>().await;
            Ok(all)
        });
        looked.unwrap_or_else(|error| paths.iter().map(|_| Err(error.clone())).collect())
    }

    fn read_link(&self, path: &RelPath) -> Result<Option<LinkTarget>, Error> {
        let path = self.connections.driver.wire_path(path)?;
        self.connections.persistently(async |to, _| look::read_link(to, &path).await)
    }

    fn make_folder(&self, path: &RelPath) -> Result<Done, Error> {
        let path = self.connections.driver.wire_path(path)?;
        self.connections
            .persistently(async |to, attempts| entries::make_folder(to, &path, 0, attempts.is_first()).await)
    }

    fn begin_staging(&self, staging: &RelPath) -> Result<(), Error> {
        let path = self.connections.driver.wire_path(staging)?;
        match self
            .connections
            .persistently(async |to, _| entries::make_folder(to, &path, attribute::HIDDEN, true).await)?
        {
            Done::Yes => Ok(()),
            Done::Exists => entries::empty(&self.connections, &path),
            _ => Err(Error::new(Code::TargetMoved, "the folder that is restored to is gone")),
        }
    }

    fn end_staging(&self, staging: &RelPath) -> Result<(), Error> {
        let path = self.connections.driver.wire_path(staging)?;
        entries::empty(&self.connections, &path)?;
        self.connections.persistently(async |to, _| entries::remove(to, &path, true).await)
    }

    fn place_link(&self, link: &LinkTarget, meta: &Meta, placing: &Placing) -> Result<(), Error> {
        let (stage, place) =
            (self.connections.driver.wire_path(&placing.stage)?, self.connections.driver.wire_path(&placing.place)?);
        self.connections.run(
            self.connections.once(async |to| entries::place_link(to, (link, meta), (&stage, &place), placing).await),
        )
    }

    fn batch(&self) -> Box<dyn RestoreBatch + '_> {
        Box::new(SmbBatch::new(&self.connections, &self.rights))
    }

    fn end_folders(&self, folders: Vec<FolderEnd>) -> Vec<Result<LostParts, Error>> {
        folders::end(&self.connections, folders)
    }

    /// Each file is flushed as it is finished.
    fn checkpoint(&self) -> Result<(), Error> {
        Ok(())
    }
}
