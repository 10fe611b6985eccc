//! A file, or a folder, of a state as a stream: a file as it is, a folder as zip or as tar.zst. It begins at once, and holds nothing in memory
//! that grows with what is downloaded.
//!
//! Content is compared with the hash that it had when it was copied. A file whose content is damaged never looks whole: a file by
//! itself lacks its end; in a zip its checksum is wrong; a tar with such a file has no end. In an archive every entry that is
//! damaged or missing is named in [`archive::PROBLEMS`] beside the folder. What ends all work leaves any archive without its end.

mod archive;
mod details;
mod file;
mod folder;
mod tar;
mod zip;

use crate::history;
use archive::not_taken;
use octo_core::path::bytes_to_text;
use octo_core::{Cancel, Code, Error, Kind, RelPath};
use octo_mirror::history::{History, State};
use std::io::Write;

/// How a folder is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For everybody. Names, contents, last write times, links.
    Zip,
    /// With metadata.
    TarZst,
}

impl Format {
    /// As an address says it.
    pub fn read(text: &str) -> Option<Format> {
        match text {
            "zip" => Some(Format::Zip),
            "tar.zst" => Some(Format::TarZst),
            _ => None,
        }
    }
}

/// What is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What the file would be called.
    pub name: String,
    /// Its media type.
    pub media_type: &'static str,
    /// Its size; not known of an archive.
    pub size_bytes: Option<u64>,
}

/// What is to be downloaded.
pub struct Download<'t> {
    state: &'t State<'t>,
    target: &'t dyn octo_core::Target,
    path: RelPath,
    meta: Option<octo_core::Meta>,
    format: Format,
}

impl<'t> Download<'t> {
    /// Looks whether it is there. `root` is what the whole state is called.
    pub fn of(
        (target, history, state): (&'t dyn octo_core::Target, &'t History<'t>, &'t State<'t>),
        path: RelPath,
        format: Format,
        root: &str,
    ) -> Result<(Download<'t>, Head), Error> {
        let meta = history::demand(history, state, &path)?;
        let name = path.name().map_or_else(|| root.to_owned(), |name| bytes_to_text(name.as_bytes()));
        let packed = format!("{name} (state {})", state.number());
        let head = match (meta.map(|meta| meta.kind), format) {
            (Some(Kind::File), _) => {
                let size_bytes = meta.map(|meta| meta.size_bytes);
                Head { name, media_type: "application/octet-stream", size_bytes }
            }
            (None | Some(Kind::Folder), Format::Zip) => {
                Head { name: format!("{packed}.zip"), media_type: "application/zip", size_bytes: None }
            }
            (None | Some(Kind::Folder), Format::TarZst) => {
                Head { name: format!("{packed}.tar.zst"), media_type: "application/zstd", size_bytes: None }
            }
            _ => {
                let what = format!("{path} is a link; the folder that it is in can be downloaded");
                return Err(Error::new(Code::Usage, what));
            }
        };
        Ok((Download { state, target, path, meta, format }, head))
    }

    /// Sends it. How many entries of an archive are not whole; of a file that is not, the error. `out` fails when nobody takes any
    /// more.
    pub fn send(&self, root: &str, out: impl Write, cancel: &Cancel) -> Result<u64, Error> {
        match (self.meta.filter(|meta| meta.kind == Kind::File), self.format) {
            (Some(meta), _) => file::send(self.state, &self.path, &meta, out).map(|()| 0),
            (None, Format::Zip) => {
                let mut zip = zip::Zip::new(out, self.target.scratch()?);
                folder::pack(&self.folder(root), &mut zip, cancel)
            }
            (None, Format::TarZst) => {
                let mut tar = tar::Tar::new(out).map_err(|error| not_taken(&error))?;
                folder::pack(&self.folder(root), &mut tar, cancel)
            }
        }
    }

    fn folder<'a>(&'a self, root: &'a str) -> folder::Folder<'a> {
        let with_details = self.format == Format::TarZst;
        folder::Folder { state: self.state, path: &self.path, meta: self.meta.as_ref(), root, with_details }
    }
}
