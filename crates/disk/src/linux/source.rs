//! A local folder as a source.
//!
//! It stays on one filesystem, as `rsync -x` does: a folder on which another one is mounted is listed as a folder,
//! and listing it is incomplete with [`Code::OtherDevice`], once per mount point, so nothing below it is copied and nothing
//! deleted. It never follows a link below its root, and changes nothing there, access times included where it may.

use crate::linux::listing::{self, End};
use crate::linux::root::Root;
use crate::linux::stat::Side;
use crate::linux::{fault, filesystem, stat};
use octo_core::{
    Code, Error, FetchRequest, FetchSink, Kind, LinkTarget, LinkType, ListSink, Listed, Meta, RelPath, Source,
    SourceFeatures, SourcePin, Stop,
};
use rustix::fs::{Advice, Mode, OFlags};
use rustix::io::{Errno, pread, retry_on_intr};
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// One read; also the largest piece handed over.
const BUFFER_BYTES: usize = 512 * 1024;

/// A folder this machine can see.
#[derive(Debug)]
pub struct LocalSource {
    root: Root,
    /// Absolute and without links.
    path: PathBuf,
    filesystem: String,
    folds_case: bool,
    device: (u32, u32),
    volume: u64,
    /// Reading without leaving an access time is a right of owners; given up once it was refused.
    may_hide_access: AtomicBool,
}

impl LocalSource {
    /// Opens the folder at `path`; links in `path` itself are followed.
    pub fn open(path: &Path) -> Result<LocalSource, Error> {
        let missing = |why: String| Error::new(Code::SourceMissing, format!("{}: {why}", path.display()));
        let real = path.canonicalize().map_err(|error| missing(error.to_string()))?;
        let open = || {
            let root = Root::open_at(&real)?;
            let device = stat::device(&stat::of_handle(root.handle()?)?);
            let volume = filesystem::number(root.handle()?)?;
            let filesystem = filesystem::name(root.handle()?);
            let folds_case = filesystem::folds_case(&root)?;
            Ok(LocalSource {
                root,
                path: real.clone(),
                filesystem,
                folds_case,
                device,
                volume,
                may_hide_access: AtomicBool::new(true),
            })
        };
        open().map_err(|errno: Errno| missing(errno.to_string()))
    }

    /// Opens for reading, if possible without leaving an access time.
    fn open_quietly(&self, path: &RelPath, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | flags;
        if self.may_hide_access.load(Ordering::Relaxed) {
            match self.root.open(path, flags | OFlags::NOATIME, Mode::empty()) {
                Err(Errno::PERM) => self.may_hide_access.store(false, Ordering::Relaxed),
                other => return other,
            }
        }
        self.root.open(path, flags, Mode::empty())
    }

    /// The number of the filesystem that an open file is on: a subvolume is a filesystem of its own.
    fn volume_of(&self, fd: &OwnedFd, device: (u32, u32)) -> Result<u64, Errno> {
        if device == self.device { Ok(self.volume) } else { filesystem::number(fd) }
    }

