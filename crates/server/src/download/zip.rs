//! Writes a zip as a stream: zip64, names in UTF-8, and for each file a data descriptor, as its checksum is known last.
//! APPNOTE.TXT 6.3.10 is the specification.
//!
//! Contents are deflated with stored blocks (RFC 1951, 3.2.4), not compressed: every tool reads that from a stream, too, which is
//! not so for stored files with a data descriptor. The central directory, which grows with the number of files, waits in a
//! scratch file. It must never give a file that is not whole its right checksum.

use super::archive::{Archive, Entry};
use octo_core::{Error, TargetFile};
use std::io::{self, Write};

const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END64: u32 = 0x0606_4b50;
const LOCATOR64: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;
/// Version 4.5 of the specification has zip64; made on a Unix, so that the mode is read.
const VERSION: u16 = 45;
const MADE_BY: u16 = (3 << 8) | VERSION;
/// A data descriptor follows, and the name is UTF-8.
const FLAGS: u16 = 1 << 3 | 1 << 11;
const UTF8: u16 = 1 << 11;
const DEFLATED: u16 = 8;
const STORED: u16 = 0;
/// The most in one stored block.
const BLOCK_BYTES: usize = 0xffff;
/// Gathered before it goes to the scratch file.
const CENTRAL_BUFFER_BYTES: usize = 64 << 10;
const MODE_FILE: u32 = 0o100_644;
const MODE_FOLDER: u32 = 0o040_755;
const MODE_LINK: u32 = 0o120_777;

/// The archive.
pub struct Zip<W: Write> {
    out: W,
    written: u64,
    central: Box<dyn TargetFile>,
    central_bytes: u64,
    buffer: Vec<u8>,
    entries: u64,
    file: Option<File>,
}

/// The file that is being written.
struct File {
    name: Vec<u8>,
    time: u32,
    unix: Vec<u8>,
    at: u64,
    begun: u64,
    checksum: crc32fast::Hasher,
    bytes: u64,
}

/// Numbers in the order of the format.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(mut self, number: u16) -> Bytes {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }
    fn u32(mut self, number: u32) -> Bytes {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }
    fn u64(mut self, number: u64) -> Bytes {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }
    fn bytes(mut self, bytes: &[u8]) -> Bytes {
        self.0.extend_from_slice(bytes);
        self
    }
}

