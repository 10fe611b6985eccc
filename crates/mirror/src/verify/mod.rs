//! Reads what lies in a mirror again, its versions too, and compares it with the hashes that were recorded when it was copied.
//!
//! It reads from the disk, not from the page cache, as far as the system lets it. It records hashes, when they were found right, and
//! which copies are damaged: the next run compares these with the source. It must never change a file, unless it is to repair: then
//! a good copy of the mirror's own takes the place of a damaged one. A file whose size or time is another than what was copied was changed by
//! somebody, and proves no damage of the disk; a file that a power cut may have torn proves none either.
//! No run can work on the mirror meanwhile.

mod reading;
mod repair;
mod summary;
mod walk;

pub use summary::{VerifyCounts, VerifyReport};

use crate::hashes::{self, Content, Hashes, KnownHash};
use crate::marker::{Marker, RunOpen};
use crate::spill::{Pool, SpillWriter};
use crate::suspects::Suspects;
use crate::versions;
use octo_core::{Cancel, Clock, Code, Error, Meta, Problem, RelPath, Target, TargetFile, Timestamp};
use reading::{READ_BYTES, read};
use repair::Repair;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::time::Duration;
use summary::Summary;
use walk::{File, Tree, Visit, visit};

/// Memory for sorting records, whatever the size of the mirror.
const SORT_BYTES: usize = 8 << 20;
/// What is read.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {
    /// Only this share of the files, chosen again each time; 1 is all.
    pub sample: Option<f64>,
    /// Only what was not found right for so long.
    pub older_than: Option<Duration>,
    /// What has no hash is read, and gets one.
    pub record: bool,
    /// What is damaged is replaced by a good copy, if the mirror has one.
    pub repair: bool,
}

/// Who watches.
pub trait VerifyWatch {
    /// Something is wrong. `path` is where it lies in the mirror.
    fn problem(&self, problem: &Problem);
    /// More was read.
    fn progress(&self, counts: &VerifyCounts, current: &RelPath);
}

/// Verifies a mirror. Fails only if nothing can be verified.
pub fn verify(
    target: &dyn Target,
    options: &VerifyOptions,
    watch: &dyn VerifyWatch,
    clock: &dyn Clock,
    cancel: &Cancel,
) -> Result<VerifyReport, Error> {
    let missing = || Error::new(Code::Usage, "there is no mirror made by octobackup");
    Marker::read(target)?.ok_or_else(missing)?;
    let _lock = target.lock()?;
    let marker = Marker::read(target)?.ok_or_else(missing)?;
    let last_run = marker.next_run.saturating_sub(1);
    let folds_case = marker.abilities.names.folds_case;
    let pool = Pool::new(SORT_BYTES);
    let oldest = versions::oldest_kept(target, last_run)?;
    let mut damaged_records = hashes::settle(target, &pool, oldest)?.damaged;
    let versions = versions::folders(target)?;
    let mut verifier = Verifier {
        target,
        options,
        watch,
        cancel,
        now: clock.now(),
        last_run,
        chooser: RandomState::new(),
        suspects: Suspects::find(target, RunOpen::read(target)?.as_ref(), folds_case)?,
        hashes: Hashes::new(target, last_run, clock.now(), folds_case)?,
        versions: &versions,
        damaged: SpillWriter::new(target),
        summary: Summary::default(),
        buffer: vec![0; READ_BYTES],
    };
    let mut walked = visit(target, &Tree::current(), &mut verifier);
    for run in &versions {
        walked = walked.and_then(|()| visit(target, &Tree::versions_of(*run), &mut verifier));
    }
    let Verifier { mut hashes, summary, suspects, damaged, .. } = verifier;
    // What was verified before something failed stays so.
    hashes.sync()?;
    hashes.close();
    suspects.note_damaged(target, &damaged.finish())?;
    damaged_records += hashes::settle(target, &pool, oldest)?.damaged;
    walked?;
    Ok(summary.finish(damaged_records, cancel.is_cancelled()))
}

struct Verifier<'v> {
    target: &'v dyn Target,
    options: &'v VerifyOptions,
    watch: &'v dyn VerifyWatch,
    cancel: &'v Cancel,
    now: Timestamp,
    last_run: u64,
    chooser: RandomState,
    suspects: Suspects,
    hashes: Hashes<'v>,
    /// All runs that have versions.
    versions: &'v [u64],
    /// Places of the mirror whose copies are damaged.
    damaged: SpillWriter<'v>,
    summary: Summary,
    buffer: Vec<u8>,
}

impl Visit for Verifier<'_> {
    fn problem(&mut self, path: &RelPath, error: Error) {
        let problem = Problem { code: error.code, path: path.clone(), detail: error.detail };
        self.watch.problem(&problem);
        self.summary.problem(problem);
    }

    fn is_over(&self) -> bool {
        self.cancel.is_cancelled()
    }

    fn file(&mut self, file: &File<'_>) -> Result<(), Error> {
        self.summary.counts.files += 1;
        self.watch.progress(&self.summary.counts, file.path);
        if file.version_of.is_none() && self.suspects.is_torn(file.place) {
            self.problem(file.path, Error::new(Code::MayBeTorn, ""));
            return Ok(());
        }
        match self.hashes.find(file.place, file.version_of, file.meta)? {
            KnownHash::Other(was) => {
                self.problem(file.path, Error::new(Code::ChangedInMirror, changed(&was, file.meta)));
                Ok(())
            }
            KnownHash::Nothing if self.options.record => self.record(file),
            KnownHash::Nothing => {
                self.summary.unrecorded(file.path);
                Ok(())
            }
            KnownHash::Hash { content, run, checked } if self.is_chosen(file.path, checked) => {
                self.compare(file, content, run, checked)
            }
            KnownHash::Hash { checked, .. } => {
                self.summary.counts.passed_over += 1;
                self.summary.checked(checked);
                Ok(())
            }
        }
    }
}

