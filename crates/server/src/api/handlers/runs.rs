//! Handlers: runs, their reports, problems and logs.

use super::call::{From, ask, caller, respond};
use crate::api::problem::{Asked, Name};
use crate::service::{PAGE_DEFAULT, Service};
use crate::service_error::ServiceError;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct RunsPage {
    job: Option<String>,
    before: Option<i64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct ProblemsPage {
    after: Option<i64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct LogPage {
    after: Option<u64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Zone {
    zone: Option<String>,
}

/// A path's number.
pub(in crate::api) fn id(text: &str) -> Result<i64, ServiceError> {
    text.parse().map_err(|_| ServiceError::not_found("run", format!("{text:?}")))
}

pub(in crate::api) async fn runs(State(service): State<Service>, Asked(page): Asked<RunsPage>) -> Response {
    let list =
        move |service: &Service| service.runs(page.job.as_deref(), page.before, page.limit.unwrap_or(PAGE_DEFAULT));
    respond(service, StatusCode::OK, list).await
}

pub(in crate::api) async fn run(State(service): State<Service>, Name(run): Name) -> Response {
    respond(service, StatusCode::OK, move |service| service.run(id(&run)?)).await
}

pub(in crate::api) async fn report(State(service): State<Service>, Name(run): Name) -> Response {
    respond(service, StatusCode::OK, move |service| service.report(id(&run)?)).await
}

pub(in crate::api) async fn run_summary(State(service): State<Service>, Name(run): Name) -> Response {
    respond(service, StatusCode::OK, move |service| service.summary(id(&run)?)).await
}

/// The report as HTML, with times in `zone`.
pub(in crate::api) async fn page(
    State(service): State<Service>,
    Name(run): Name,
    Asked(asked): Asked<Zone>,
) -> Response {
    let page = move |service: &Service| {
        let name = asked.zone.as_deref().unwrap_or("UTC");
        let zone =
            octo_job::schedule::zone(name).map_err(|why| ServiceError::field("zone", format!("{name:?}: {why}")))?;
        Ok(octo_report::html::render(&crate::report::document(&service.summary(id(&run)?)?, &zone)))
    };
    match ask(service, page).await {
        Ok(page) => axum::response::Html(page).into_response(),
        Err(error) => error.into_response(),
    }
}

pub(in crate::api) async fn problems(
    State(service): State<Service>,
    Name(run): Name,
    Asked(page): Asked<ProblemsPage>,
) -> Response {
    let list = move |service: &Service| {
        service.problems(id(&run)?, page.after.unwrap_or(0), page.limit.unwrap_or(PAGE_DEFAULT))
    };
    respond(service, StatusCode::OK, list).await
}

pub(in crate::api) async fn run_log(
    State(service): State<Service>,
    Name(run): Name,
    Asked(page): Asked<LogPage>,
) -> Response {
    let read = move |service: &Service| {
        service.run_log(id(&run)?, page.after.unwrap_or(0), page.limit.unwrap_or(PAGE_DEFAULT))
    };
    respond(service, StatusCode::OK, read).await
}

pub(in crate::api) async fn cancel_run(State(service): State<Service>, from: From, Name(run): Name) -> Response {
    respond(service, StatusCode::ACCEPTED, move |service| service.cancel_run(&caller(from), id(&run)?)).await
}
