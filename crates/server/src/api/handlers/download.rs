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
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use octo_core::printable::printable;
use serde::Deserialize;
use std::io::{self, Write};
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::{Semaphore, oneshot};

/// So many at once; the others wait.
const AT_ONCE_MAX: usize = 8;
static AT_ONCE: Semaphore = Semaphore::const_new(AT_ONCE_MAX);
/// Pieces that wait for the network.
const PIECES: usize = 4;
const PIECE_BYTES: usize = 256 << 10;
/// How many entries of an archive are not whole; comes last.
const PROBLEMS: HeaderName = HeaderName::from_static(octo_api::history::DOWNLOAD_PROBLEMS);

type Piece = io::Result<Frame<Bytes>>;

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
    let stops = || ServiceError::new(Kind::Internal, "the server stops").into_response();
    let Ok(turn) = AT_ONCE.acquire().await else { return stops() };
    let (begins, begun) = oneshot::channel();
    let (send, mut take) = channel::<Piece>(PIECES);
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
            Pieces { send: &send, waiting: Vec::new() }
        });
        match (sent, begins) {
            (Err(error), Some(begins)) => drop(begins.send(Err(error))),
            // Who went away needs nothing to be said.
            (Err(_), None) if send.is_closed() => {}
            (Err(error), None) => {
                service.record(&LogEvent::trouble(&error.clone().of_job(&job)));
                drop(send.blocking_send(Err(io::Error::other(error.detail))));
            }
            (Ok(problems), _) if is_archive => {
                let trailers = HeaderMap::from_iter([(PROBLEMS, HeaderValue::from(problems))]);
                drop(send.blocking_send(Ok(Frame::trailers(trailers))));
            }
            (Ok(_), _) => {}
        }
    });
    let head = match begun.await {
        Ok(Ok(head)) => head,
        Ok(Err(error)) => return error.into_response(),
        Err(_) => return stops(),
    };
    let pieces = stream::poll_fn(move |cx| take.poll_recv(cx));
    answer(&head, Body::new(StreamBody::new(pieces)))
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
    send: &'s Sender<Piece>,
    waiting: Vec<u8>,
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
        self.send.blocking_send(Ok(Frame::data(piece))).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::disposition;

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
