//! Reading a batch of files from an agent, held to what was asked for.
//!
//! Every file's content is hashed as it arrives and compared with what the agent hashed as it read. After a lost
//! connection a file goes on where it stopped, if it is still the same.

use crate::carrier::connection_lost;
use crate::server::session::Session;
use crate::wire::{Answer, FetchOrder, fault};
use octo_core::{Code, Error, FetchRequest, FetchSink, Meta, Piece, Ranges, Stop};
use std::time::Duration;

/// When a file is not wanted any more and more than this is still to come, the stream is given up instead of read.
const SKIP_BYTES_MAX: u64 = 1 << 20;
/// So many frames of a file that is not wanted any more may still come.
const SKIP_FRAMES_MAX: usize = 64;
/// So many pieces of metadata may one file have, the data of streams not counted.
const DETAILS_MAX: usize = 32_768;
/// From this round trip on the wire is taken to be longer than the processors are slow.
const PACK_FROM: Duration = Duration::from_millis(5);

/// How far a file is.
enum State {
    Waiting,
    /// It was announced with this; so much of it came, over however many connections, or is a hole.
    Open(Meta, Ranges),
    Ended,
}

/// How far a batch is.
pub(crate) struct Progress<'a> {
    batch: &'a [FetchRequest],
    states: Vec<State>,
    got_bytes: u64,
}

