//! The Source over SMB: what the engine calls, from as many threads as it likes.
//!
//! The calls block; behind them a small runtime drives the connections. A sink is always called on the caller's thread.

use crate::connection_pool::ConnectionPool;
use crate::driver::Driver;
use crate::fetch::{self, Batch, Budget};
use crate::list::{self, Folder};
use crate::logon::Protection;
use crate::metadata::{self, MetadataSupport};
use crate::open;
use crate::options::{BackupIntent, Credentials, Encrypt, SmbOptions};
use crate::snapshots;
use crate::window::Window;
use crate::wire::attribute;
use octo_core::SmbAddress;
use octo_core::printable::counted;
use octo_core::{
    Code, Error, FetchRequest, FetchSink, Kind, LinkTarget, LinkType, ListSink, Listed, RelPath, Source,
    SourceFeatures, SourcePin, Timestamp, windows_kind,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// From here on a path that cannot be opened is called too long: a server on Linux opens less than 4,096 bytes, its own path to
/// the share included, and says of what is longer that it is not there.
const LONG_PATH_BYTES: usize = 3_800;
/// Filesystems whose ids change when a file is renamed, or do not fit into a listing.
const UNSTABLE_IDS: &[&str] = &["FAT", "FAT32", "EXFAT", "REFS"];

/// A folder of an SMB share as a source.
pub struct SmbSource {
    driver: Driver,
    budget: Budget,
    /// Small files and listings take different times, so each have a window of their own.
    files: Window,
    listings: Window,
    denied: AtomicU64,
    asks: MetadataSupport,
}

impl SmbSource {
    /// Connects, logs on and looks whether the folder is there. Fails with a code that stops the run.
    pub fn connect(address: SmbAddress, credentials: Credentials, options: SmbOptions) -> Result<SmbSource, Error> {
        Ok(SmbSource {
            driver: Driver::connect(address, credentials, options)?,
            budget: Budget::new(),
            files: Window::new(),
            listings: Window::new(),
            denied: AtomicU64::new(0),
            asks: MetadataSupport::default(),
        })
    }

    fn pool(&self) -> &Arc<ConnectionPool> {
        &self.driver.pool
    }

    fn intent(&self) -> BackupIntent {
        self.pool().options().backup_intent
    }

    fn volume(&self) -> Result<u64, Error> {
        Ok(self.pool().place()?.volume.serial.into())
    }

    /// What became of an entry: [`SmbSource::refused`], and a path that the server can list and not open is called too long, not
    /// gone.
    fn refused_entry(&self, path: &RelPath, error: Error) -> Error {
        let error = self.refused(error);
        if !matches!(error.code, Code::NotFound | Code::SourceEntry) {
            return error;
        }
        let bytes = self.pool().address().path.join_path(path).to_text().len();
        if bytes < LONG_PATH_BYTES { error } else { Error { code: Code::PathTooLong, ..error } }
    }

    /// Counts denials and, where backup intent is required, makes them end the run.
    fn refused(&self, error: Error) -> Error {
        if error.code != Code::AccessDenied {
            return error;
        }
        self.denied.fetch_add(1, Ordering::Relaxed);
        match self.intent() {
            BackupIntent::Require => Error { code: Code::PrivilegeMissing, ..error },
            _ => error,
        }
    }
}

impl Source for SmbSource {
    fn features(&self) -> SourceFeatures {
        let place = self.pool().place().ok();
        let unstable = place.is_none_or(|p| UNSTABLE_IDS.contains(&p.filesystem.to_ascii_uppercase().as_str()));
        SourceFeatures {
            walks_ahead: false,
            listings_in_flight: 40,
            fetches_in_flight: 4,
            batch_files: 64,
            folds_case: true,
            // Windows reports what was stored; Samba, and servers like it, cannot be distinguished from it.
            invents_creation_times: true,
            stable_ids: !unstable,
            hides_unreadable: place.is_none_or(|p| p.hides_unreadable),
            has_metadata: true,
            tells_hashes: false,
        }
    }

    fn pin(&self) -> Result<SourcePin, Error> {
        let (address, place) = (self.pool().address(), self.pool().place()?);
        // Names of servers, shares and folders are the same in upper and lower case.
        let folder = address.path.to_text().to_lowercase();
        let slash = if folder.is_empty() { "" } else { "/" };
        // Not the volume's creation time: Samba gives the folder's change time for it, which moves all the time.
        let volume = format!("{:08x}", place.volume.serial);
        Ok(SourcePin {
            kind: "smb".to_owned(),
            server: address.host.to_lowercase(),
            path: format!("/{}{slash}{folder}", address.share.to_lowercase()),
            volume,
        })
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        let listed = self.driver.run(async {
            let wanted = Folder {
                path: self.driver.wire_path(folder)?,
                follow: folder.is_root(),
                options: open::intent_option(self.intent()),
                volume: self.volume()?,
            };
            let list = self.pool().persistently(async |session, attempts| {
                if !attempts.is_first() {
                    sink.restart();
                }
                list::list(session, (&self.listings, &self.budget), &wanted, sink).await
            });
            list.await
        });
        match listed.map_err(|e| self.refused_entry(folder, e)) {
            Ok(()) => Listed::Complete,
            Err(Error { code: Code::SourceEntry, detail }) => Listed::Incomplete(Error::new(Code::ListingCut, detail)),
            Err(error) => Listed::Incomplete(error),
        }
    }

    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        if batch.is_empty() {
            return;
        }
        // What is under way may come to its end; the sink says what that is.
        let fetched = self.driver.run_until(self.pool().given_up(), async {
            let path = |file: usize| self.driver.wire_path(&batch[file].path);
            let refused = |file: usize, error| self.refused_entry(&batch[file].path, error);
            let batch = Batch { requests: batch, path: &path, refused: &refused, sink: &mut *sink };
            fetch::fetch(self.pool(), (&self.files, &self.budget), &self.asks, batch).await;
            Ok(())
        });
        if let Err(cancelled) = fetched {
            // After cancelling, files are not reported one by one.
            let _ = sink.failed(0, cancelled);
        }
    }

    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        let read = self.driver.run(async {
            let path = self.driver.wire_path(path)?;
            let options = open::intent_option(self.intent());
            let read = self
                .pool()
                .persistently(async |session, _| metadata::reparse_point(session, &path, options, None).await);
            let (tag, data) = read.await?;
            if windows_kind(attribute::REPARSE_POINT, tag) != Kind::Link {
                return Err(Error::new(Code::KindMoved, "it is not a link any more"));
            }
            Ok(LinkTarget { kind: LinkType::Windows(tag), data })
        });
        read.map_err(|e| self.refused_entry(path, e))
    }

    fn snapshots(&self) -> Result<Vec<Timestamp>, Error> {
        let folder = &self.pool().address().path;
        let ask = self.pool().persistently(async |session, _| snapshots::of(session, folder).await);
        Ok(self.driver.run(ask)?.taken)
    }

    fn clock(&self) -> Option<Timestamp> {
        self.pool().clock()
    }

    fn remarks(&self) -> Vec<String> {
        let denied = self.remark_on_denials();
        self.remark_on_protection().map(str::to_owned).into_iter().chain(denied).collect()
    }
}

impl SmbSource {
    /// Traffic that others can read is never silent, unless it was asked for.
    fn remark_on_protection(&self) -> Option<&'static str> {
        match (self.pool().protection(), self.pool().options().encrypt) {
            (Protection::Nothing, _) => Some(
                "logged on as a guest: the connection is neither signed nor encrypted, and anybody in between can read \
                 and alter what is copied",
            ),
            (Protection::Signed, Encrypt::Auto) => Some(
                "the server does not encrypt: what is copied can be read on the way, though not altered \
                 (--encrypt require refuses such a server)",
            ),
            _ => None,
        }
    }

    fn remark_on_denials(&self) -> Option<String> {
        let denied = self.denied.load(Ordering::Relaxed);
        if denied == 0 {
            return None;
        }
        let entries = counted(denied, "entry was", "entries were");
        Some(match self.intent() {
            BackupIntent::Off => format!("{entries} denied to the account, and backup intent is switched off"),
            BackupIntent::Auto | BackupIntent::Require => format!(
                "{entries} denied although backup intent was asked for: the account's backup privilege \
                 (SeBackupPrivilege) does not work on this server"
            ),
        })
    }
}
