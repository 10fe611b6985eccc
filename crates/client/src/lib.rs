//! The client of the REST API, for the command line and for tests: synchronous, over the server's local socket (Unix) or over
//! TLS with a token (everywhere).
//!
//! It sends and reads the types of `octo-api` and decides nothing. It must never repeat a token in a message, and never send
//! one where others could read it. Asynchronous inside, not in its interface.

mod connect;

use connect::{Endpoint, unreachable};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, TE};
use hyper::{Method, Request, Response};
use octo_api::ApiError;
use octo_api::access::is_token;
use octo_api::error::{Kind, MEDIA_TYPE};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

/// No answer of ours is larger.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// No event of ours is longer.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// A connection to a server, a new one for each request.
pub struct Client {
    runtime: Runtime,
    endpoint: Endpoint,
    token: Option<HeaderValue>,
}

/// What was downloaded.
pub struct Downloaded<W> {
    /// What took it.
    pub out: W,
    /// How much it was.
    pub bytes: u64,
    /// Entries of an archive that are damaged or missing.
    pub problems: u64,
}

impl Client {
    /// To the server that listens at this socket.
    #[cfg(unix)]
    pub fn local(socket: &Path) -> Result<Client, ApiError> {
        Ok(Client { runtime: runtime()?, endpoint: Endpoint::Socket(socket.to_owned()), token: None })
    }

    /// To the server at `url`, with the identity of the token. It is trusted if `ca_file` vouches for it; without one, if this
    /// machine's certificates do.
    pub fn remote(url: &str, token: &str, ca_file: Option<&Path>) -> Result<Client, ApiError> {
        let endpoint = Endpoint::to_url(url, ca_file)?;
        // Not repeated: it is a secret.
        let wrong = || ApiError::field("--token-file", "it does not hold an API token; allowed is octo_ and 64 digits");
        if !is_token(token) {
            return Err(wrong());
        }
        let header = Zeroizing::new(format!("Bearer {token}"));
        let mut header = HeaderValue::from_str(&header).map_err(|_| wrong())?;
        header.set_sensitive(true);
        Ok(Client { runtime: runtime()?, endpoint, token: Some(header) })
    }

