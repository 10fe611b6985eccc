//! Handlers: jobs, their slots and schedule, and the jobs file.

use super::call::{From, caller, respond, respond_empty};
use crate::api::auth::Identity;
use crate::api::problem::{Asked, Name, Sent, body};
use crate::moment::Moment;
use crate::run_overrides::RunOverrides;
use crate::service::{ApplyRequest, ByName, PAGE_DEFAULT, Service};
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use octo_api::job::{Dismiss, JobChange};
use octo_job::JobSpec;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct SlotsPage {
    before: Option<Moment>,
    limit: Option<u32>,
}

pub(in crate::api) async fn jobs(State(service): State<Service>, Asked(part): Asked<ByName>) -> Response {
    respond(service, StatusCode::OK, move |service| service.jobs(&part)).await
}

pub(in crate::api) async fn job(State(service): State<Service>, Name(name): Name) -> Response {
    respond(service, StatusCode::OK, move |service| service.job(&name)).await
}

pub(in crate::api) async fn add_job(State(service): State<Service>, from: From, Sent(bytes): Sent) -> Response {
    let add = move |service: &Service| service.add_job(&caller(from), &body::<JobSpec>(&bytes)?);
    respond(service, StatusCode::CREATED, add).await
}

pub(in crate::api) async fn change_job(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let change = move |service: &Service| {
        let change: JobChange<JobSpec> = body(&bytes)?;
        service.change_job(&caller(from), &name, change.revision, &change.spec)
    };
    respond(service, StatusCode::OK, change).await
}

pub(in crate::api) async fn remove_job(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    respond_empty(service, move |service| service.remove_job(&caller(from), &name)).await
}

pub(in crate::api) async fn pause_job(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    respond(service, StatusCode::OK, move |service| service.pause_job(&caller(from), &name, true)).await
}

pub(in crate::api) async fn resume_job(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    respond(service, StatusCode::OK, move |service| service.pause_job(&caller(from), &name, false)).await
}

/// Dismisses held deletions: they are not reported again.
pub(in crate::api) async fn dismiss(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let dismiss = move |service: &Service| service.dismiss(&caller(from), &name, &body::<Dismiss>(&bytes)?.plan);
    respond(service, StatusCode::OK, dismiss).await
}

pub(in crate::api) async fn start_run(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let start = move |service: &Service| service.start_run(&caller(from), &name, &body::<RunOverrides>(&bytes)?);
    respond(service, StatusCode::ACCEPTED, start).await
}

/// Restores are looked at before they are queued: the mirror must have what is asked for.
pub(in crate::api) async fn start_restore(
    State(service): State<Service>,
    Extension(from): Extension<Identity>,
    Name(name): Name,
    Sent(sent): Sent,
) -> Response {
    let start = move |service: &Service| service.start_restore((&from.caller, from.role), &name, &body(&sent)?);
    respond(service, StatusCode::ACCEPTED, start).await
}

pub(in crate::api) async fn slots(
    State(service): State<Service>,
    Name(name): Name,
    Asked(page): Asked<SlotsPage>,
) -> Response {
    respond(service, StatusCode::OK, move |service| {
        service.slots(&name, page.before, page.limit.unwrap_or(PAGE_DEFAULT))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Count {
    count: Option<usize>,
}

pub(in crate::api) async fn schedule(State(service): State<Service>, Asked(asked): Asked<Count>) -> Response {
    respond(service, StatusCode::OK, move |service| {
        service.upcoming(asked.count.unwrap_or(octo_api::SHOWN_DEFAULT as usize))
    })
    .await
}

/// Everything that a jobs file can say, as it is now.
pub(in crate::api) async fn export(State(service): State<Service>) -> Response {
    respond(service, StatusCode::OK, Service::export).await
}

/// Makes it as a jobs file says.
pub(in crate::api) async fn apply(State(service): State<Service>, from: From, Sent(bytes): Sent) -> Response {
    respond(service, StatusCode::OK, move |service| service.apply(&caller(from), &body::<ApplyRequest>(&bytes)?)).await
}
