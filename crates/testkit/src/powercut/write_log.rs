//! A log of block writes, in the format of Linux's dm-log-writes, and the disk as it may be after a power cut: everything that was
//! written before the last flush, and of what was written since any part.
//!
//! One sector of head, then for each entry a sector with its own head (sector, sectors, flags, bytes of data) and its data.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const MAGIC: u64 = 0x006a_7366_7773_6872;
const SECTOR: usize = 512;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;
/// What a disk writes as a whole or not at all.
const ATOM: usize = 4096;
/// The image of a cut is written in pieces of this size; those that were never written stay holes.
const PIECE: usize = 64 << 10;

struct Entry {
    /// Byte on the disk.
    at: usize,
    /// Where its data are in the log.
    data: std::ops::Range<usize>,
    flags: u64,
}

/// A log, read.
pub(super) struct WriteLog {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

fn field(head: &[u8], number: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&head[8 * number..8 * number + 8]);
    u64::from_le_bytes(bytes)
}

/// The entries' heads, up to the first one that was not written.
fn heads(log: &File) -> io::Result<(Vec<Entry>, usize)> {
    let mut head = [0; SECTOR];
    log.read_exact_at(&mut head, 0)?;
    if field(&head, 0) != MAGIC && field(&head, 0) != 0 {
        return Err(io::Error::other("not a log of writes"));
    }
    let (mut at, mut entries) = (SECTOR, Vec::new());
    loop {
        log.read_exact_at(&mut head, at as u64)?;
        let [sector, sectors, flags] = [0, 1, 2].map(|n| field(&head, n));
        if sector == 0 && sectors == 0 && flags == 0 {
            return Ok((entries, at));
        }
        at += SECTOR;
        let len = if flags & DISCARD == 0 { usize::try_from(sectors).map_err(io::Error::other)? * SECTOR } else { 0 };
        let first = usize::try_from(sector).map_err(io::Error::other)? * SECTOR;
        entries.push(Entry { at: first, data: at..at + len, flags });
        at += len;
    }
}

/// How many entries are in a log that is still being written.
pub(super) fn count(log: &Path) -> io::Result<usize> {
    Ok(heads(&File::open(log)?)?.0.len())
}

impl WriteLog {
    pub fn read(log: &Path) -> io::Result<WriteLog> {
        let file = File::open(log)?;
        let (entries, end) = heads(&file)?;
        let mut bytes = vec![0; end];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(WriteLog { bytes, entries })
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// The disk at one moment of the log. The moment only moves forward.
pub(super) struct Replay<'a> {
    log: &'a WriteLog,
    /// What is safe from a power cut.
    durable: Vec<u8>,
    is_written: Vec<bool>,
    /// Entries since the last flush.
    pending: Vec<usize>,
    next: usize,
}

impl<'a> Replay<'a> {
    /// Before the first entry, on a disk that was as `base`.
    pub fn new(log: &'a WriteLog, base: Vec<u8>) -> Replay<'a> {
        let is_written = base.chunks(PIECE).map(|piece| piece.iter().any(|byte| *byte != 0)).collect();
        Replay { log, durable: base, is_written, pending: Vec::new(), next: 0 }
    }

    /// After `entries` entries.
    pub fn advance(&mut self, entries: usize) {
        while self.next < entries.min(self.log.len()) {
            let entry = &self.log.entries[self.next];
            if entry.flags & FLUSH != 0 {
                for at in std::mem::take(&mut self.pending) {
                    self.make_durable(at);
                }
            }
            self.pending.push(self.next);
            self.next += 1;
        }
    }

    fn make_durable(&mut self, entry: usize) {
        let entry = &self.log.entries[entry];
        let data = &self.log.bytes[entry.data.clone()];
        let Some(place) = self.durable.get_mut(entry.at..entry.at + data.len()) else { return };
        place.copy_from_slice(data);
        if !data.is_empty() {
            self.is_written[entry.at / PIECE..=(entry.at + data.len() - 1) / PIECE].fill(true);
        }
    }

    /// Whether the whole log, replayed on its base, makes the disk that was recorded. Otherwise no cut would prove anything.
    pub fn ends_as(mut self, image: &[u8]) -> Result<(), String> {
        self.advance(self.log.len());
        for entry in std::mem::take(&mut self.pending) {
            self.make_durable(entry);
        }
        let differs = |(ours, theirs): (&[u8], &[u8])| ours != theirs;
        match self.durable.chunks(SECTOR).zip(image.chunks(SECTOR)).position(differs) {
            Some(sector) => Err(format!("the log of writes does not make the disk: sector {sector} differs")),
            None => Ok(()),
        }
    }

    /// How many entries a power cut may drop here.
    pub fn pending(&self) -> usize {
        self.pending.iter().filter(|entry| !self.log.entries[**entry].data.is_empty()).count()
    }

    /// Writes the disk as a cut leaves it: of what is pending only the blocks for which `is_kept` says so. It is asked entry by
    /// entry, and for each block of 4 KiB in it.
    pub fn write_to(&self, image: &Path, mut is_kept: impl FnMut(usize, usize) -> bool) -> io::Result<()> {
        let file = File::create(image)?;
        file.set_len(self.durable.len() as u64)?;
        for (number, piece) in self.durable.chunks(PIECE).enumerate() {
            if self.is_written[number] {
                file.write_all_at(piece, (number * PIECE) as u64)?;
            }
        }
        for (order, entry) in self.pending.iter().enumerate() {
            let entry = &self.log.entries[*entry];
            for (number, block) in self.log.bytes[entry.data.clone()].chunks(ATOM).enumerate() {
                if entry.flags & FUA != 0 || is_kept(order, number) {
                    file.write_all_at(block, (entry.at + number * ATOM) as u64)?;
                }
            }
        }
        Ok(())
    }
}