impl<W: Write> Zip<W> {
    /// Nothing yet. `central` is an empty scratch file.
    pub fn new(out: W, central: Box<dyn TargetFile>) -> Zip<W> {
        Zip { out, written: 0, central, central_bytes: 0, buffer: Vec::new(), entries: 0, file: None }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// A folder or a link: all of it is known.
    fn small(&mut self, entry: &Entry, (name, mode): (Vec<u8>, u32), content: &[u8]) -> io::Result<()> {
        let (at, time, unix) = (self.written, dos_time(entry), unix_time(entry));
        let (checksum, bytes) = (crc32fast::hash(content), u32::try_from(content.len()).unwrap_or(0));
        let head = Bytes::default().u32(LOCAL).u16(VERSION).u16(UTF8).u16(STORED).u32(time).u32(checksum);
        let head = head.u32(bytes).u32(bytes).u16(length(&name)?).u16(length(&unix)?).bytes(&name).bytes(&unix);
        self.put(&head.0)?;
        self.put(content)?;
        let sizes = (u64::from(bytes), u64::from(bytes));
        self.in_central((UTF8, STORED), (&name, time, &unix), (checksum, sizes), (mode, at))
    }

    fn in_central(
        &mut self,
        (flags, method): (u16, u16),
        (name, time, unix): (&[u8], u32, &[u8]),
        (checksum, (packed, bytes)): (u32, (u64, u64)),
        (mode, at): (u32, u64),
    ) -> io::Result<()> {
        // Sizes and place are always in the zip64 field: one form for all.
        let extra = Bytes::default().u16(1).u16(24).u64(bytes).u64(packed).u64(at).bytes(unix).0;
        let folder = u32::from(mode == MODE_FOLDER) << 4;
        let row =
            Bytes::default().u32(CENTRAL).u16(MADE_BY).u16(VERSION).u16(flags).u16(method).u32(time).u32(checksum);
        let row = row.u32(u32::MAX).u32(u32::MAX).u16(length(name)?).u16(length(&extra)?).u16(0).u16(0).u16(0);
        let row = row.u32(mode << 16 | folder).u32(u32::MAX).bytes(name).bytes(&extra);
        self.buffer.extend_from_slice(&row.0);
        self.entries += 1;
        if self.buffer.len() >= CENTRAL_BUFFER_BYTES { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.central.write_at(self.central_bytes, &self.buffer).map_err(of_scratch)?;
        self.central_bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write> Archive for Zip<W> {
    fn folder(&mut self, entry: &Entry) -> io::Result<()> {
        let name = [name(entry), b"/".to_vec()].concat();
        self.small(entry, (name, MODE_FOLDER), b"")
    }

    fn link(&mut self, entry: &Entry, leads_to: &[u8]) -> io::Result<()> {
        self.small(entry, (name(entry), MODE_LINK), leads_to)
    }

    fn begin(&mut self, entry: &Entry, size_bytes: u64) -> io::Result<()> {
        let (name, time, unix) = (name(entry), dos_time(entry), unix_time(entry));
        let at = self.written;
        // With a zip64 field the sizes in the descriptor have eight bytes. Its own must be announced as unknown.
        let zip64 = if is_large(size_bytes) { Bytes::default().u16(1).u16(16).u64(0).u64(0).0 } else { Vec::new() };
        let unknown = if is_large(size_bytes) { u32::MAX } else { 0 };
        let extra = [&zip64[..], &unix].concat();
        let head = Bytes::default().u32(LOCAL).u16(VERSION).u16(FLAGS).u16(DEFLATED).u32(time).u32(0);
        let head = head.u32(unknown).u32(unknown).u16(length(&name)?).u16(length(&extra)?).bytes(&name).bytes(&extra);
        self.put(&head.0)?;
        let begun = self.written;
        self.file = Some(File { name, time, unix, at, begun, checksum: crc32fast::Hasher::new(), bytes: 0 });
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        for block in bytes.chunks(BLOCK_BYTES) {
            let length = length(block)?;
            self.put(&Bytes(vec![0]).u16(length).u16(!length).0)?;
            self.put(block)?;
        }
        if let Some(file) = &mut self.file {
            file.checksum.update(bytes);
            file.bytes += bytes.len() as u64;
        }
        Ok(())
    }

    fn end(&mut self, size_bytes: u64, is_whole: bool) -> io::Result<()> {
        self.put(&[1, 0, 0, 0xff, 0xff])?;
        let Some(File { name, time, unix, at, begun, checksum, bytes }) = self.file.take() else { return Ok(()) };
        let packed = self.written - begun;
        // The checksum tells the program that unpacks it.
        let checksum = if is_whole { checksum.finalize() } else { !checksum.finalize() };
        let head = Bytes::default().u32(DESCRIPTOR).u32(checksum);
        let small = |number| u32::try_from(number).map_err(|_| io::Error::other("a file grew while it was read"));
        let descriptor = match is_large(size_bytes) {
            true => head.u64(packed).u64(bytes),
            false => head.u32(small(packed)?).u32(small(bytes)?),
        };
        self.put(&descriptor.0)?;
        self.in_central((FLAGS, DEFLATED), (&name, time, &unix), (checksum, (packed, bytes)), (MODE_FILE, at))
    }

    fn finish(&mut self, _: bool) -> io::Result<()> {
        self.spill()?;
        let (begins, mut at) = (self.written, 0);
        let mut buffer = vec![0; CENTRAL_BUFFER_BYTES];
        while at < self.central_bytes {
            let wanted = usize::try_from(self.central_bytes - at).unwrap_or(buffer.len()).min(buffer.len());
            let read = self.central.read_at(at, &mut buffer[..wanted]).map_err(of_scratch)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let part = std::mem::take(&mut buffer);
            self.put(&part[..read])?;
            buffer = part;
            at += read as u64;
        }
        let (ends, entries, bytes) = (self.written, self.entries, self.central_bytes);
        let end64 = Bytes::default().u32(END64).u64(44).u16(MADE_BY).u16(VERSION).u32(0).u32(0).u64(entries);
        let end64 = end64.u64(entries).u64(bytes).u64(begins).u32(LOCATOR64).u32(0).u64(ends).u32(1);
        let end = end64.u32(END).u16(0).u16(0).u16(u16::MAX).u16(u16::MAX).u32(u32::MAX).u32(u32::MAX).u16(0);
        self.put(&end.0)?;
        self.out.flush()
    }
}

/// Whether a file's sizes may need more than four bytes, with what the blocks add.
fn is_large(size_bytes: u64) -> bool {
    size_bytes >= u64::from(u32::MAX) - (u64::from(u32::MAX) >> 8)
}

fn length(bytes: &[u8]) -> io::Result<u16> {
    u16::try_from(bytes.len()).map_err(|_| io::Error::other("a name is too long for a zip"))
}

fn of_scratch(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}

/// Text, in which nothing leads elsewhere: `\` separates folders for some programs.
fn name(entry: &Entry) -> Vec<u8> {
    octo_core::path::bytes_to_text(&entry.name).replace('\\', "%5C").into_bytes()
}

/// Two seconds exact, in UTC; 1980 to 2107.
fn dos_time(entry: &Entry) -> u32 {
    let text = entry.write_time.to_utc_text();
    let number = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<u32>().ok());
    let read = || {
        let date = (number(0..4)?.checked_sub(1980)? << 25) | (number(5..7)? << 21) | (number(8..10)? << 16);
        Some(date | (number(11..13)? << 11) | (number(14..16)? << 5) | (number(17..19)? / 2))
    };
    const FIRST_DAY: u32 = (1 << 21) | (1 << 16);
    read().filter(|_| text.len() == 19 && text.as_str() < "2108").unwrap_or(FIRST_DAY)
}

/// The field with the exact second (Info-ZIP's `UT`), if it can say it.
fn unix_time(entry: &Entry) -> Vec<u8> {
    let Ok(secs) = i32::try_from(entry.write_time.to_unix().0) else { return Vec::new() };
    Bytes::default().u16(0x5455).u16(5).bytes(&[1]).bytes(&secs.to_le_bytes()).0
}
