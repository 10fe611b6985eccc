//! A world as a plain list of steps: it follows from a seed, can be made smaller, and is kept as one line of JSON.
//!
//! Each step means something whatever came before it: what cannot be done is left out. So any step may be taken away.
#![allow(missing_docs, reason = "the sentence of each variant names its fields")]

use octo_core::Code;
use serde::{Deserialize, Serialize};

/// Everything that happens in one world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// What it follows from.
    pub seed: u64,
    /// The mirror's disk can do hard links.
    pub hard_links: bool,
    /// Changes of names reach the disk in their order.
    pub keeps_order: bool,
    /// Upper and lower case are the same on the mirror's disk.
    pub folds_case: bool,
    /// The mirror's disk stores times in steps of two seconds.
    pub coarse_times: bool,
    /// Entries have permissions and streams, and these are kept.
    #[serde(default)]
    pub metadata: bool,
    /// Threads that list and threads that copy. With more than one a world need not happen the same way again.
    pub workers: usize,
    /// The runs, and what happens before and in each.
    pub rounds: Vec<Round>,
}

/// One run, and what happens before and in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Round {
    /// What changes on the source before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// What a person does before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub person: Vec<Act>,
    /// By how many hours the clock goes on before; it may go back.
    pub hours: i64,
    /// What the run is asked to do.
    pub options: Options,
    /// What goes wrong in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// A change of the source. Paths are as [`RelPath::to_text`](octo_core::RelPath::to_text) writes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A file is made or gets new content. Every content is another one. With `zeros` it begins with so many zeros.
    Write { path: String, bytes: u32, zeros: u32 },
    /// A folder is made, or gets another time.
    Folder { path: String },
    /// A link is made or leads elsewhere.
    Link { path: String, to: String },
    /// Something goes, with all that is in it.
    Remove { path: String },
    /// Something gets another name, with all that is in it; what had that name is gone.
    Rename { from: String, to: String },
    /// A file gets another time, by so many hours, and no other content.
    Restamp { path: String, hours: i64 },
    /// A file or folder gets other permissions and a stream of so many bytes, or none.
    Details { path: String, stream_bytes: u32 },
    /// More is written at the end of a file.
    Append { path: String, bytes: u32 },
    /// The source keeps a snapshot of itself.
    Snapshot,
}

/// What a person does between two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Approves the plan that waits, in this run.
    Approve,
    /// Approves a plan that was never made.
    ApproveAnother,
    /// Releases the brake, in this run.
    ReleaseBrake,
    /// Writes a file into the mirror.
    Write { path: String },
    /// Removes something from the mirror, with all that is in it.
    Remove { path: String },
    /// Gives something in the mirror another name, if that is free.
    Rename { from: String, to: String },
    /// Starts the machine again, in good order.
    Restart,
    /// Gives the mirror's disk as much space as it could ever need.
    FreeSpace,
}

/// What a run is asked to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// No versions are kept.
    pub no_versions: bool,
    /// So many days versions are kept.
    pub keep_days: u64,
    /// So many hours of which the last state is kept, besides.
    #[serde(skip_serializing_if = "is_zero")]
    pub keep_hourly: u32,
    /// At most so many files may be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_delete: Option<u64>,
    /// Nothing may be deleted.
    pub no_delete: bool,
    /// Nothing is to be done.
    pub dry_run: bool,
    /// What does not belong to the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude: Option<String>,
    /// Contents are compared.
    pub compare_content: bool,
    /// Of a file that is written all the time its beginning is copied.
    pub live_copy: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Something that goes wrong in a run. Calls and effects are counted from 1, each kind by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A listing of the source goes wrong.
    List { nth: u64, how: ListFault },
    /// Reading a file goes wrong.
    Read { nth: u64, how: ReadFault },
    /// Of a file or folder that is read it cannot be reported what it has besides its data.
    Details { nth: u64, code: Code },
    /// The so-manieth file that is opened is written all the time: each time it is opened it grows, or gets another content.
    Live { nth: u64, grows: bool },
    /// Where a link leads to cannot be read.
    ReadLink { nth: u64 },
    /// The source changes while a folder of it is listed, or while a file of it is read.
    Changes { call: Call, change: Change },
    /// The source takes so long for this.
    Slow { call: Call, secs: u64 },
    /// The source does not answer any more.
    Stuck { call: Call },
    /// A person stops the run.
    Cancel { call: Call },
    /// One effect fails.
    Effect { nth: u64, code: Code },
    /// All effects fail from this one on, those that remove excepted, until so many names were removed.
    Full { nth: u64, until_removed: u64 },
    /// The mirror's disk has only room for so many more bytes.
    LittleRoom { bytes: u64 },
    /// The process is killed: nothing it does has any effect any more. `torn` does half of that effect, if it is a write.
    Kill { nth: u64, torn: bool, power: Option<Power> },
    /// The clock jumps.
    Clock { nth: u64, hours: i64 },
}

