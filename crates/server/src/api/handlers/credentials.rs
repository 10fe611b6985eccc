//! Handlers: credentials, and what they may be used for.

use super::call::{From, caller, respond, respond_empty};
use crate::api::problem::{Asked, Name, Sent, body, secret_body};
use crate::service::{ByName, Service};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use octo_api::credential::{SetCredential, SetCredentialUses, TryCredential};

pub(in crate::api) async fn credentials(State(service): State<Service>, Asked(part): Asked<ByName>) -> Response {
    respond(service, StatusCode::OK, move |service| service.credentials(&part)).await
}

pub(in crate::api) async fn set_credential(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let set = move |service: &Service| {
        let given: SetCredential = secret_body(&bytes, r#"{"account": "[DOMAIN\\]USER", "secret": "..."}"#)?;
        service.set_credential(&caller(from), &name, &given.account, &given.secret)
    };
    respond(service, StatusCode::OK, set).await
}

pub(in crate::api) async fn remove_credential(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
) -> Response {
    respond_empty(service, move |service| service.remove_credential(&caller(from), &name)).await
}

pub(in crate::api) async fn test_credential(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let test = move |service: &Service| {
        let allowed = r#"{"source": "//HOST/SHARE", "secret": "..."}; both may be left out"#;
        let empty = bytes.iter().all(u8::is_ascii_whitespace);
        let tried = if empty { TryCredential::default() } else { secret_body(&bytes, allowed)? };
        let secret = tried.secret.as_ref().map(|secret| secret.as_str());
        service.test_credential(&caller(from), &name, tried.source.as_deref(), secret)
    };
    respond(service, StatusCode::OK, test).await
}

pub(in crate::api) async fn set_credential_uses(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let set = move |service: &Service| {
        service.set_credential_uses(&caller(from), &name, &body::<SetCredentialUses>(&bytes)?.uses)
    };
    respond(service, StatusCode::OK, set).await
}
