//! Handlers: machines with agents.

use super::call::{From, caller, respond, respond_empty};
use crate::api::problem::{Asked, Name, Sent, body};
use crate::service::{ByName, Service};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use octo_api::host::AddHost;

pub(in crate::api) async fn hosts(State(service): State<Service>, Asked(part): Asked<ByName>) -> Response {
    respond(service, StatusCode::OK, move |service| service.hosts(&part)).await
}

pub(in crate::api) async fn host(State(service): State<Service>, Name(name): Name) -> Response {
    respond(service, StatusCode::OK, move |service| service.host(&name)).await
}

pub(in crate::api) async fn add_host(State(service): State<Service>, from: From, Sent(bytes): Sent) -> Response {
    let add = move |service: &Service| service.add_host(&caller(from), &body::<AddHost>(&bytes)?.name);
    respond(service, StatusCode::CREATED, add).await
}

pub(in crate::api) async fn revoke_host(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    respond_empty(service, move |service| service.revoke_host(&caller(from), &name)).await
}