    /// Looks something up; `path` begins after `/api/v1`.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.ask(Method::GET, path, None)
    }

    /// Asks for something to be done.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ApiError> {
        self.ask(Method::POST, path, Some(written(body)?))
    }

    /// The same where the address says all of it.
    pub fn post_nothing<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        self.ask(Method::POST, path, None)
    }

    /// Replaces something.
    pub fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ApiError> {
        self.ask(Method::PUT, path, Some(written(body)?))
    }

    /// Removes something.
    pub fn delete(&self, path: &str) -> Result<(), ApiError> {
        self.ask(Method::DELETE, path, None)
    }

    /// Server-sent events, one JSON object each, until `each` has seen enough or the server ends. What is no `T` is passed over.
    pub fn events<T: DeserializeOwned>(
        &self,
        path: &str,
        mut each: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<(), ApiError> {
        self.runtime.block_on(async {
            let mut body = self.send(Method::GET, path, None).await?.into_body();
            let mut waiting = Vec::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|e| self.lost(&e))?;
                waiting.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
                while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = waiting.drain(..=end).collect();
                    let event = line.strip_prefix(b"data:").and_then(|data| serde_json::from_slice(data).ok());
                    if event.is_some_and(|event| each(event).is_break()) {
                        return Ok(());
                    }
                }
                if waiting.len() > EVENT_BYTES_MAX {
                    return Err(ApiError::new(Kind::Internal, "the server sent an event without end"));
                }
            }
            Ok(())
        })
    }

    /// A download, as long as it may be: `begin` gets its media type, and makes what takes it. It fails if not all of it came.
    pub fn download<W: Write>(
        &self,
        path: &str,
        begin: impl FnOnce(&str) -> Result<W, ApiError>,
    ) -> Result<Downloaded<W>, ApiError> {
        self.runtime.block_on(async {
            let response = self.send(Method::GET, path, None).await?;
            let media_type = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            let mut out = begin(media_type.unwrap_or_default())?;
            // A connection that just ends may be the end of a body; then only the server's last word proves that it is all.
            let has_length = response.headers().contains_key(CONTENT_LENGTH);
            let (mut body, mut bytes, mut problems) = (response.into_body(), 0, None);
            let failed = |error| ApiError::new(Kind::Internal, format!("writing what came: {error}"));
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|e| {
                    let why = "the download broke off, and what came is not whole; the server's log says why";
                    ApiError::new(Kind::Internal, format!("{why} ({e})"))
                })?;
                if let Some(data) = frame.data_ref() {
                    bytes += data.len() as u64;
                    out.write_all(data).map_err(failed)?;
                }
                let said = frame.trailers_ref().and_then(|all| all.get(octo_api::history::DOWNLOAD_PROBLEMS));
                problems = said.and_then(|said| said.to_str().ok()?.parse().ok()).or(problems);
            }
            out.flush().map_err(failed)?;
            let problems = problems.or(has_length.then_some(0)).ok_or_else(|| {
                let what = "the download is not proven to be whole: the server's last word on it did not come";
                let step = "a proxy between may drop it (trailers of HTTP/1.1); ask the server without it";
                ApiError::new(Kind::Internal, format!("{what}; {step}"))
            })?;
            Ok(Downloaded { out, bytes, problems })
        })
    }

    fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<T, ApiError> {
        self.runtime.block_on(async {
            let response = self.send(method, path, body).await?;
            let bytes = read(response).await?;
            // No answer is read as null.
            serde_json::from_slice(if bytes.is_empty() { b"null" } else { &bytes })
                .map_err(|e| ApiError::new(Kind::Internal, format!("the server's answer is not as expected: {e}")))
        })
    }

    async fn send(&self, method: Method, path: &str, body: Option<Bytes>) -> Result<Response<Incoming>, ApiError> {
        let stream = self.endpoint.dial().await.map_err(|e| unreachable(&self.endpoint, &e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.map_err(|e| self.lost(&e))?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(HOST, self.endpoint.host())
            .header(TE, "trailers")
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Full::new(body.unwrap_or_default()));
        let request = request.map_err(|e| ApiError::new(Kind::Invalid, format!("{path:?} is not an address: {e}")))?;
        let response = sender.send_request(request).await.map_err(|e| self.lost(&e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let is_problem = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
        let status = response.status();
        let bytes = read(response).await?;
        Err(api_error(&bytes).filter(|_| is_problem).unwrap_or_else(|| {
            ApiError::new(Kind::Internal, format!("the server answered {status} without saying why"))
        }))
    }

    fn lost(&self, why: &hyper::Error) -> ApiError {
        ApiError::new(Kind::Internal, format!("the connection to the server was lost: {why}"))
    }
}

fn runtime() -> Result<Runtime, ApiError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| ApiError::new(Kind::Internal, e))
}

async fn read(response: Response<Incoming>) -> Result<Bytes, ApiError> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    body.map(http_body_util::Collected::to_bytes).map_err(|e| ApiError::new(Kind::Internal, format!("the answer: {e}")))
}

fn api_error(bytes: &[u8]) -> Option<ApiError> {
    serde_json::from_slice(bytes).ok()
}

/// A request's body. What holds a secret is overwritten by its maker, not here.
fn written(body: &impl Serialize) -> Result<Bytes, ApiError> {
    serde_json::to_vec(body).map(Bytes::from).map_err(|e| ApiError::new(Kind::Invalid, format!("the request: {e}")))
}

/// A name as a part of an address.
pub fn escaped(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    /// What a download comes to when the server, or a proxy, answers so.
    fn answered(answer: &'static str) -> Result<(u64, u64), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut asked, mut byte) = (Vec::new(), [0]);
            while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                asked.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let client = Client::remote(&url, &format!("octo_{}", "0".repeat(64)), None).unwrap();
        let done = client.download("/x", |_| Ok(Vec::new()));
        server.join().unwrap();
        done.map(|done| (done.bytes, done.problems)).map_err(|error| error.to_string())
    }

    #[test]
    fn an_archive_is_whole_only_if_its_length_or_the_servers_last_word_says_so() {
        let chunked =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: octobackup-problems\r\n\r\n4\r\ndata\r\n";
        let trailers: &'static str = format!("{chunked}0\r\noctobackup-problems: 2\r\n\r\n").leak();
        assert_eq!(answered(trailers), Ok((4, 2)));
        assert_eq!(answered("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndata"), Ok((4, 0)));
        let no_trailers: &'static str = format!("{chunked}0\r\n\r\n").leak();
        for unproven in ["HTTP/1.0 200 OK\r\n\r\ndata", no_trailers] {
            assert!(answered(unproven).unwrap_err().contains("not proven to be whole"), "{unproven}");
        }
        for cut in [chunked, "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ndata"] {
            assert!(answered(cut).unwrap_err().contains("not whole"), "{cut}");
        }
    }
}
