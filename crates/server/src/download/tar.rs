//! Writes a tar, compressed with zstd, as a stream: POSIX.1-2001 (pax), with metadata as records. What pax has a name for has that; what
//! other programs gave a name to has theirs (`SCHILY.xattr.`, `LIBARCHIVE.creationtime`); the rest is called `OCTOBACKUP.`.
//!
//! A tar has no checksums of contents: one with a damaged file in it ends with blocks that are none, and with the beginning of
//! another frame of zstd, so that no program takes it for whole; all that is in it can be unpacked.

use super::archive::{Archive, Entry};
use octo_core::Timestamp;
use std::io::{self, Write};
use tar::{EntryType, Header};
use zstd::stream::write::Encoder;

const BLOCK_BYTES: usize = 512;
/// Nearly as fast as the network.
const LEVEL: i32 = 3;
/// Programs read so much at once, and drop what is less.
const RECORD_BYTES: usize = 20 * BLOCK_BYTES;
/// The magic number of zstd (RFC 8878, 3.1.1).
const FRAME: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
const NOT_WHOLE: &[u8] = b"This archive is not whole: octobackup-problems.txt says why.\n";
const MODE_FILE: u32 = 0o644;
const MODE_FOLDER: u32 = 0o755;
/// The most that a name in a header has; the rest is in a record.
const NAME_BYTES: usize = 100;

/// The archive.
pub struct Tar<W: Write> {
    out: Encoder<'static, W>,
    file_bytes: u64,
}

impl<W: Write> Tar<W> {
    /// Nothing yet.
    pub fn new(out: W) -> io::Result<Tar<W>> {
        Ok(Tar { out: Encoder::new(out, LEVEL)?, file_bytes: 0 })
    }

    fn entry(&mut self, entry: &Entry, kind: EntryType, size_bytes: u64, leads_to: Option<&[u8]>) -> io::Result<()> {
        let slash = if kind == EntryType::Directory { &b"/"[..] } else { b"" };
        let name = [&entry.name, slash].concat();
        let records = records(entry, (&name, leads_to), size_bytes);
        let mut head = Header::new_ustar();
        fill(&mut head, b"././@PaxHeader", EntryType::XHeader, records.len() as u64);
        head.set_mode(MODE_FILE);
        head.set_cksum();
        self.out.write_all(head.as_bytes())?;
        self.out.write_all(&records)?;
        self.pad(records.len() as u64)?;

        let mut head = Header::new_ustar();
        fill(&mut head, &name, kind, size_bytes);
        let posix = entry.details.posix;
        let usual = if kind == EntryType::Directory { MODE_FOLDER } else { MODE_FILE };
        head.set_mode(posix.map_or(usual, |posix| posix.mode & 0o7777));
        if let Some(posix) = posix {
            head.set_uid(posix.uid.into());
            head.set_gid(posix.gid.into());
        }
        head.set_mtime(u64::try_from(entry.write_time.to_unix().0).unwrap_or(0));
        if let Some(leads_to) = leads_to {
            let room = &mut head.as_old_mut().linkname;
            let length = leads_to.len().min(room.len());
            room[..length].copy_from_slice(&leads_to[..length]);
        }
        head.set_cksum();
        self.out.write_all(head.as_bytes())
    }

    fn pad(&mut self, bytes: u64) -> io::Result<()> {
        let over = usize::try_from(bytes % BLOCK_BYTES as u64).unwrap_or(0);
        if over > 0 { self.out.write_all(&[0; BLOCK_BYTES][over..]) } else { Ok(()) }
    }
}

fn fill(head: &mut Header, name: &[u8], kind: EntryType, size_bytes: u64) {
    let length = name.len().min(NAME_BYTES);
    head.as_old_mut().name[..length].copy_from_slice(&name[..length]);
    head.set_entry_type(kind);
    head.set_size(size_bytes);
    head.set_uid(0);
    head.set_gid(0);
    head.set_mtime(0);
}

/// All records of one entry.
fn records(entry: &Entry, (name, leads_to): (&[u8], Option<&[u8]>), size_bytes: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let is_text = std::str::from_utf8(name).is_ok() && leads_to.is_none_or(|to| std::str::from_utf8(to).is_ok());
    if !is_text {
        record(&mut out, b"hdrcharset", b"BINARY");
    }
    record(&mut out, b"path", name);
    if let Some(leads_to) = leads_to {
        record(&mut out, b"linkpath", leads_to);
    }
    record(&mut out, b"size", size_bytes.to_string().as_bytes());
    record(&mut out, b"mtime", seconds(entry.write_time).as_bytes());
    let details = &entry.details;
    if let Some(made) = details.creation_time {
        record(&mut out, b"LIBARCHIVE.creationtime", seconds(made).as_bytes());
    }
    if let Some(posix) = details.posix {
        record(&mut out, b"uid", posix.uid.to_string().as_bytes());
        record(&mut out, b"gid", posix.gid.to_string().as_bytes());
    }
    if let Some(attributes) = details.attributes.filter(|attributes| *attributes != 0) {
        record(&mut out, b"OCTOBACKUP.attributes", attributes.to_string().as_bytes());
    }
    for (key, value) in &details.records {
        record(&mut out, key, value);
    }
    out
}

/// `LENGTH KEY=VALUE` and a newline; the length counts itself.
fn record(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length.to_string().len() + rest != length {
        length = length.to_string().len() + rest;
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    // Nothing else may end the key.
    key.iter().for_each(|b| if *b == b'=' { out.extend_from_slice(b"%3D") } else { out.push(*b) });
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// Seconds since 1970, as exact as the time is.
fn seconds(time: Timestamp) -> String {
    let ticks = octo_core::time::TICKS_PER_SEC.cast_unsigned();
    let (sign, abs) = if time.0 < 0 { ("-", time.0.unsigned_abs()) } else { ("", time.0.unsigned_abs()) };
    let text = format!("{sign}{}.{:07}", abs / ticks, abs % ticks);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl<W: Write> Archive for Tar<W> {
    fn folder(&mut self, entry: &Entry) -> io::Result<()> {
        self.entry(entry, EntryType::Directory, 0, None)
    }

    fn link(&mut self, entry: &Entry, leads_to: &[u8]) -> io::Result<()> {
        self.entry(entry, EntryType::Symlink, 0, Some(leads_to))
    }

    fn begin(&mut self, entry: &Entry, size_bytes: u64) -> io::Result<()> {
        self.file_bytes = 0;
        self.entry(entry, EntryType::Regular, size_bytes, None)
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file_bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }

    fn end(&mut self, size_bytes: u64, _: bool) -> io::Result<()> {
        // What could not be read is zeros: the next entry must be where it is expected.
        let missing = size_bytes.saturating_sub(self.file_bytes);
        io::copy(&mut io::Read::take(io::repeat(0), missing), &mut self.out)?;
        self.pad(size_bytes)
    }

    fn finish(&mut self, is_whole: bool) -> io::Result<()> {
        if is_whole {
            self.out.write_all(&[0; 2 * BLOCK_BYTES])?;
            self.out.do_finish()?;
        } else {
            let filled: Vec<u8> = NOT_WHOLE.iter().copied().cycle().take(RECORD_BYTES).collect();
            self.out.write_all(&filled)?;
            // Of a frame that is cut short, programs drop the last block.
            self.out.do_finish()?;
            self.out.get_mut().write_all(&FRAME)?;
        }
        self.out.get_mut().flush()
    }
}
