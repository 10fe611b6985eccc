//! The records of one run by the names that they concern, so that those of one folder are found without reading the others. In
//! memory while they are few, else in a scratch file.

use super::decide::Fact;
use crate::changes::{self, OfRun, Record};
use crate::layout;
use crate::order::NameOrder;
use crate::spill::{Pool, Sorted, Sorter, read_exact};
use octo_core::{Error, RelPath, Target, TargetFile, Timestamp};

/// What is sorted in memory.
const SORT_BYTES: usize = 8 << 20;
/// Read at once, and looked through from its beginning.
const BLOCK_BYTES_MIN: usize = 4 << 10;
/// The first key of each is in memory, so of more records each block has more.
const BLOCKS_MAX: u64 = 8000;
/// Records of a run up to this size stay in memory.
const IN_MEMORY_BYTES: usize = 64 << 10;
/// After the name: a byte that no name has, and the record's number.
const TAIL_BYTES: usize = 9;
const VALUE_BYTES: usize = 17;

/// The records of one run.
pub struct Table {
    /// The run.
    pub run: u64,
    /// The first of the runs whose records these are.
    pub since: u64,
    /// How the target orders names.
    order: NameOrder,
    /// The first line of `changes` that is no record, if there is one: what it said cannot be taken back.
    pub damaged_line: Option<u64>,
    /// How long `changes` was when it was read.
    read_bytes: u64,
    /// Where each block begins, with its first key.
    blocks: Vec<(Vec<u8>, u64)>,
    end: u64,
    store: Store,
}

enum Store {
    Memory(Vec<u8>),
    File(Box<dyn TargetFile>),
}

impl Table {
    /// Reads the records of a run.
    pub fn read(target: &dyn Target, run: u64, order: NameOrder) -> Result<Table, Error> {
        Table::read_file(target, &layout::changes(run), run, order)
    }

    /// Reads the records of a run from this file.
    pub fn read_file(target: &dyn Target, path: &RelPath, run: u64, order: NameOrder) -> Result<Table, Error> {
        let read_bytes = length(target, path)?;
        let pool = Pool::new(SORT_BYTES);
        let mut sorter = Sorter::new(target, &pool);
        let (mut number, mut damaged_line, mut of_run) = (0u64, None, run);
        let mut since = run;
        changes::lines(target, path, 0, |line| {
            number += 1;
            let Ok(record) = serde_json::from_slice::<Record>(line) else {
                damaged_line.get_or_insert(number);
                return Ok(());
            };
            if let Record::Run(OfRun { run, .. }) = record {
                of_run = run;
                since = if number == 1 { since.min(run) } else { since };
            }
            facts(&record).into_iter().flatten().try_for_each(|(path, fact)| {
                let (key, value) = Table::row(order, path, of_run, number, fact);
                sorter.push(&key, &value)
            })
        })?;
        Table::of_sorted(target, (run, since, order), damaged_line, read_bytes, &sorter.finish()?)
    }

    /// From rows by their keys, each as [`Table::row`] makes it.
    pub fn of_sorted(
        target: &dyn Target,
        head: (u64, u64, NameOrder),
        damaged_line: Option<u64>,
        read_bytes: u64,
        sorted: &Sorted,
    ) -> Result<Table, Error> {
        const RECORD_BYTES: u64 = 120;
        let block_bytes = usize::try_from(sorted.count() * RECORD_BYTES / BLOCKS_MAX).unwrap_or(usize::MAX);
        let block_bytes = block_bytes.max(BLOCK_BYTES_MIN);
        let table = Table::empty(head, damaged_line, read_bytes);
        let mut writer = Writer { target, table, pending: Vec::new(), block_bytes };
        sorted.for_each(|key, value| writer.push(key, value))?;
        writer.finish()
    }

    /// The key and the value of a row.
    pub fn row(order: NameOrder, path: &RelPath, run: u64, number: u64, fact: Fact) -> (Vec<u8>, [u8; VALUE_BYTES]) {
        let mut key = order.entry_key(path);
        key.push(0);
        key.extend_from_slice(&number.to_be_bytes());
        (key, encode(run, fact))
    }