    fn list_folder(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Result<(), Error> {
        let failed = |errno| match errno {
            Errno::NOENT if folder.is_root() => Error::new(Code::SourceMissing, self.path.display().to_string()),
            other => fault::source(other, "listing", folder),
        };
        let fd = self.open_quietly(folder, OFlags::DIRECTORY).map_err(failed)?;
        let device = stat::device(&stat::of_handle(&fd).map_err(failed)?);
        let volume = self.volume_of(&fd, device).map_err(failed)?;
        let cut = |why: String| Error::new(Code::ListingCut, format!("listing {folder}: {why}"));
        match listing::entries(fd.as_fd(), Side::Source, volume, sink) {
            Ok(End::All) => Ok(()),
            Ok(End::Stopped) => Err(cut("no more was wanted".to_owned())),
            Ok(End::Unclear { name, fault: errno }) => {
                let name = octo_core::path::bytes_to_text(&name);
                Err(fault::source(errno, "looking into", folder).within(name))
            }
            // A folder that was removed while it was open ends this way.
            Err(Errno::NOENT) => Err(failed(Errno::NOENT)),
            Err(errno) => Err(cut(errno.to_string())),
        }
    }

    fn fetch_file(
        &self,
        file: usize,
        request: &FetchRequest,
        buffer: &mut Vec<u8>,
        sink: &mut dyn FetchSink,
    ) -> Result<(), Ended> {
        let path = &request.path;
        let failed = |errno| Ended::Failed(fault::source(errno, "reading", path));
        let fd = self.open_quietly(path, OFlags::empty()).map_err(failed)?;
        let meta = self.meta_of(&fd).map_err(failed)?;
        if meta.kind != Kind::File {
            return Err(Ended::Failed(Error::new(Code::KindMoved, format!("{path} is not a file any more"))));
        }
        sink.opened(file, meta)?;
        let size = meta.size_bytes;
        if size > BUFFER_BYTES as u64 {
            // Only advice: the kernel reads ahead further.
            let _ = rustix::fs::fadvise(&fd, 0, None, Advice::Sequential);
        }
        let mut read = |range| read_range(&fd, path, range, buffer, |at, bytes| sink.data(file, at, bytes));
        match &request.parts {
            None => read(0..size),
            Some(parts) => parts.iter().try_for_each(read),
        }?;
        sink.finished(file, self.meta_of(&fd).map_err(failed)?)?;
        Ok(())
    }

    fn meta_of(&self, fd: &OwnedFd) -> Result<Meta, Errno> {
        let stat = stat::of_handle(fd)?;
        let volume = self.volume_of(fd, stat::device(&stat))?;
        Ok(stat::meta(&stat, Side::Source, Some(volume)))
    }
}

/// Why a file was not fetched to its end.
enum Ended {
    Failed(Error),
    Stopped(Stop),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Ended {
        Ended::Stopped(stop)
    }
}

fn read_range(
    fd: &OwnedFd,
    path: &RelPath,
    range: Range<u64>,
    buffer: &mut Vec<u8>,
    mut hand_over: impl FnMut(u64, &[u8]) -> Result<(), Stop>,
) -> Result<(), Ended> {
    let mut at = range.start;
    while at < range.end {
        let wanted = usize::try_from(range.end - at).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        if buffer.len() < wanted {
            buffer.resize(wanted, 0);
        }
        let piece = &mut buffer[..wanted];
        let read = retry_on_intr(|| pread(fd, &mut *piece, at))
            .map_err(|errno| Ended::Failed(fault::source(errno, "reading", path)))?;
        if read == 0 {
            let what = format!("{path} ended after {at} bytes, before what its handle had announced");
            return Err(Ended::Failed(Error::new(Code::ChangedWhileRead, what)));
        }
        hand_over(at, &piece[..read])?;
        at += read as u64;
    }
    Ok(())
}

impl Source for LocalSource {
    fn features(&self) -> SourceFeatures {
        SourceFeatures {
            listings_in_flight: 4,
            fetches_in_flight: 4,
            batch_files: 64,
            folds_case: self.folds_case,
            stable_ids: filesystem::has_stable_ids(&self.filesystem),
            hides_unreadable: false,
        }
    }

    fn pin(&self) -> Result<SourcePin, Error> {
        Ok(SourcePin {
            kind: "local".to_owned(),
            server: String::new(),
            path: octo_core::path::bytes_to_text(std::os::unix::ffi::OsStrExt::as_bytes(self.path.as_os_str())),
            volume: filesystem::identity(&self.filesystem, self.volume, self.device),
        })
    }

    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        match self.list_folder(folder, sink) {
            Ok(()) => Listed::Complete,
            Err(error) => Listed::Incomplete(error),
        }
    }

    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        let mut buffer = Vec::new();
        for (file, request) in batch.iter().enumerate() {
            let told = match self.fetch_file(file, request, &mut buffer, sink) {
                Ok(()) => Ok(()),
                Err(Ended::Stopped(stop)) => Err(stop),
                Err(Ended::Failed(error)) => sink.failed(file, error),
            };
            if told == Err(Stop::Everything) {
                return;
            }
        }
    }

    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        let failed = |errno| fault::source(errno, "reading the link", path);
        let place = self.root.place(path).map_err(failed)?;
        let text = rustix::fs::readlinkat(&place, place.name, Vec::new()).map_err(failed)?;
        Ok(LinkTarget { kind: LinkType::Posix, data: text.into_bytes() })
    }
}
