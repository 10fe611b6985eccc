//! The held plan: deletions that wait for a person, one JSON object a line in `held/plan.jsonl`.

use crate::spill::SpillLog;
use crate::vanished::Vanished;
use crate::{files, layout};
use octo_core::guard::{Hold, HoldKind};
use octo_core::target::Done;
use octo_core::{Code, Error, Kind, RelPath, Target, TargetFile, Timestamp};
use serde::{Deserialize, Serialize};

/// A pending set of deletions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldPlan {
    /// Names this set; another set has another id.
    pub id: String,
    /// The run that wrote it.
    pub run: u64,
    /// Why it is held.
    pub because: Vec<String>,
    /// What each of these reasons is; plans of older programs have none.
    #[serde(default)]
    pub kinds: Vec<HoldKind>,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Nothing but folders that could not be read holds it: it goes on without a person once they can be.
    #[serde(default)]
    pub until_read: bool,
    /// The first of its entries.
    #[serde(skip)]
    pub entries: Vec<HeldEntry>,
    /// How many more there are.
    #[serde(skip)]
    pub more: u64,
}

/// One pending deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldEntry {
    /// Where.
    pub path: RelPath,
    /// What.
    pub kind: Kind,
    /// Its size.
    pub size_bytes: u64,
    /// Its last write time.
    pub write_time: Timestamp,
}

impl HeldEntry {
    fn of(vanished: &Vanished) -> HeldEntry {
        let Vanished { place, meta } = vanished;
        // A folder's time and size move with what is in it and say nothing.
        let (size_bytes, write_time) =
            if meta.kind == Kind::Folder { (0, Timestamp::default()) } else { (meta.size_bytes, meta.write_time) };
        HeldEntry { path: place.clone(), kind: meta.kind, size_bytes, write_time }
    }

    /// Whether this is the same entry, unchanged.
    pub fn is(&self, vanished: &Vanished) -> bool {
        *self == HeldEntry::of(vanished)
    }
}

/// The pending plan with up to `limit` of its entries; `None` if nothing is held.
pub fn held_plan(target: &dyn Target, limit: usize) -> Result<Option<HeldPlan>, Error> {
    let Some(mut lines) = Lines::open(target)? else { return Ok(None) };
    let Some(mut plan) = lines.head()? else { return Ok(None) };
    while let Some(entry) = lines.next::<HeldEntry>()? {
        if plan.entries.len() < limit { plan.entries.push(entry) } else { plan.more += 1 }
    }
    Ok(Some(plan))
}

/// The entries of the plan with this id, in walk order. Any other id is refused: it was superseded, or never was.
pub fn entries_of<'t>(
    target: &'t dyn Target,
    id: &str,
) -> Result<impl Iterator<Item = Result<HeldEntry, Error>> + use<'t>, Error> {
    let mut lines = Lines::open(target)?;
    let head = lines.as_mut().map(|lines| lines.head()).transpose()?.flatten();
    match head {
        Some(head) if head.id == id => {
            Ok(std::iter::from_fn(move || lines.as_mut().and_then(|l| l.next::<HeldEntry>().transpose())))
        }
        Some(head) => {
            let detail = format!("plan {id} was superseded; the plan that waits now is {}", head.id);
            Err(Error::new(Code::Usage, detail))
        }
        None => Err(Error::new(Code::Usage, format!("no plan waits for approval, so {id} cannot be approved"))),
    }
}

/// Writes the pending plan, durably, and returns its id. The same set always gets the same id.
pub fn write(
    target: &dyn Target,
    run: u64,
    because: &[Hold],
    until_read: bool,
    held: &SpillLog,
) -> Result<String, Error> {
    let mut hash = blake3::Hasher::new();
    let (mut files, mut bytes) = (0, 0);
    for record in held.forward() {
        let entry = HeldEntry::of(&Vanished::decode(&record?)?);
        hash.update(&json(&entry)?).update(b"\n");
        if entry.kind == Kind::File {
            files += 1;
            bytes += entry.size_bytes;
        }
    }
    let id = hash.finalize().to_hex()[..12].to_owned();
    let kinds = because.iter().map(|hold| hold.kind).collect();
    let because = because.iter().map(|hold| hold.words.clone()).collect();
    let head = HeldPlan { id: id.clone(), run, because, kinds, files, bytes, until_read, entries: Vec::new(), more: 0 };
    let new = layout::stage(run, u64::MAX - 2);
    files::ensure_folder(target, &layout::staging(run))?;
    let folder = layout::held_plan().parent().unwrap_or_default();
    files::ensure_folder(target, &folder)?;
    target.remove_file(&new)?;
    let file = target.create_file(&new)?;
    let mut out = json(&head)?;
    out.push(b'\n');
    let mut at = 0;
    for record in held.forward() {
        out.extend_from_slice(&json(&HeldEntry::of(&Vanished::decode(&record?)?))?);
        out.push(b'\n');
        if out.len() > 64 << 10 {
            file.write_at(at, &out)?;
            at += out.len() as u64;
            out.clear();
        }
    }
    file.write_at(at, &out)?;
    file.sync()?;
    match target.rename_over(&new, &layout::held_plan())? {
        Done::Yes => target.sync_folder(&folder).map(|()| id),
        _ => Err(Error::new(Code::TargetFailed, "the held plan could not be put in place")),
    }
}

/// Nothing is pending any more.
pub fn clear(target: &dyn Target) -> Result<(), Error> {
    target.remove_file(&layout::held_plan()).map(drop)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|e| Error::new(Code::TargetFailed, e.to_string()))
}

/// Reads the plan line by line: it may have millions.
struct Lines {
    file: Box<dyn TargetFile>,
    at: u64,
    buffer: Vec<u8>,
}

impl Lines {
    fn open(target: &dyn Target) -> Result<Option<Lines>, Error> {
        let file = target.open_file(&layout::held_plan())?;
        Ok(file.map(|file| Lines { file, at: 0, buffer: Vec::new() }))
    }

    fn head(&mut self) -> Result<Option<HeldPlan>, Error> {
        self.next()
    }

    fn next<T: for<'de> Deserialize<'de>>(&mut self) -> Result<Option<T>, Error> {
        const LINE_BYTES_MAX: usize = 1 << 20;
        loop {
            if let Some(end) = self.buffer.iter().position(|&b| b == b'\n') {
                let value = serde_json::from_slice(&self.buffer[..end])
                    .map_err(|e| Error::new(Code::RecordsDamaged, format!("{}: {e}", layout::held_plan())))?;
                self.buffer.drain(..=end);
                return Ok(Some(value));
            }
            let have = self.buffer.len();
            if have > LINE_BYTES_MAX {
                return Err(Error::new(Code::RecordsDamaged, format!("{}: an endless line", layout::held_plan())));
            }
            self.buffer.resize(have + (16 << 10), 0);
            let n = self.file.read_at(self.at, &mut self.buffer[have..])?;
            self.buffer.truncate(have + n);
            self.at += n as u64;
            if n == 0 {
                return Ok(None);
            }
        }
    }
}
