//! Handlers: notifications, the digest, the mail server, the outbox.

use super::call::{From, caller, respond, respond_empty};
use crate::api::page::Page;
use crate::api::problem::{Asked, Name, Sent, body};
use crate::service::{ByName, PAGE_DEFAULT, Service};
use crate::service_error::ServiceError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use octo_api::notify::{DigestSchedule, MailServer, Recipient};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Hours {
    hours: Option<u32>,
}

pub(in crate::api) async fn recipients(State(service): State<Service>, Asked(part): Asked<ByName>) -> Response {
    respond(service, StatusCode::OK, move |service| service.recipients(&part)).await
}

/// The name is that of the address, whatever the body says.
pub(in crate::api) async fn set_recipient(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let set = move |service: &Service| {
        let recipient = Recipient { name, ..body(&bytes)? };
        service.set_recipient(&caller(from), &recipient)
    };
    respond(service, StatusCode::OK, set).await
}

pub(in crate::api) async fn remove_recipient(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    respond_empty(service, move |service| service.remove_recipient(&caller(from), &name)).await
}

pub(in crate::api) async fn test_recipient(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    respond(service, StatusCode::ACCEPTED, move |service| service.test_recipient(&caller(from), &name)).await
}

pub(in crate::api) async fn mail_server(State(service): State<Service>) -> Response {
    respond(service, StatusCode::OK, Service::mail_server).await
}

pub(in crate::api) async fn set_mail_server(State(service): State<Service>, from: From, Sent(bytes): Sent) -> Response {
    respond_empty(service, move |service| service.set_mail_server(&caller(from), &body::<MailServer>(&bytes)?)).await
}

pub(in crate::api) async fn outbox(State(service): State<Service>, Asked(page): Asked<Page>) -> Response {
    respond(service, StatusCode::OK, move |service| service.outbox(page.before, page.limit.unwrap_or(PAGE_DEFAULT)))
        .await
}

pub(in crate::api) async fn message(State(service): State<Service>, Name(id): Name) -> Response {
    let look = move |service: &Service| {
        let id = id.parse().map_err(|_| ServiceError::not_found("message", format!("{id:?}")))?;
        service.message(id)
    };
    respond(service, StatusCode::OK, look).await
}

pub(in crate::api) async fn digest(State(service): State<Service>, Asked(asked): Asked<Hours>) -> Response {
    respond(service, StatusCode::OK, move |service| {
        service.digest_of_last(asked.hours.unwrap_or(octo_api::DIGEST_HOURS_DEFAULT))
    })
    .await
}

pub(in crate::api) async fn digest_schedule(State(service): State<Service>) -> Response {
    respond(service, StatusCode::OK, |service| Ok(DigestSchedule { schedule: service.digest_schedule()? })).await
}

pub(in crate::api) async fn set_digest_schedule(
    State(service): State<Service>,
    from: From,
    Sent(bytes): Sent,
) -> Response {
    let set =
        move |service: &Service| service.set_digest_schedule(&caller(from), &body::<DigestSchedule>(&bytes)?.schedule);
    respond_empty(service, set).await
}
