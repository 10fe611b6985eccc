//! The place on a share that a restore writes to: the only part of this crate that changes anything on a server.
//!
//! Everything is opened with backup intent, so that an account with SeRestorePrivilege writes what its rights deny. A file is
//! created under a name in staging, gets its permissions before its first byte, and keeps its handle until that handle is renamed:
//! nobody can put something else in between, and nobody ever sees half a file. A link is opened as what it is and never followed.
//! A connection that is lost is said as such; what was under way on it is done again by the engine, which looks first. It must never
//! remove or replace anything but what is in staging and what it is told to replace. (MS-SMB2 2.2.13, 2.2.21, 2.2.39; MS-FSCC 2.4.)

mod batch;
mod details;
mod entries;
mod folders;
mod send;
mod staged;

use crate::attempts::{Attempts, is_loss};
use crate::driver::Driver;
use crate::fetch::Budget;
use crate::logon::Session;
use crate::open;
use crate::options::{Credentials, SmbOptions};
use crate::window::Window;
use batch::SmbBatch;
use futures_util::stream::{self, StreamExt};
use octo_core::restore_target::{BatchLimits, FolderEnd, LostParts, Placing};
use octo_core::{
    Abilities, Code, Done, Error, LinkTarget, Meta, NameRules, RelPath, RestoreBatch, RestoreTarget, SmbAddress, Space,
    TimeRules,
};
use send::Connected;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

/// Requests of one kind on their way at once.
const IN_FLIGHT: usize = 64;
/// Handles are kept open until a file has its name, and servers hold some thousands.
const LIMITS: BatchLimits = BatchLimits { files: 1024, bytes: 512 << 20, files_at_once: 64, batches_at_once: 4 };

/// A folder of a share that is restored to.
pub struct SmbRestore {
    driver: Driver,
    budget: Budget,
    listings: Window,
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
            Ok(SmbRestore {
                driver: Driver::connect(address, credentials.clone(), options.clone())?,
                budget: Budget::new(),
                listings: Window::new(),
                rights: AtomicUsize::new(0),
            })
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

    /// Waits for something that changes the share: cancelling leaves it time to end.
    fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.driver.run_until(self.driver.pool.given_up(), work)
    }

    /// A connection for some requests.
    async fn connected(&self) -> Result<Connected, Error> {
        let lease = self.driver.pool.lease(Attempts::default()).await.map_err(final_loss)?;
        self.by(&lease)
    }

    fn by(&self, session: &Arc<Session>) -> Result<Connected, Error> {
        let options = open::intent_option(self.driver.pool.options().backup_intent);
        let volume = self.driver.pool.place()?.volume.serial.into();
        Ok(Connected { session: Arc::clone(session), options, volume })
    }

    /// Does one thing over one connection, and notes if that was lost.
    async fn once<T>(&self, work: impl AsyncFnOnce(&Connected) -> Result<T, Error>) -> Result<T, Error> {
        let connected = self.connected().await?;
        let done = work(&connected).await;
        done.map_err(|error| self.noted(&connected, error))
    }

    /// The same with an error that is known already.
    fn noted(&self, connected: &Connected, error: Error) -> Error {
        match is_loss(&error) {
            true => self.driver.pool.lost(&connected.session, &error).err().map_or(error, final_loss),
            false => error,
        }
    }

    /// Does what may be done again until it is done.
    async fn again<T>(&self, mut work: impl AsyncFnMut(&Connected, Attempts) -> Result<T, Error>) -> Result<T, Error> {
        let done = self.driver.pool.persistently(async |lease, attempts| work(&self.by(lease)?, attempts).await);
        done.await.map_err(final_loss)
    }

    /// The same, and waits for it.
    fn persistently<T>(&self, work: impl AsyncFnMut(&Connected, Attempts) -> Result<T, Error>) -> Result<T, Error> {
        self.run(self.again(work))
    }
}

/// No connection can be had any more: nothing is done again.
fn final_loss(error: Error) -> Error {
    match error.code {
        Code::ConnectionLost | Code::TimedOut => Error { code: Code::Unreachable, ..error },
        _ => error,
    }
}

impl RestoreTarget for SmbRestore {
    fn abilities(&self) -> Abilities {
        let filesystem = self.driver.pool.place().map(|place| place.filesystem.clone()).unwrap_or_default();
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
        let root = self.driver.wire_path(&RelPath::root())?;
        let (free_bytes, total_bytes) = self.persistently(async |to, _| entries::space(to, &root).await)?;
        Ok(Space { free_bytes, total_bytes, files: None })
    }

    fn limits(&self) -> BatchLimits {
        LIMITS
    }

    fn look(&self, paths: &[RelPath]) -> Vec<Result<Option<Meta>, Error>> {
        let look = async |path: &RelPath| {
            let path = self.driver.wire_path(path)?;
            self.again(async |to, _| entries::look(to, &path).await).await
        };
        let looked = self.run(async {
            let all = stream::iter(paths).map(look).buffered(IN_FLIGHT).collect::<Vec<_>>().await;
            Ok(all)
        });
        looked.unwrap_or_else(|error| paths.iter().map(|_| Err(error.clone())).collect())
    }

    fn read_link(&self, path: &RelPath) -> Result<Option<LinkTarget>, Error> {
        let path = self.driver.wire_path(path)?;
        self.persistently(async |to, _| entries::read_link(to, &path).await)
    }

    fn make_folder(&self, path: &RelPath) -> Result<Done, Error> {
        let path = self.driver.wire_path(path)?;
        self.persistently(async |to, attempts| entries::make_folder(to, &path, 0, attempts.is_first()).await)
    }

    fn begin_staging(&self, staging: &RelPath) -> Result<(), Error> {
        let path = self.driver.wire_path(staging)?;
        let hidden = crate::wire::attribute::HIDDEN;
        match self.persistently(async |to, _| entries::make_folder(to, &path, hidden, true).await)? {
            Done::Yes => Ok(()),
            Done::Exists => self.empty(&path),
            _ => Err(Error::new(Code::TargetMoved, "the folder that is restored to is gone")),
        }
    }

    fn end_staging(&self, staging: &RelPath) -> Result<(), Error> {
        let path = self.driver.wire_path(staging)?;
        self.empty(&path)?;
        self.persistently(async |to, _| entries::remove(to, &path, true).await)
    }

    fn place_link(&self, link: &LinkTarget, meta: &Meta, placing: &Placing) -> Result<(), Error> {
        let (stage, place) = (self.driver.wire_path(&placing.stage)?, self.driver.wire_path(&placing.place)?);
        self.run(self.once(async |to| entries::place_link(to, (link, meta), (&stage, &place), placing).await))
    }

    fn batch(&self) -> Box<dyn RestoreBatch + '_> {
        Box::new(SmbBatch::new(self))
    }

    fn end_folders(&self, folders: Vec<FolderEnd>) -> Vec<Result<LostParts, Error>> {
        folders::end(self, folders)
    }

    /// Each file is flushed as it is finished.
    fn checkpoint(&self) -> Result<(), Error> {
        Ok(())
    }
}
