//! What an archive is made of, whatever its format.

use octo_core::metadata::Posix;
use octo_core::{Code, Error, Timestamp};
use std::io;

/// The file in an archive that names what is not whole.
pub const PROBLEMS: &str = "octobackup-problems.txt";

/// An entry of an archive.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// Its path in the archive.
    pub name: Vec<u8>,
    /// When it was last written.
    pub write_time: Timestamp,
    /// What else is kept of it, if the format takes that.
    pub details: Details,
}

/// Metadata of an entry.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// When it was made.
    pub creation_time: Option<Timestamp>,
    /// DOS attributes.
    pub attributes: Option<u32>,
    /// Owner and mode.
    pub posix: Option<Posix>,
    /// Everything else, by the names of its records.
    pub records: Vec<(Vec<u8>, Vec<u8>)>,
}

/// An archive that is written from its beginning to its end.
pub trait Archive {
    /// A folder.
    fn folder(&mut self, entry: &Entry) -> io::Result<()>;

    /// A link.
    fn link(&mut self, entry: &Entry, leads_to: &[u8]) -> io::Result<()>;

    /// A file begins, of this size.
    fn begin(&mut self, entry: &Entry, size_bytes: u64) -> io::Result<()>;

    /// Its next bytes.
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The file, of the size that was announced, ends. One that is not whole, or damaged, is marked as the format can.
    fn end(&mut self, size_bytes: u64, is_whole: bool) -> io::Result<()>;

    /// Nothing follows. If not all is whole, an archive that cannot mark single files must not look whole.
    fn finish(&mut self, is_whole: bool) -> io::Result<()>;
}

/// Nobody takes what is sent.
pub fn not_taken(error: &io::Error) -> Error {
    Error::new(Code::Cancelled, format!("the download was not taken: {error}"))
}
