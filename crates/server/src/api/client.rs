//! The other end of the API, for the command line: synchronous, over the local socket or with a token.

use super::connect::{Endpoint, unreachable};
use super::problem::MEDIA_TYPE;
use crate::access::Secret;
use crate::service_error::{Kind, ServiceError};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response};
use serde_json::Value;
use std::ops::ControlFlow;
use std::path::Path;
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

/// No answer of ours is larger.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// No event of ours is longer.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// A connection to a server, made anew for each request.
pub struct Client {
    runtime: Runtime,
    endpoint: Endpoint,
    token: Option<HeaderValue>,
}

impl Client {
    /// To the server that listens at this socket.
    pub fn local(socket: &Path) -> Result<Client, ServiceError> {
        Ok(Client { runtime: runtime()?, endpoint: Endpoint::Socket(socket.to_owned()), token: None })
    }

    /// To the server at `url`, as whoever the token is for. It is trusted if `ca_file` vouches for it; without one, if this
    /// machine's certificates do.
    pub fn remote(url: &str, token: &str, ca_file: Option<&Path>) -> Result<Client, ServiceError> {
        let endpoint = Endpoint::to_url(url, ca_file)?;
        // Not repeated: it is a secret.
        let wrong =
            || ServiceError::field("--token-file", "it does not hold an API token; allowed is octo_ and 64 digits");
        let token = Secret::parse(token).ok_or_else(wrong)?;
        let header = Zeroizing::new(format!("Bearer {}", token.reveal()));
        let mut header = HeaderValue::from_str(&header).map_err(|_| wrong())?;
        header.set_sensitive(true);
        Ok(Client { runtime: runtime()?, endpoint, token: Some(header) })
    }

    /// Looks something up; `path` begins after `/api/v1`.
    pub fn get(&self, path: &str) -> Result<Value, ServiceError> {
        self.ask(Method::GET, path, None)
    }

    /// Asks for something to be done.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, ServiceError> {
        self.ask(Method::POST, path, Some(body))
    }

    /// Replaces something.
    pub fn put(&self, path: &str, body: &Value) -> Result<Value, ServiceError> {
        self.ask(Method::PUT, path, Some(body))
    }

    /// Removes something.
    pub fn delete(&self, path: &str) -> Result<Value, ServiceError> {
        self.ask(Method::DELETE, path, None)
    }

    /// Server-sent events, one JSON object each, until `each` has seen enough or the server ends.
    pub fn events(&self, path: &str, mut each: impl FnMut(Value) -> ControlFlow<()>) -> Result<(), ServiceError> {
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
                    return Err(ServiceError::new(Kind::Internal, "the server sent an event without end"));
                }
            }
            Ok(())
        })
    }

    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, ServiceError> {
        self.runtime.block_on(async {
            let response = self.send(method, path, body).await?;
            let bytes = read(response).await?;
            if bytes.is_empty() {
                return Ok(Value::Null);
            }
            serde_json::from_slice(&bytes)
                .map_err(|_| ServiceError::new(Kind::Internal, "the server's answer is not JSON"))
        })
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Response<Incoming>, ServiceError> {
        let stream = self.endpoint.dial().await.map_err(|e| unreachable(&self.endpoint, &e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(stream).await.map_err(|e| self.lost(&e))?;
        tokio::spawn(connection);
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header(HOST, self.endpoint.host())
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token);
        }
        let request = request.body(Full::new(Bytes::from(body)));
        let request = request.map_err(|e| ServiceError::new(Kind::Invalid, format!("{path:?} is no address: {e}")))?;
        let response = sender.send_request(request).await.map_err(|e| self.lost(&e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let is_problem = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPE);
        let status = response.status();
        let bytes = read(response).await?;
        Err(refusal(&bytes).filter(|_| is_problem).unwrap_or_else(|| {
            ServiceError::new(Kind::Internal, format!("the server answered {status} without saying why"))
        }))
    }

    fn lost(&self, why: &hyper::Error) -> ServiceError {
        ServiceError::new(Kind::Internal, format!("the connection to the server was lost: {why}"))
    }
}

fn runtime() -> Result<Runtime, ServiceError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| ServiceError::new(Kind::Internal, e))
}

async fn read(response: Response<Incoming>) -> Result<Bytes, ServiceError> {
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
    body.map(http_body_util::Collected::to_bytes)
        .map_err(|e| ServiceError::new(Kind::Internal, format!("the answer: {e}")))
}

fn refusal(bytes: &[u8]) -> Option<ServiceError> {
    let problem: Value = serde_json::from_slice(bytes).ok()?;
    Some(ServiceError {
        kind: serde_json::from_value(problem["kind"].clone()).ok()?,
        field: problem["field"].as_str().map(str::to_owned),
        detail: problem["detail"].as_str()?.to_owned(),
    })
}

/// A name as a part of an address.
pub fn escaped(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