    /// Whether nothing is recorded.
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    fn empty((run, since, order): (u64, u64, NameOrder), damaged_line: Option<u64>, read_bytes: u64) -> Table {
        let store = Store::Memory(Vec::new());
        Table { run, since, order, damaged_line, read_bytes, blocks: Vec::new(), end: 0, store }
    }

    /// Whether there are more records now.
    pub fn has_grown(&self, target: &dyn Target) -> bool {
        length(target, &layout::changes(self.run)).is_ok_and(|length| length != self.read_bytes)
    }

    /// The facts of all entries of a folder, by name; those of one name in the order in which they were recorded.
    pub fn of_folder(&self, folder: &RelPath) -> Rows<'_> {
        let prefix = self.order.folder_key(folder);
        let folder_bytes = prefix.len();
        self.from(prefix, folder_bytes)
    }

    /// The facts of one entry. Where case is folded, in any spelling.
    pub fn of_entry(&self, path: &RelPath) -> Rows<'_> {
        let mut prefix = self.order.folder_key(&path.parent().unwrap_or_default());
        let folder_bytes = prefix.len();
        if let Some(name) = path.name() {
            prefix.extend_from_slice(self.order.identity(&self.order.key(&name)));
        }
        prefix.push(0);
        self.from(prefix, folder_bytes)
    }

    /// The facts of everything below a folder.
    pub fn below(&self, folder: &RelPath) -> Rows<'_> {
        let mut prefix = self.order.folder_key(folder);
        // A folder's entries, and what is further down, differ after this.
        prefix.pop();
        if folder.is_root() {
            prefix.clear();
        }
        self.from(prefix, 0)
    }

    /// Every path of which something is recorded, by path; several times if several things are. Where case is folded, names of folders
    /// are.
    pub fn paths(&self) -> impl Iterator<Item = Result<RelPath, Error>> + '_ {
        self.from(Vec::new(), 0).map(|row| row.map(|row| self.order.path_of(&row.key)))
    }

    /// All rows whose key begins with this, with this many bytes of it for the folder.
    fn from(&self, prefix: Vec<u8>, folder_bytes: usize) -> Rows<'_> {
        let block = self.blocks.partition_point(|(first, _)| *first <= prefix).saturating_sub(1);
        Rows { table: self, prefix, folder_bytes, next_block: block, bytes: Vec::new(), at: 0 }
    }

    fn block(&self, number: usize) -> Result<Option<Vec<u8>>, Error> {
        let Some((_, start)) = self.blocks.get(number) else { return Ok(None) };
        let end = self.blocks.get(number + 1).map_or(self.end, |(_, end)| *end);
        let size = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        match &self.store {
            Store::Memory(bytes) => Ok(bytes.get(size(*start)..size(end)).map(<[u8]>::to_vec)),
            Store::File(file) => {
                let mut bytes = vec![0; size(end - start)];
                read_exact(&**file, *start, &mut bytes)?;
                Ok(Some(bytes))
            }
        }
    }
}

/// What a record says of which names.
pub fn facts(record: &Record) -> [Option<(&RelPath, Fact)>; 2] {
    match record {
        Record::Began | Record::NotKept | Record::Run(_) => [None, None],
        Record::Created { path, .. } => [Some((path, Fact::Made)), None],
        Record::Replaced { path, write_time, .. } | Record::Deleted { path, write_time, .. } => {
            [Some((path, Fact::Kept(*write_time))), None]
        }
        Record::Moved { from, to, write_time, .. } => [Some((from, Fact::Kept(*write_time))), Some((to, Fact::Made))],
        Record::Restamped { path, write_time, .. } => [Some((path, Fact::Time(*write_time))), None],
        Record::Metadata { path, .. } => [Some((path, Fact::Metadata)), None],
    }
}

fn encode(run: u64, fact: Fact) -> [u8; VALUE_BYTES] {
    let (tag, time) = match fact {
        Fact::Made => (0, 0),
        Fact::Kept(time) => (1, time.0),
        Fact::Time(time) => (2, time.0),
        Fact::Metadata => (3, 0),
    };
    let mut value = [tag; VALUE_BYTES];
    value[1..9].copy_from_slice(&time.to_be_bytes());
    value[9..].copy_from_slice(&run.to_be_bytes());
    value
}

