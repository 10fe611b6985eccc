//! Handlers: states of a mirror, and what is in them. Each looks through much of a mirror, so only a few are answered at once,
//! and who goes away is not looked for any longer.

use super::call::ask;
use crate::api::problem::{Asked, InState, Name, answer};
use crate::service::{DiffAsked, FindNames, PAGE_DEFAULT, Service};
use crate::service_error::{Kind, ServiceError};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use octo_core::Cancel;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// So many are answered at once; the others wait.
const AT_ONCE_MAX: usize = 4;
static AT_ONCE: Semaphore = Semaphore::const_new(AT_ONCE_MAX);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct StatesPage {
    before: Option<u64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct FolderPage {
    #[serde(default)]
    path: String,
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct FindPage {
    pattern: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    ignore_case: bool,
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct OnePath {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct DiffPage {
    to: Option<String>,
    #[serde(default)]
    path: String,
    after: Option<u64>,
    limit: Option<u32>,
}

pub(in crate::api) async fn states(
    State(service): State<Service>,
    Name(job): Name,
    Asked(page): Asked<StatesPage>,
) -> Response {
    let list =
        move |service: &Service, _: &Cancel| service.states(&job, page.before, page.limit.unwrap_or(PAGE_DEFAULT));
    look(service, list).await
}

pub(in crate::api) async fn list(
    State(service): State<Service>,
    InState { job, state }: InState,
    Asked(page): Asked<FolderPage>,
) -> Response {
    let part = page.limit.unwrap_or(PAGE_DEFAULT);
    look(service, move |service, _| service.state_folder(&job, &state, &page.path, (page.after.as_deref(), part))).await
}

pub(in crate::api) async fn find(
    State(service): State<Service>,
    Name(job): Name,
    Asked(page): Asked<FindPage>,
) -> Response {
    let FindPage { pattern, path: below, ignore_case, after, limit } = page;
    let asked = FindNames { pattern, below, ignore_case, after, limit: limit.unwrap_or(PAGE_DEFAULT) };
    look(service, move |service, cancel| service.find_names(&job, &asked, cancel)).await
}

pub(in crate::api) async fn versions(
    State(service): State<Service>,
    Name(job): Name,
    Asked(of): Asked<OnePath>,
) -> Response {
    look(service, move |service, _| service.versions(&job, &of.path)).await
}

pub(in crate::api) async fn diff(
    State(service): State<Service>,
    InState { job, state: from }: InState,
    Asked(page): Asked<DiffPage>,
) -> Response {
    let DiffPage { to, path: below, after, limit } = page;
    let to = to.unwrap_or_else(|| "now".to_owned());
    let asked = DiffAsked { from, to, below, after: after.unwrap_or(0), limit: limit.unwrap_or(PAGE_DEFAULT) };
    look(service, move |service, cancel| service.differences(&job, &asked, cancel)).await
}

/// Stops the look when nobody waits for it any more.
struct Waits(Cancel);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

async fn look<T: Serialize + Send + 'static>(
    service: Service,
    question: impl FnOnce(&Service, &Cancel) -> Result<T, ServiceError> + Send + 'static,
) -> Response {
    let waits = Waits(Cancel::new());
    let cancel = waits.0.clone();
    let Ok(turn) = AT_ONCE.acquire().await else {
        return ServiceError::new(Kind::Internal, "the server stops").into_response();
    };
    let looked = ask(service, move |service| {
        // Until the look has ended, even if nobody waits.
        let _turn = turn;
        question(service, &cancel)
    });
    match looked.await {
        Ok(value) => answer(StatusCode::OK, &value),
        Err(error) => error.into_response(),
    }
}