/// A call of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// The so-manieth listing.
    List(u64),
    /// The so-manieth file that is opened.
    Open(u64),
}

/// How a listing goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListFault {
    /// It ends after so many entries.
    Cut { entries: usize, code: Code },
    /// Each entry comes twice.
    Twice,
    /// It begins again after so many entries.
    Anew { entries: usize },
    /// It has a name that cannot be one.
    BadName,
}

/// How reading a file goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadFault {
    /// It cannot be opened.
    Fails { code: Code },
    /// It fails halfway.
    FailsHalfway { code: Code },
    /// Half of it never comes.
    DataMissing,
    /// It is reported to be longer than it is.
    AnnouncesMore,
    /// Its time moves.
    TimeMoves,
    /// More comes than there is.
    DataBeyond,
    /// Its pieces come backwards, and twice.
    Scrambled,
}

/// How the power goes after a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Everything that was not synced is gone.
    Forgets,
    /// Names are there, data that was not synced is zeros.
    LeavesZeros,
    /// Names are there, of the files some have their data and some zeros.
    LeavesSome(u64),
}

impl Fault {
    /// The kind, as it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::List { how: ListFault::Cut { code, .. }, .. } if code.stops_run() => "connection lost in a listing",
            Fault::List { how: ListFault::Cut { entries: 0, .. }, .. } => "listing error",
            Fault::List { how: ListFault::Cut { .. }, .. } => "listing cut short",
            Fault::List { how: ListFault::Twice, .. } => "listed twice",
            Fault::List { how: ListFault::Anew { .. }, .. } => "listed again",
            Fault::List { how: ListFault::BadName, .. } => "hostile name",
            Fault::Read { how: ReadFault::Fails { code } | ReadFault::FailsHalfway { code }, .. }
                if code.stops_run() =>
            {
                "connection lost in a file"
            }
            Fault::Read { how: ReadFault::Fails { .. }, .. } => "read error",
            Fault::Read { how: ReadFault::FailsHalfway { .. }, .. } => "read error halfway",
            Fault::Read { .. } => "lies about a file",
            Fault::Details { .. } => "metadata not read",
            Fault::Live { grows: true, .. } => "file grows all the time",
            Fault::Live { grows: false, .. } => "file written all the time",
            Fault::ReadLink { .. } => "link not read",
            Fault::Changes { .. } => "source changes meanwhile",
            Fault::Slow { .. } => "slow call",
            Fault::Stuck { .. } => "stuck call",
            Fault::Cancel { .. } => "cancelled",
            Fault::Effect { .. } => "effect fails",
            Fault::Full { .. } => "disk full",
            Fault::LittleRoom { .. } => "little room",
            Fault::Kill { power: None, torn: false, .. } => "kill",
            Fault::Kill { power: None, torn: true, .. } => "kill in a write",
            Fault::Kill { power: Some(Power::Forgets), .. } => "power loss, forgets",
            Fault::Kill { power: Some(Power::LeavesZeros), .. } => "power loss, zeros",
            Fault::Kill { power: Some(Power::LeavesSome(_)), .. } => "power loss, some zeros",
            Fault::Clock { .. } => "clock jumps",
        }
    }
}