impl<'a> Progress<'a> {
    /// Nothing yet.
    pub fn new(batch: &'a [FetchRequest]) -> Progress<'a> {
        Progress { batch, states: batch.iter().map(|_| State::Waiting).collect(), got_bytes: 0 }
    }

    /// Bytes that came, and one for each file that ended: it only grows.
    pub fn got_bytes(&self) -> u64 {
        self.got_bytes
    }

    /// The first file that has not ended.
    pub fn first_open(&self) -> Option<usize> {
        self.states.iter().position(|state| !matches!(state, State::Ended))
    }

    fn end(&mut self, file: usize) {
        self.states[file] = State::Ended;
        self.got_bytes += 1;
    }

    /// What is still to be asked for of a file.
    fn rest(&self, file: usize) -> Option<FetchRequest> {
        let request = &self.batch[file];
        match &self.states[file] {
            State::Ended => None,
            State::Waiting => Some(request.clone()),
            State::Open(meta, got) => {
                let parts = match &request.parts {
                    Some(wanted) => wanted.minus(got),
                    None => got.missing(meta.size_bytes),
                };
                Some(FetchRequest { parts: Some(parts), ..request.clone() })
            }
        }
    }
}

/// One file of a request under way.
struct PendingFile {
    file: usize,
    request: FetchRequest,
    /// What of it was called a hole before it was opened.
    holes: Ranges,
    hasher: Box<blake3::Hasher>,
    expected_bytes: u64,
    came_bytes: u64,
    /// So far each piece began where the one before ended, and the first at the file's beginning.
    in_order: bool,
    opened: bool,
    muted: bool,
    /// Frames that came since it is muted.
    skipped: usize,
    /// Pieces of metadata that came.
    details: usize,
    /// What is still to come of the named stream that was begun last.
    stream_bytes: u64,
}

/// How a request ended.
enum FetchEnd {
    Go,
    /// Give the stream up and ask for the rest.
    Anew,
    Stop,
}

/// Asks for all that has not ended. Fails with what concerns the whole connection; `progress` keeps what came.
pub(crate) async fn fetch(
    session: &Session,
    root: &str,
    progress: &mut Progress<'_>,
    sink: &mut dyn FetchSink,
) -> Result<(), Error> {
    while progress.first_open().is_some() {
        // The holes of a file that was begun are known.
        let is_begun = progress.states.iter().any(|state| matches!(state, State::Open(..)));
        let tell_holes = !is_begun && (0..progress.batch.len()).any(|file| sink.wants_holes(file));
        let mut writer = FetchOrder::writer(root, session.round_trip >= PACK_FROM, tell_holes);
        let mut awaited = Vec::new();
        for file in 0..progress.batch.len() {
            let Some(request) = progress.rest(file) else { continue };
            if !writer.push(&request) {
                break;
            }
            let hasher = Box::default();
            awaited.push(PendingFile {
                file,
                request,
                holes: Ranges::new(),
                hasher,
                expected_bytes: 0,
                came_bytes: 0,
                in_order: true,
                opened: false,
                muted: false,
                skipped: 0,
                details: 0,
                stream_bytes: 0,
            });
        }
        if awaited.is_empty() {
            return Err(Error::new(Code::SourceEntry, "a path or its parts are too long for one request"));
        }
        let mut answers = session.ask("fetch", writer.finish()).await?;
        loop {
            let open = awaited.iter().any(|it| !it.muted && !matches!(progress.states[it.file], State::Ended));
            if !open {
                // Past what still comes of files that are not wanted any more, and no further than that can be.
                let mut left = awaited.len() * SKIP_FRAMES_MAX;
                while left > 0 && answers.next().await?.is_some() {
                    left -= 1;
                }
                break;
            }
            let frame = answers.next().await?.ok_or_else(|| connection_lost("the files ended without saying so"))?;
            match take(Answer::decode(&frame)?, &mut awaited, progress, sink)? {
                FetchEnd::Go => {}
                FetchEnd::Anew => break,
                FetchEnd::Stop => {
                    progress.states.iter_mut().for_each(|state| *state = State::Ended);
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

fn take(
    answer: Answer<'_>,
    awaited: &mut [PendingFile],
    progress: &mut Progress<'_>,
    sink: &mut dyn FetchSink,
) -> Result<FetchEnd, Error> {
    let (Answer::Holes { file: number, .. }
    | Answer::Opened { file: number, .. }
    | Answer::Piece { file: number, .. }
    | Answer::Metadata { file: number, .. }
    | Answer::Finished { file: number, .. }
    | Answer::Failed { file: number, .. }) = answer
    else {
        return Err(fault("an answer to another question"));
    };
    let one = awaited.get_mut(number).ok_or_else(|| fault("a file that was not asked for"))?;
    if one.muted {
        one.skipped += 1;
        return Ok(if one.skipped > SKIP_FRAMES_MAX { FetchEnd::Anew } else { FetchEnd::Go });
    }
    let file = one.file;
    if matches!(progress.states[file], State::Ended) {
        return Err(fault("a word of a file after its end"));
    }
    let verdict = match answer {
        Answer::Holes { holes, .. } => take_holes(holes, one, progress, &*sink)?,
        Answer::Opened { meta, .. } => opened(meta, one, progress, sink)?,
        Answer::Piece { offset_bytes, bytes, .. } => piece(offset_bytes, &bytes, one, progress, sink)?,
        Answer::Metadata { piece, .. } => detail(piece, one, progress, sink)?,
        Answer::Finished { meta, hash, .. } => {
            let is_whole = match &progress.states[file] {
                State::Open(opened, _) if one.came_bytes == one.expected_bytes => {
                    one.in_order && one.came_bytes == opened.size_bytes
                }
                _ => return Err(fault("a file ended before its last byte")),
            };
            progress.end(file);
            if one.hasher.finalize() == hash {
                if is_whole {
                    sink.hashed(file, hash);
                }
                sink.finished(file, meta)
            } else {
                let what = format!("{}: what arrived is not what the agent had read", one.request.path);
                sink.failed(file, Error::new(Code::SourceEntry, what))
            }
        }
        Answer::Failed { error, .. } => {
            progress.end(file);
            let stops = error.code.stops_run();
            let verdict = sink.failed(file, error);
            if stops { Err(Stop::Everything) } else { verdict }
        }
        _ => return Err(fault("an answer to another question")),
    };
    Ok(match verdict {
        Ok(()) => FetchEnd::Go,
        Err(Stop::Everything) => FetchEnd::Stop,
        Err(Stop::ThisFile) => {
            progress.end(file);
            one.muted = true;
            if one.expected_bytes.saturating_sub(one.came_bytes) > SKIP_BYTES_MAX {
                FetchEnd::Anew
            } else {
                FetchEnd::Go
            }
        }
    })
}

/// Holes come before a file is opened, once, and are checked when its size is known.
fn take_holes(
    holes: Ranges,
    one: &mut PendingFile,
    progress: &Progress<'_>,
    sink: &dyn FetchSink,
) -> Result<Result<(), Stop>, Error> {
    let is_begun = one.opened || matches!(progress.states[one.file], State::Open(..));
    if is_begun || !one.holes.is_empty() || !sink.wants_holes(one.file) {
        return Err(fault("holes that were not requested"));
    }
    one.holes = holes;
    Ok(Ok(()))
}

fn opened(
    meta: Meta,
    one: &mut PendingFile,
    progress: &mut Progress<'_>,
    sink: &mut dyn FetchSink,
) -> Result<Result<(), Stop>, Error> {
    if std::mem::replace(&mut one.opened, true) {
        return Err(fault("a file was opened twice"));
    }
    let asked = one.request.parts.clone().unwrap_or_else(|| Ranges::new().missing(meta.size_bytes));
    if !one.holes.minus(&asked).is_empty() {
        return Err(fault("a hole where nothing was asked for"));
    }
    let left = asked.minus(&one.holes);
    one.expected_bytes = left.total_bytes();
    one.request.parts = Some(left);
    match &progress.states[one.file] {
        State::Open(before, _) if is_same(before, &meta) => Ok(Ok(())),
        State::Open(..) => {
            // Its beginning is another file's now.
            one.muted = true;
            progress.end(one.file);
            let what = format!("{} changed while the connection was lost", one.request.path);
            Ok(sink.failed(one.file, Error::new(Code::ChangedWhileRead, what)))
        }
        _ => {
            // Holes count as come: after a lost connection they are not asked for.
            if !one.holes.is_empty() {
                sink.holes(one.file, &one.holes);
            }
            progress.states[one.file] = State::Open(meta, one.holes.clone());
            Ok(sink.opened(one.file, meta))
        }
    }
}

fn is_same(before: &Meta, now: &Meta) -> bool {
    (before.size_bytes, before.write_time, before.id) == (now.size_bytes, now.write_time, now.id)
}

fn piece(
    offset_bytes: u64,
    bytes: &[u8],
    one: &mut PendingFile,
    progress: &mut Progress<'_>,
    sink: &mut dyn FetchSink,
) -> Result<Result<(), Stop>, Error> {
    let State::Open(meta, got) = &mut progress.states[one.file] else {
        return Err(fault("content of a file before it was opened"));
    };
    let count = bytes.len() as u64;
    let end = offset_bytes.checked_add(count).ok_or_else(|| fault("content beyond the end of all files"))?;
    let asked = match &one.request.parts {
        Some(parts) => parts.iter().any(|part| part.start <= offset_bytes && end <= part.end),
        None => end <= meta.size_bytes,
    };
    one.in_order &= offset_bytes == one.came_bytes;
    one.came_bytes += count;
    if !asked || count == 0 || one.came_bytes > one.expected_bytes {
        return Err(fault("content that was not asked for"));
    }
    one.hasher.update(bytes);
    got.insert(offset_bytes..end);
    progress.got_bytes += count;
    Ok(sink.data(one.file, offset_bytes, bytes))
}

/// A piece of metadata. The engine bounds what it keeps of it; that there is an end to it is known here.
fn detail(
    piece: Piece<'_>,
    one: &mut PendingFile,
    progress: &mut Progress<'_>,
    sink: &mut dyn FetchSink,
) -> Result<Result<(), Stop>, Error> {
    if !one.request.metadata || !matches!(progress.states[one.file], State::Open(..)) {
        return Err(fault("metadata that was not asked for"));
    }
    match &piece {
        Piece::StreamData(bytes) => {
            let left = one.stream_bytes.checked_sub(bytes.len() as u64).filter(|_| !bytes.is_empty());
            one.stream_bytes = left.ok_or_else(|| fault("more of a named stream than was announced"))?;
        }
        other => {
            one.stream_bytes = if let Piece::Stream { size_bytes, .. } = other { *size_bytes } else { 0 };
            one.details += 1;
            if one.details > DETAILS_MAX {
                return Err(fault("metadata without end"));
            }
        }
    }
    Ok(sink.metadata(one.file, piece))
}
