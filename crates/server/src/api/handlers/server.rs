//! Handlers: the server itself.

use super::call::{From, ask, caller, respond, respond_empty};
use crate::api::page::Page;
use crate::api::problem::{Asked, Sent, answer, body};
use crate::service::{PAGE_DEFAULT, Service};
use crate::service_error::{Kind, ServiceError};
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use octo_api::server::{BackUp, Health};
use octo_job::Policy;
use serde_json::Value;
use std::sync::Arc;

/// The OpenAPI document, which describes this route too.
#[derive(Clone)]
pub(in crate::api) struct Document(pub Arc<Value>);

pub(in crate::api) async fn healthz(State(service): State<Service>) -> Response {
    respond(service, StatusCode::OK, |service| service.is_healthy().map(|()| Health { status: "ok".to_owned() })).await
}

/// The text format of Prometheus.
pub(in crate::api) async fn metrics(State(service): State<Service>) -> Response {
    match ask(service, Service::metrics).await {
        Ok(page) => ([(axum::http::header::CONTENT_TYPE, "text/plain; version=0.0.4")], page).into_response(),
        Err(error) => error.into_response(),
    }
}

pub(in crate::api) async fn openapi(Extension(document): Extension<Document>) -> Response {
    answer(StatusCode::OK, &*document.0)
}

pub(in crate::api) async fn no_such_route() -> ServiceError {
    ServiceError::new(Kind::NotFound, "there is no such address; the API begins at /api/v1")
}

pub(in crate::api) async fn no_such_method() -> ServiceError {
    ServiceError::new(Kind::NoSuchMethod, "this address does not have that method")
}

pub(in crate::api) async fn defaults(State(service): State<Service>) -> Response {
    respond(service, StatusCode::OK, Service::defaults).await
}

pub(in crate::api) async fn set_defaults(State(service): State<Service>, from: From, Sent(bytes): Sent) -> Response {
    respond_empty(service, move |service| service.set_defaults(&caller(from), &body::<Policy>(&bytes)?)).await
}

pub(in crate::api) async fn audit(State(service): State<Service>, Asked(page): Asked<Page>) -> Response {
    respond(service, StatusCode::OK, move |service| service.audit(page.before, page.limit.unwrap_or(PAGE_DEFAULT)))
        .await
}

pub(in crate::api) async fn back_up(State(service): State<Service>, from: From, Sent(bytes): Sent) -> Response {
    let back_up = move |service: &Service| service.back_up(&caller(from), &body::<BackUp>(&bytes)?.folder);
    respond(service, StatusCode::CREATED, back_up).await
}

pub(in crate::api) async fn self_check(State(service): State<Service>) -> Response {
    respond(service, StatusCode::OK, Service::self_check).await
}
