//! A folder as an archive.

use super::archive::{Archive, Entry, PROBLEMS, not_taken};
use super::details::details;
use octo_core::path::bytes_to_text;
use octo_core::{Cancel, Code, Error, FetchRequest, FetchSink, Kind, Meta, RelPath, Source, Stop, Timestamp};
use octo_mirror::history::{State, Walked};
use std::io;

/// Entries that are named one by one.
const PROBLEMS_MAX: usize = 10_000;

/// What is packed.
pub struct Folder<'a> {
    /// Of this state.
    pub state: &'a State<'a>,
    /// The folder.
    pub path: &'a RelPath,
    /// What it was; nothing for the whole state.
    pub meta: Option<&'a Meta>,
    /// What the whole state is called.
    pub root: &'a str,
    /// With its metadata.
    pub with_details: bool,
}

/// Packs. How many entries are not whole.
pub fn pack(folder: &Folder<'_>, archive: &mut dyn Archive, cancel: &Cancel) -> Result<u64, Error> {
    let top = folder.path.name().map_or_else(|| folder.root.as_bytes().to_vec(), |name| name.as_bytes().to_vec());
    let mut packing = Packing { folder, archive, top, problems: 0, lines: String::new() };
    if let Some(meta) = folder.meta {
        packing.entry(folder.path, meta)?;
    }
    folder.state.walk(folder.path, cancel, &mut |walked| match walked {
        Walked::Entry(path, meta) => packing.entry(path, meta),
        Walked::Problem(path, error) => {
            packing.problem(path, error);
            Ok(())
        }
    })?;
    packing.finish()
}

struct Packing<'a> {
    folder: &'a Folder<'a>,
    archive: &'a mut dyn Archive,
    top: Vec<u8>,
    problems: u64,
    lines: String,
}

impl Packing<'_> {
    fn entry(&mut self, path: &RelPath, meta: &Meta) -> Result<(), Error> {
        let below = path.as_bytes().strip_prefix(self.folder.path.as_bytes()).unwrap_or_default();
        let slash = if below.is_empty() || below.starts_with(b"/") { &b""[..] } else { b"/" };
        let name = [&self.top, slash, below].concat();
        let mut entry = Entry { name, write_time: meta.write_time, ..Entry::default() };
        match meta.kind {
            Kind::Folder => {
                self.add_details(&mut entry, path, meta);
                self.archive.folder(&entry).map_err(|error| not_taken(&error))
            }
            Kind::File => {
                self.add_details(&mut entry, path, meta);
                self.file(&entry, path, meta)
            }
            Kind::Link => match self.folder.state.read_link(path) {
                Ok(link) if link.kind == octo_core::LinkType::Posix => {
                    self.archive.link(&entry, &link.data).map_err(|error| not_taken(&error))
                }
                Ok(_) => {
                    let what = "a link of Windows is left out; a restore brings it back";
                    self.problem(path, &Error::new(Code::NotMirrored, what));
                    Ok(())
                }
                Err(error) => self.missing(path, error),
            },
            Kind::Other => Ok(()),
        }
    }

    fn add_details(&mut self, entry: &mut Entry, path: &RelPath, meta: &Meta) {
        if self.folder.with_details {
            let (found, lost) = details(self.folder.state, path, meta);
            entry.details = found;
            lost.iter().for_each(|error| self.problem(path, error));
        }
    }

    fn file(&mut self, entry: &Entry, path: &RelPath, meta: &Meta) -> Result<(), Error> {
        let request = FetchRequest { path: path.clone(), listed: *meta, parts: None, snapshot: None, metadata: false };
        let mut sink = Sink { archive: &mut *self.archive, entry, begun: None, ended: None };
        self.folder.state.fetch(&[request], &mut sink);
        let (begun, ended) = (sink.begun, sink.ended.unwrap_or_else(|| Err(Error::new(Code::Cancelled, ""))));
        match (begun, ended) {
            (Some(size), Ok(())) => self.archive.end(size, true).map_err(|error| not_taken(&error)),
            (_, Err(error)) if error.code == Code::Cancelled || error.code.stops_run() => Err(error),
            (Some(size), Err(error)) => {
                self.problem(path, &error);
                self.archive.end(size, false).map_err(|error| not_taken(&error))
            }
            (None, Err(error)) => self.missing(path, error),
            (None, Ok(())) => Ok(()),
        }
    }

    fn missing(&mut self, path: &RelPath, error: Error) -> Result<(), Error> {
        if error.code.stops_run() {
            return Err(error);
        }
        self.problem(path, &error);
        Ok(())
    }

    fn problem(&mut self, path: &RelPath, error: &Error) {
        self.problems += 1;
        if self.problems <= PROBLEMS_MAX as u64 {
            let words = format!("{}: {}", error.code.title(), error.detail);
            self.lines.push_str(&format!("{}: {}\n", bytes_to_text(path.as_bytes()), bytes_to_text(words.as_bytes())));
        }
    }

    fn finish(self) -> Result<u64, Error> {
        let is_whole = self.problems == 0;
        let mut end = || -> io::Result<()> {
            if !is_whole {
                let more = self.problems.saturating_sub(PROBLEMS_MAX as u64);
                let more = if more > 0 { format!("and {more} more\n") } else { String::new() };
                let text = format!("These entries are damaged or missing in this archive:\n\n{}{more}", self.lines);
                let write_time = Timestamp::default();
                let entry = Entry { name: PROBLEMS.into(), write_time, ..Entry::default() };
                self.archive.begin(&entry, text.len() as u64)?;
                self.archive.data(text.as_bytes())?;
                self.archive.end(text.len() as u64, true)?;
            }
            self.archive.finish(is_whole)
        };
        end().map_err(|error| not_taken(&error))?;
        Ok(self.problems)
    }
}

/// Takes one file.
struct Sink<'a> {
    archive: &'a mut dyn Archive,
    entry: &'a Entry,
    /// Its size, once it is in the archive.
    begun: Option<u64>,
    ended: Option<Result<(), Error>>,
}

impl Sink<'_> {
    fn taken(&mut self, done: io::Result<()>) -> Result<(), Stop> {
        done.map_err(|error| {
            self.ended = Some(Err(not_taken(&error)));
            Stop::Everything
        })
    }
}

impl FetchSink for Sink<'_> {
    fn opened(&mut self, _: usize, meta: Meta) -> Result<(), Stop> {
        let done = self.archive.begin(self.entry, meta.size_bytes);
        self.begun = Some(meta.size_bytes);
        self.taken(done)
    }

    fn data(&mut self, _: usize, _: u64, bytes: &[u8]) -> Result<(), Stop> {
        let done = self.archive.data(bytes);
        self.taken(done)
    }

    fn finished(&mut self, _: usize, _: Meta) -> Result<(), Stop> {
        self.ended = Some(Ok(()));
        Ok(())
    }

    fn failed(&mut self, _: usize, error: Error) -> Result<(), Stop> {
        self.ended = Some(Err(error));
        Ok(())
    }
}
