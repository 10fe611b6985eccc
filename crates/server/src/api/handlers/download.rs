//! Handler: a file or a folder of a state, as a stream. What goes wrong after the answer has begun ends the connection, so that
//! nobody takes half of it for whole.

use super::call::{From, caller};
use crate::api::problem::{Asked, InState};
use crate::download::Head;
use crate::event_log::LogEvent;
use crate::service::{DownloadAsked, Service};
use crate::service_error::{Kind, ServiceError};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http_body_util::StreamBody;
use hyper::body::Frame;
use octo_core::printable::printable;
use serde::Deserialize;
use std::io::{self, Write};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

/// So many at once; the others are refused.
const AT_ONCE_MAX: usize = 8;
static AT_ONCE: Semaphore = Semaphore::const_new(AT_ONCE_MAX);
/// Pieces that wait for the network.
const PIECES: usize = 4;
const PIECE_BYTES: usize = 256 << 10;
/// Who takes nothing for so long gets no more.
const TAKEN_WITHIN: Duration = Duration::from_secs(60);
/// How many entries of an archive are not whole; comes last.
const PROBLEMS: HeaderName = HeaderName::from_static(octo_api::history::DOWNLOAD_PROBLEMS);

/// How the work on it ended: how many entries of an archive are not whole, nothing of a file; or why there is no more.
type End = Result<Option<u64>, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct What {
    #[serde(default)]
    path: String,
    format: Option<String>,
}

pub(in crate::api) async fn download(
    State(service): State<Service>,
    from: From,
    InState { job, state }: InState,
    Asked(what): Asked<What>,
) -> Response {
    let turn = match turn(&AT_ONCE) {
        Ok(turn) => turn,
        Err(error) => return error.into_response(),
    };
    let (begins, begun) = oneshot::channel();
    let (ends, ended) = oneshot::channel::<End>();
    let (send, take) = channel(PIECES);
    let format = what.format.unwrap_or_else(|| "zip".to_owned());
    let (caller, asked) = (caller(from), DownloadAsked { path: what.path, format });
    tokio::task::spawn_blocking(move || {
        // Until the last byte is read, even if nobody waits.
        let _turn = turn;
        let mut begins = Some(begins);
        let mut is_archive = false;
        let sent = service.download(&caller, (&job, &state), &asked, |head| {
            is_archive = head.size_bytes.is_none();
            begins.take().map(|begins| begins.send(Ok(head)));
            Pieces { send: &send, waiting: Vec::new(), taken_within: TAKEN_WITHIN }
        });
        match (sent, begins) {
            (Err(error), Some(begins)) => drop(begins.send(Err(error))),
            // Who went away needs nothing to be said.
            (Err(_), None) if send.is_closed() => {}
            (Err(error), None) => {
                service.record(&LogEvent::trouble(&error.clone().of_job(&job)));
                drop(ends.send(Err(error.detail)));
            }
            (Ok(problems), _) => drop(ends.send(Ok(is_archive.then_some(problems)))),
        }
    });
    let head = match begun.await {
        Ok(Ok(head)) => head,
        Ok(Err(error)) => return error.into_response(),
        Err(_) => return ServiceError::new(Kind::Internal, "the download ended before it began").into_response(),
    };
    answer(&head, body(take, ended))
}

/// A place among the downloads, or why there is none.
fn turn(places: &'static Semaphore) -> Result<SemaphorePermit<'static>, ServiceError> {
    let full = || format!("{AT_ONCE_MAX} downloads are under way, and no more can be at once: try again later");
    places.try_acquire().map_err(|_| ServiceError::new(Kind::TooOften, full()))
}

/// The pieces, and then the end. Without a word about the end, as after a panic, what came is not whole, and the stream breaks.
fn body(mut take: Receiver<Bytes>, ended: oneshot::Receiver<End>) -> Body {
    let pieces = stream::poll_fn(move |cx| take.poll_recv(cx)).map(|piece| Some(Ok(Frame::data(piece))));
    let end = stream::once(async {
        match ended.await {
            Ok(Ok(problems)) => problems
                .map(|problems| Ok(Frame::trailers(HeaderMap::from_iter([(PROBLEMS, HeaderValue::from(problems))])))),
            Ok(Err(why)) => Some(Err(io::Error::other(why))),
            Err(_) => Some(Err(io::Error::other("the work on it ended early"))),
        }
    });
    Body::new(StreamBody::new(pieces.chain(end).filter_map(std::future::ready)))
}

fn answer(head: &Head, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(head.media_type));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("none"));
    headers.insert(header::CONTENT_DISPOSITION, disposition(&head.name));
    match head.size_bytes {
        Some(bytes) => headers.insert(header::CONTENT_LENGTH, bytes.into()),
        None => headers.insert(header::TRAILER, HeaderValue::from_static(octo_api::history::DOWNLOAD_PROBLEMS)),
    };
    response
}

