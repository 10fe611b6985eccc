//! The log of a run: a file of its own in the data directory, one JSON object a line, for people who watch a run or want to
//! know afterwards what it did when.
//!
//! A line is written whole and at once, so that a server that is killed leaves every line that was written. It is bounded: of changes
//! and problems only the first have a line each; the mirror's own records have every change, and the report counts every
//! problem. It must never fail a run: a line that cannot be written is left out. It holds what monitors get, so no secret.

use crate::events;
use crate::moment::Moment;
use crate::service_error::{Kind, ServiceError};
use octo_api::log::{Level, Line, LogPart};
use octo_core::numbers::{count, size};
use octo_core::report::Counts;
use octo_core::{Clock, Event, Problem};
use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const FOLDER: &str = "logs";
const ENDING: &str = "jsonl";
/// How many of each kind have a line of their own.
const ITEMS_MAX: u32 = 5_000;
/// A log of this size takes no more changes and problems.
const ITEMS_BYTES_MAX: u64 = 8 << 20;
const TEXT_CHARS_MAX: usize = 8_000;
/// A longer line is not ours.
const LINE_BYTES_MAX: u64 = 64 << 10;
const PROGRESS_EVERY: Duration = Duration::from_secs(60);

/// The log of a run that goes on.
pub struct RunLog {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    file: File,
    bytes: u64,
    changes: u32,
    problems: u32,
    next_progress: Duration,
}

fn path(data: &Path, run: i64) -> PathBuf {
    data.join(FOLDER).join(run.to_string()).with_extension(ENDING)
}

impl RunLog {
    /// Begins the log of a run, or goes on with it.
    pub fn open(data: &Path, run: i64, clock: Arc<dyn Clock>) -> io::Result<RunLog> {
        let path = path(data, run);
        DirBuilder::new().mode(0o700).recursive(true).create(data.join(FOLDER))?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let bytes = file.metadata()?.len();
        let mut last = [b'\n'];
        if bytes > 0 {
            file.read_exact_at(&mut last, bytes - 1)?;
        }
        if last != [b'\n'] {
            // Its writer was killed: the next line is a line of its own.
            file.write_all(b"\n")?;
        }
        let next_progress = clock.monotonic() + PROGRESS_EVERY;
        let state = State { file, bytes, changes: 0, problems: 0, next_progress };
        Ok(RunLog { clock, state: Mutex::new(state) })
    }

    /// One more line.
    pub fn line(&self, level: Level, text: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.write(&Line { at: Moment::now(&*self.clock), level, text: text.to_owned() });
    }

    /// Something happened in the run.
    pub fn event(&self, event: &Event<'_>) {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        let has_room = state.bytes < ITEMS_BYTES_MAX;
        let line = match event {
            Event::Phase(phase) => Some((Level::Info, phase.words().to_owned())),
            Event::Change(change) => item(&mut state.changes, has_room, "changes are in the mirror's own records")
                .map(|enough| (Level::Info, enough.unwrap_or_else(|| events::as_item(change)))),
            Event::Problem(problem) => item(&mut state.problems, has_room, "problems are counted in the report")
                .map(|enough| enough.map_or_else(|| described(problem), |enough| (Level::Warning, enough))),
            Event::Progress { counts, planned_files, .. } => {
                let now = self.clock.monotonic();
                (now >= state.next_progress).then(|| {
                    state.next_progress = now + PROGRESS_EVERY;
                    (Level::Info, progress(counts, *planned_files))
                })
            }
        };
        if let Some((level, text)) = line {
            state.write(&Line { at: Moment::now(&*self.clock), level, text });
        }
    }
}

impl State {
    fn write(&mut self, line: &Line) {
        let short = line.text.char_indices().nth(TEXT_CHARS_MAX).map(|(at, _)| line.text[..at].to_owned());
        let line = Line { text: short.unwrap_or_else(|| line.text.clone()), ..*line };
        if let Ok(mut bytes) = serde_json::to_vec(&line) {
            bytes.push(b'\n');
            if self.file.write_all(&bytes).is_ok() {
                self.bytes += bytes.len() as u64;
            }
        }
    }
}

/// Counts one more. `None`: it has no line; `Some(None)`: it has one; otherwise the line for it and all that follow.
fn item(written: &mut u32, has_room: bool, elsewhere: &str) -> Option<Option<String>> {
    if *written == u32::MAX {
        return None;
    }
    if *written < ITEMS_MAX && has_room {
        *written += 1;
        return Some(None);
    }
    *written = u32::MAX;
    Some(Some(format!("from here on, {elsewhere}, not in this log")))
}

fn described(problem: &Problem) -> (Level, String) {
    let level = match problem.code {
        code if code.stops_run() => Level::Error,
        code if code.is_note() => Level::Info,
        _ => Level::Warning,
    };
    let (title, Problem { path, detail, .. }) = (problem.code.title(), problem);
    let place = if path.is_root() { String::new() } else { format!("{path}: ") };
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    (level, format!("{place}{title}{detail}"))
}

fn progress(counts: &Counts, planned_files: u64) -> String {
    let done = counts.created + counts.replaced;
    let (done, planned) = (count(done, "file"), planned_files.max(done));
    format!("copied {done} of {planned}, {}; {} as before", size(counts.copied_bytes), count(counts.unchanged, "file"))
}

/// Whole lines from an offset on, up to a limit. A missing log has none.
pub fn read(data: &Path, run: i64, after: u64, limit: usize) -> io::Result<LogPart> {
    let mut part = LogPart { lines: Vec::new(), next: after, is_over: false };
    let mut file = match File::open(path(data, run)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(part),
        file => file?,
    };
    if after > file.metadata()?.len() {
        return Ok(part);
    }
    file.seek(SeekFrom::Start(after))?;
    let mut reader = BufReader::new(file);
    let mut bytes = Vec::new();
    while part.lines.len() < limit {
        bytes.clear();
        let length = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes)? as u64;
        let is_whole = bytes.last() == Some(&b'\n');
        if !is_whole && length < LINE_BYTES_MAX {
            break;
        }
        part.next += length;
        part.lines.extend(serde_json::from_slice::<Line>(&bytes).ok());
    }
    Ok(part)
}

/// Removes the logs of runs that are not in the history any more. `remembered` is asked after the logs were listed, so that one that begins
/// meanwhile stays.
#[expect(clippy::disallowed_methods, reason = "a small file of its own, not one of a mirror")]
pub fn forget(
    data: &Path,
    remembered: impl FnOnce() -> Result<BTreeSet<i64>, ServiceError>,
) -> Result<(), ServiceError> {
    let failed = |error: io::Error| ServiceError::new(Kind::Internal, format!("the logs of runs: {error}"));
    let there = all(data).map_err(failed)?;
    if there.is_empty() {
        return Ok(());
    }
    let remembered = remembered()?;
    let mut gone = there.into_iter().filter(|run| !remembered.contains(run));
    gone.try_for_each(|run| std::fs::remove_file(path(data, run))).map_err(failed)
}

/// The runs that have a log.
fn all(data: &Path) -> io::Result<Vec<i64>> {
    let folder = data.join(FOLDER);
    let mut runs = Vec::new();
    if folder.exists() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            let run = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse::<i64>().ok());
            runs.extend(run.filter(|_| path.extension().is_some_and(|ending| ending == ENDING)));
        }
    }
    Ok(runs)
}

#[cfg(test)]
#[path = "run_log_tests.rs"]
mod tests;