impl Verifier<'_> {
    fn is_chosen(&self, path: &RelPath, checked: u32) -> bool {
        // A share of all numbers; that some of the last bits are lost does not matter.
        #[allow(clippy::cast_precision_loss, reason = "a draw")]
        let draw = self.chooser.hash_one(path.as_bytes()) as f64 / u64::MAX as f64;
        let is_drawn = self.options.sample.is_none_or(|share| share >= 1.0 || draw < share);
        let is_old = self.options.older_than.is_none_or(|age| {
            let since = u64::from(hashes::seconds(self.now)).checked_sub(u64::from(checked));
            // What was found right in the future was found by a wrong clock.
            since.is_none_or(|since| since >= age.as_secs())
        });
        is_drawn && is_old
    }

    fn record(&mut self, file: &File<'_>) -> Result<(), Error> {
        let Some(hash) = self.read(file) else { return Ok(()) };
        self.hashes.checked(file.place, self.last_run(file), Content::new(file.meta, hash))?;
        self.summary.counts.recorded += 1;
        self.summary.checked(hashes::seconds(self.now));
        Ok(())
    }

    /// The last run in which it can have got its place: what was a version of a run was there before it.
    fn last_run(&self, file: &File<'_>) -> u32 {
        let run = file.version_of.map_or(self.last_run, |run| run.saturating_sub(1));
        u32::try_from(run).unwrap_or(u32::MAX)
    }

    fn compare(&mut self, file: &File<'_>, known: Content, run: u32, checked: u32) -> Result<(), Error> {
        let Some(hash) = self.read(file) else { return Ok(()) };
        if file.version_of.is_none() {
            self.suspects.settle(file.place);
        }
        if hash == known.hash {
            return self.intact(file, run, hash);
        }
        let hex = |hash: [u8; 32]| blake3::Hash::from(hash).to_hex();
        let good = Timestamp::from_unix(checked.into(), 0);
        let detail = format!("its hash is {}, and was {} at {good} UTC", hex(hash), hex(known.hash));
        let becomes = self.mend(file, &known, run)?;
        self.problem(file.path, Error::new(Code::ContentDamaged, format!("{detail}; {becomes}")));
        Ok(())
    }

    /// What becomes of a damaged file, in words.
    fn mend(&mut self, file: &File<'_>, known: &Content, run: u32) -> Result<String, Error> {
        let repair = Repair { target: self.target, hashes: &self.hashes, versions: self.versions };
        let failed = match self.options.repair.then(|| repair.repair(file, known, run)) {
            Some(Ok(Some(repaired))) => {
                self.summary.counts.repaired += 1;
                let (from, kept_at) = (repaired.from, repaired.kept_at);
                return Ok(format!("repaired from {from}; what was damaged is kept as {kept_at}"));
            }
            Some(Err(error)) if error.code.stops_run() && error.code != Code::NoSpace => return Err(error),
            Some(Err(error)) => format!("it could not be repaired ({error}); "),
            _ => String::new(),
        };
        if file.version_of.is_some() {
            return Ok(format!("{failed}it is an older version, which the source does not have"));
        }
        self.damaged.push(file.place.as_bytes())?;
        self.summary.counts.copied_next += 1;
        Ok(format!("{failed}the next run compares it with the source"))
    }

    fn intact(&mut self, file: &File<'_>, run: u32, hash: [u8; 32]) -> Result<(), Error> {
        self.summary.counts.intact += 1;
        self.summary.checked(hashes::seconds(self.now));
        match self.hashes.checked(file.place, run, Content::new(file.meta, hash)) {
            // That it is intact is true without the record.
            Err(error) if error.code == Code::NoSpace => Ok(()),
            done => done,
        }
    }

    /// The hash of what lies there; `None` if that is not to be had, which is reported.
    fn read(&mut self, file: &File<'_>) -> Option<[u8; 32]> {
        let hash = match self.target.open_file(file.path) {
            Ok(Some(open)) => self.hash(file, &*open),
            Ok(None) => Err(Error::new(Code::TargetMoved, "it is gone")),
            Err(error) => Err(error),
        };
        let still = hash.and_then(|hash| Ok((hash, self.target.look(file.path)?)));
        match still {
            Ok((Some(hash), Some(now))) if is_same(&now, file.meta) => return Some(hash),
            // Stopped in the middle of it.
            Ok((None, _)) => {}
            Ok(_) => self.problem(file.path, Error::new(Code::TargetMoved, "it was changed while it was read")),
            Err(error) => self.problem(file.path, error),
        }
        None
    }

    fn hash(&mut self, file: &File<'_>, open: &dyn TargetFile) -> Result<Option<[u8; 32]>, Error> {
        let Verifier { buffer, summary, watch, cancel, .. } = self;
        read(open, file.meta.size_bytes, buffer, &mut |_, bytes| {
            summary.counts.read_bytes += bytes.len() as u64;
            watch.progress(&summary.counts, file.path);
            Ok(if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
    }
}

fn is_same(now: &Meta, before: &Meta) -> bool {
    let state = |it: &Meta| (it.kind, it.id, it.size_bytes, it.write_time);
    state(now) == state(before)
}

/// What is another than when it was copied.
fn changed(was: &Content, now: &Meta) -> String {
    if was.size_bytes != now.size_bytes {
        format!("it had {} bytes when it was copied, and has {}", was.size_bytes, now.size_bytes)
    } else {
        format!("its last write time was {} UTC when it was copied, and is {} UTC", was.write_time, now.write_time)
    }
}