/// How the file shall be called (RFC 6266). A name is hostile: nothing in it hides, turns text around, or leads elsewhere.
fn disposition(name: &str) -> HeaderValue {
    let shown: String = printable(name).replace(['/', '\\'], "_");
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " ._-()".contains(c);
    let ascii: String = shown.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let ascii = ascii.trim_start_matches(['.', ' ']);
    let ascii = if ascii.is_empty() { "download" } else { ascii };
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let exact: String =
        shown.bytes().map(|b| if is_token(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    HeaderValue::from_str(&format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{exact}"))
        .unwrap_or(HeaderValue::from_static("attachment"))
}

/// Gathers what is written to pieces, and hands them over as the network takes them.
struct Pieces<'s> {
    send: &'s Sender<Bytes>,
    waiting: Vec<u8>,
    taken_within: Duration,
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = Bytes::from(std::mem::take(&mut self.waiting));
        // Not for ever: the place is for others, too.
        Handle::current().block_on(self.send.send_timeout(piece, self.taken_within)).map_err(|error| match error {
            SendTimeoutError::Timeout(_) => {
                let secs = self.taken_within.as_secs();
                io::Error::new(io::ErrorKind::TimedOut, format!("nobody took any of it for {secs} s"))
            }
            SendTimeoutError::Closed(_) => io::ErrorKind::BrokenPipe.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    fn collected(end: Option<End>) -> Result<Option<HeaderMap>, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (send, take) = channel(PIECES);
        let (ends, ended) = oneshot::channel();
        send.try_send(Bytes::from("piece")).unwrap();
        drop(send);
        match end {
            Some(end) => ends.send(end).unwrap(),
            None => drop(ends),
        }
        let all = runtime.block_on(body(take, ended).collect());
        all.map(|all| all.trailers().cloned()).map_err(|error| error.to_string())
    }

    #[test]
    fn only_what_is_said_to_be_at_its_end_ends_well() {
        let trailers = collected(Some(Ok(Some(3)))).unwrap().unwrap();
        assert_eq!(trailers.get(PROBLEMS).unwrap(), "3");
        assert_eq!(collected(Some(Ok(None))), Ok(None));
        assert_eq!(collected(Some(Err("why".to_owned()))), Err("why".to_owned()));
        assert!(collected(None).unwrap_err().contains("ended early"), "a panic is no end");
    }

    #[test]
    fn who_takes_nothing_does_not_hold_a_download_for_ever() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (send, _take) = channel(PIECES);
        let work = move || {
            let mut pieces = Pieces { send: &send, waiting: Vec::new(), taken_within: Duration::from_millis(20) };
            (0..=PIECES).map(|_| pieces.write(&[0; PIECE_BYTES]).map_err(|error| error.kind())).collect::<Vec<_>>()
        };
        let sent = runtime.block_on(async { tokio::task::spawn_blocking(work).await }).unwrap();
        assert_eq!(sent[..PIECES], [Ok(PIECE_BYTES); PIECES]);
        assert_eq!(sent[PIECES], Err(io::ErrorKind::TimedOut));
    }

    #[test]
    fn a_download_too_many_is_refused_at_once() {
        static PLACES: Semaphore = Semaphore::const_new(1);
        let held = turn(&PLACES).unwrap();
        let refused = turn(&PLACES).unwrap_err();
        assert!(refused.kind == Kind::TooOften && refused.detail.contains("try again later"), "{refused}");
        drop(held);
        assert!(turn(&PLACES).is_ok());
    }

    #[test]
    fn a_hostile_name_is_only_a_name() {
        for (name, is) in [
            ("a.txt", "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"),
            ("Bö (1).pdf", "attachment; filename=\"B_ (1).pdf\"; filename*=UTF-8''B%C3%B6%20%281%29.pdf"),
            ("../..\\x\"; y=\"", "attachment; filename=\"_.._x__ y__\"; filename*=UTF-8''.._.._x%22%3B%20y%3D%22"),
            ("...", "attachment; filename=\"download\"; filename*=UTF-8''..."),
        ] {
            assert_eq!(disposition(name), is, "{name}");
        }
        for hostile in ["a\r\nset-cookie: x", "cod\u{202e}exe.txt", "\u{7f}\u{0}"] {
            let text = disposition(hostile).to_str().unwrap().to_owned();
            assert!(!text.contains(['\r', '\n']) && !text.contains("%E2%80%AE") && !text.contains("%00"), "{text}");
        }
    }
}
