//! The marker: what makes a folder a mirror of ours, and the file that says whether a run is unfinished.

use crate::{layout, small_files};
use octo_core::clock_trust::ClockRecord;
use octo_core::{Abilities, Code, Error, SourcePin, Target};
use serde::{Deserialize, Serialize};

/// The highest format that this version knows; a higher number in a marker is refused.
pub const FORMAT: u32 = 2;
/// That of a mirror of which no state went out of the middle and none was pinned: programs that know nothing of either read it, too.
const FORMAT_PLAIN: u32 = 1;

/// `.octobackup/marker.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Marker {
    /// Format of everything in the reserved folder.
    pub format: u32,
    /// Random; identifies this mirror.
    pub target_id: String,
    /// The number the next run gets.
    pub next_run: u64,
    /// Set by `--adopt` and `--accept-source` until a run has seen all and held nothing: deletions
    /// are held.
    pub unproven: bool,
    /// The run that replaced suspiciously much; deletions and pruning wait until a person releases it.
    pub braked_by: Option<u64>,
    /// What the command line needs to start the job again; without secrets.
    pub job: Option<String>,
    /// Where the files come from.
    pub source: SourcePin,
    /// What the target could do when it was last probed.
    pub abilities: Abilities,
    /// What the clock showed in earlier runs; none in mirrors of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockRecord>,
}

impl Marker {
    /// A marker for a new mirror.
    pub fn new(source: SourcePin, abilities: Abilities) -> Result<Marker, Error> {
        let mut random = [0u8; 16];
        getrandom::fill(&mut random)
            .map_err(|e| Error::new(Code::TargetFailed, format!("no random numbers from the system: {e}")))?;
        let target_id = random.iter().map(|b| format!("{b:02x}")).collect();
        Ok(Marker {
            format: FORMAT_PLAIN,
            target_id,
            next_run: 1,
            unproven: false,
            braked_by: None,
            job: None,
            source,
            abilities,
            clock: None,
        })
    }

    /// The marker of a mirror; `None` if there is none.
    pub fn read(target: &dyn Target) -> Result<Option<Marker>, Error> {
        let Some(bytes) = small_files::read_small(target, &layout::marker())? else { return Ok(None) };
        let damaged = |why: String| Error::new(Code::RecordsDamaged, format!("{}: {why}", layout::marker()));
        let text = String::from_utf8(bytes).map_err(|_| damaged("not UTF-8".into()))?;
        // The format is looked at first: a newer marker may have fields that this version cannot read.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = toml::from_str(&text).map_err(|e| damaged(e.message().to_owned()))?;
        if head.format > FORMAT {
            return Err(Error::new(
                Code::NewerFormat,
                format!("its format is {}, this version knows {FORMAT}", head.format),
            ));
        }
        toml::from_str(&text).map(Some).map_err(|e| damaged(e.message().to_owned()))
    }

    /// Before the first state goes out of the middle, or is pinned: a program that knows neither would remove the wrong versions,
    /// and refuses the mirror from now on.
    pub fn refuse_older_programs(target: &dyn Target) -> Result<(), Error> {
        match Marker::read(target)? {
            Some(marker) if marker.format < FORMAT => Marker { format: FORMAT, ..marker }.write(target),
            _ => Ok(()),
        }
    }

    /// Writes the marker, durably. Its format never becomes lower.
    pub fn write(&self, target: &dyn Target) -> Result<(), Error> {
        let there = Marker::read(target).ok().flatten().map_or(self.format, |there| there.format);
        let marker = Marker { format: self.format.max(there), ..self.clone() };
        let text = toml::to_string(&marker).map_err(|e| Error::new(Code::RecordsDamaged, e.to_string()))?;
        small_files::write_durable(target, &layout::marker(), text.as_bytes())
    }
}

/// `.octobackup/run.open`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOpen {
    /// The unfinished run.
    pub run: u64,
    /// The start of the machine it ran in.
    pub boot_id: String,
    /// What was safe from a power cut at the last checkpoint. Not there in what older programs wrote.
    pub durable: Option<Durable>,
}

/// How many bytes of a run's records are about files that are whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Durable {
    /// Of `changes`.
    pub changes_bytes: u64,
    /// Of `placed`.
    pub placed_bytes: u64,
}

impl RunOpen {
    /// The unfinished run, if there is one. A file that cannot be read is taken for one about which nothing is known.
    pub fn read(target: &dyn Target) -> Result<Option<RunOpen>, Error> {
        let Some(bytes) = small_files::read_small(target, &layout::run_open())? else { return Ok(None) };
        let unknown = || RunOpen { run: 0, boot_id: String::new(), durable: None };
        // An older program noted here what an even earlier power cut had left in doubt, and not which files.
        let is_known = |text: &String| !text.contains("suspect_since");
        let text = String::from_utf8(bytes).ok().filter(is_known);
        Ok(Some(text.and_then(|text| toml::from_str(&text).ok()).unwrap_or_else(unknown)))
    }

    /// Writes it, durably.
    pub fn write(&self, target: &dyn Target) -> Result<(), Error> {
        let text = toml::to_string(self).map_err(|e| Error::new(Code::RecordsDamaged, e.to_string()))?;
        small_files::write_durable(target, &layout::run_open(), text.as_bytes())
    }

    /// Removes it: the run is finished.
    pub fn remove(target: &dyn Target) -> Result<(), Error> {
        target.remove_file(&layout::run_open())?;
        target.sync_folder(&layout::reserved())
    }
}
