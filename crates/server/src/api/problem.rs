//! Errors as problem details (RFC 9457), and requests that cannot be read.

use crate::service_error::{Kind, ServiceError};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use octo_api::error::MEDIA_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = respond(status, MEDIA_TYPE, &to_problem(&self));
        if self.kind == Kind::Unauthenticated {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The object of RFC 9457; `kind` and `field` are ours.
pub(super) fn to_problem(error: &ServiceError) -> serde_json::Value {
    json!({
        "type": "about:blank", "title": error.kind.title(), "status": error.kind.status(), "detail": error.detail,
        "kind": error.kind, "field": error.field,
    })
}

/// An answer in JSON.
pub(super) fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_value(value) {
        Ok(value) => respond(status, "application/json", &value),
        Err(error) => ServiceError::new(Kind::Internal, format!("the answer: {error}")).into_response(),
    }
}

fn respond(status: StatusCode, media_type: &'static str, value: &serde_json::Value) -> Response {
    let headers = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-store")];
    (status, headers, value.to_string()).into_response()
}

/// What the body says; nothing at all is an empty object.
pub(super) fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, ServiceError> {
    let text: &[u8] = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { bytes };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let mut unknown: Option<String> = None;
    // A type that is answered too says nothing of fields that it does not know: a client has to pass over them.
    let mut pass_over = |path: serde_ignored::Path<'_>| {
        unknown.get_or_insert_with(|| path.to_string());
    };
    let strict = serde_ignored::Deserializer::new(&mut reader, &mut pass_over);
    // Serde's message says what is allowed, and repeats values only of the kinds that hold no secrets.
    let said = serde_path_to_error::deserialize(strict).map_err(|error| {
        let (path, why) = (error.path().to_string(), format!("the body: {}", error.inner()));
        if path == "." { ServiceError::new(Kind::Invalid, why) } else { ServiceError::field(&path, why) }
    })?;
    if let Some(field) = unknown {
        return Err(ServiceError::field(&field, "the body: there is no such field"));
    }
    reader.end().map_err(|error| ServiceError::new(Kind::Invalid, format!("the body: {error}")))?;
    Ok(said)
}

/// What the query says.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked<T>, ServiceError> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|Query(asked)| Asked(asked))
            .map_err(|e| ServiceError::new(Kind::Invalid, format!("the query: {}", e.body_text())))
    }
}

/// The same for values that may be secret: the message says only what is allowed.
pub(super) fn secret_body<T: DeserializeOwned>(bytes: &Bytes, allowed: &str) -> Result<T, ServiceError> {
    serde_json::from_slice(bytes)
        .map_err(|_| ServiceError::new(Kind::Invalid, format!("the body: allowed is {allowed}")))
}

/// The body as it was sent.
pub(super) struct Sent(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = ServiceError;

    async fn from_request(request: Request, state: &S) -> Result<Sent, ServiceError> {
        let refused = |rejection: BytesRejection| {
            let is_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
            let kind = if is_large { Kind::TooLarge } else { Kind::Invalid };
            ServiceError::new(kind, format!("the body: {}", rejection.body_text()))
        };
        let read = tokio::time::timeout(super::limits::BODY_WITHIN, Bytes::from_request(request, state)).await;
        let late = |_| Err(ServiceError::new(Kind::Invalid, "the body: it came too slowly"));
        read.map_or_else(late, |read| read.map(Sent).map_err(refused))
    }
}

/// The one name or number in the path.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Name, ServiceError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(name)| Name(name))
            .map_err(|e| ServiceError::new(Kind::NotFound, format!("the address: {}", e.body_text())))
    }
}

/// The job and the state in the path.
pub(super) struct InState {
    pub(super) job: String,
    pub(super) state: String,
}

impl<S: Send + Sync> FromRequestParts<S> for InState {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<InState, ServiceError> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        path.map(|Path((job, state))| InState { job, state })
            .map_err(|e| ServiceError::new(Kind::NotFound, format!("the address: {}", e.body_text())))
    }
}