fn decode([tag, value @ ..]: [u8; VALUE_BYTES]) -> (u64, Fact) {
    let number = |at: usize| {
        let mut eight = [0; 8];
        eight.copy_from_slice(&value[at..at + 8]);
        eight
    };
    let time = Timestamp(i64::from_be_bytes(number(0)));
    let fact = match tag {
        0 => Fact::Made,
        1 => Fact::Kept(time),
        2 => Fact::Time(time),
        _ => Fact::Metadata,
    };
    (u64::from_be_bytes(number(8)), fact)
}

fn length(target: &dyn Target, path: &RelPath) -> Result<u64, Error> {
    Ok(target.look(path)?.map_or(0, |meta| meta.size_bytes))
}

/// Writes a table, block by block.
struct Writer<'t> {
    target: &'t dyn Target,
    table: Table,
    pending: Vec<u8>,
    block_bytes: usize,
}

impl Writer<'_> {
    fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if self.pending.len() >= self.block_bytes {
            self.flush()?;
        }
        if self.pending.is_empty() {
            self.table.blocks.push((key.to_vec(), self.table.end));
        }
        self.pending.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.pending.extend_from_slice(key);
        self.pending.extend_from_slice(value);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let at = self.table.end;
        self.table.end += self.pending.len() as u64;
        if let Store::Memory(bytes) = &mut self.table.store {
            if bytes.len() + self.pending.len() <= IN_MEMORY_BYTES {
                bytes.append(&mut self.pending);
                return Ok(());
            }
            let file = self.target.scratch()?;
            file.write_at(0, bytes)?;
            self.table.store = Store::File(file);
        }
        if let Store::File(file) = &self.table.store {
            file.write_at(at, &self.pending)?;
        }
        self.pending.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Table, Error> {
        self.flush()?;
        Ok(self.table)
    }
}

/// A key, and which run says what of it.
type KeyAndFact = (Vec<u8>, (u64, Fact));

/// Some rows of a table, by key.
pub struct Rows<'t> {
    table: &'t Table,
    prefix: Vec<u8>,
    /// How much of each key is the folder's.
    folder_bytes: usize,
    next_block: usize,
    bytes: Vec<u8>,
    at: usize,
}

/// One fact of one name.
pub struct Row {
    /// The name's key, in the order of names.
    pub key: Vec<u8>,
    /// The run of which it is a record.
    pub run: u64,
    /// The number of its record in the file.
    pub number: u64,
    /// What is said of it.
    pub fact: Fact,
}

impl Rows<'_> {
    /// The next key and value; `None` at the end of the table.
    fn read(&mut self) -> Result<Option<KeyAndFact>, Error> {
        if self.at >= self.bytes.len() {
            let Some(bytes) = self.table.block(self.next_block)? else { return Ok(None) };
            (self.bytes, self.at) = (bytes, 0);
            self.next_block += 1;
        }
        let rest = &self.bytes[self.at..];
        let whole = rest.split_first_chunk().and_then(|(len, rest)| {
            let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
            Some((key.to_vec(), decode(*rest.first_chunk()?), 4 + key.len() + VALUE_BYTES))
        });
        let Some((key, fact, read)) = whole else {
            return Err(Error::new(octo_core::Code::TargetFailed, "a temporary file is damaged"));
        };
        self.at += read;
        Ok(Some((key, fact)))
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (key, (run, fact)) = match self.read() {
                Ok(row) => row?,
                Err(error) => return Some(Err(error)),
            };
            if key.starts_with(&self.prefix) {
                let number = key.last_chunk().map_or(0, |number| u64::from_be_bytes(*number));
                let end = key.len().saturating_sub(TAIL_BYTES).max(self.folder_bytes);
                return Some(Ok(Row { key: key[self.folder_bytes..end].to_vec(), run, number, fact }));
            }
            if key > self.prefix {
                return None;
            }
        }
    }
}
