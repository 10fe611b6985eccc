//! What each route does: reads the request, calls the service, answers.

use super::problem::{Asked, Name, Sent, answer, body, secret_body};
use crate::job::{JobSpec, Policy};
use crate::launch::Once;
use crate::moment::Moment;
use crate::refusal::{Kind, Refusal};
use crate::service::{ByName, Caller, PAGE, Service, Wish};
use crate::store::credential_uses::CredentialUse;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

pub(super) type From = Extension<Caller>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Rows with smaller ids only.
    pub(super) before: Option<i64>,
    /// At most so many.
    pub(super) limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunsPage {
    job: Option<String>,
    before: Option<i64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SlotsPage {
    before: Option<Moment>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProblemsPage {
    after: Option<i64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogPage {
    after: Option<u64>,
    limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Count {
    count: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Zone {
    zone: Option<String>,
}

/// A change of a job, and the revision that was looked at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobChange {
    revision: i64,
    spec: JobSpec,
}

/// Held deletions, by the id of their plan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dismissed {
    plan: String,
}

/// Where a credential is tried; every job's share, if left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tried {
    #[serde(default)]
    source: Option<String>,
    /// The password, for a host at which the stored one may not be used.
    #[serde(default)]
    secret: Option<Zeroizing<String>>,
}

/// For what and where a credential may be used.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uses {
    uses: Vec<CredentialUse>,
}

/// Where a copy of the server's own data goes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CopyTo {
    folder: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    account: String,
    secret: Zeroizing<String>,
}

/// Asks the service, away from the asynchronous threads.
pub(super) async fn ask<T: Send + 'static>(
    service: Service,
    question: impl FnOnce(&Service) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let answered = tokio::task::spawn_blocking(move || question(&service)).await;
    answered.unwrap_or_else(|_| Err(Refusal::new(Kind::Internal, "the program has a defect: a panic")))
}

pub(super) async fn told<T: Serialize + Send + 'static>(
    service: Service,
    status: StatusCode,
    question: impl FnOnce(&Service) -> Result<T, Refusal> + Send + 'static,
) -> Response {
    match ask(service, question).await {
        Ok(value) => answer(status, &value),
        Err(refusal) => refusal.into_response(),
    }
}

pub(super) async fn done(
    service: Service,
    change: impl FnOnce(&Service) -> Result<(), Refusal> + Send + 'static,
) -> Response {
    match ask(service, change).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

pub(super) fn caller(from: From) -> Caller {
    from.0
}

/// A path's number.
pub(super) fn id(text: &str) -> Result<i64, Refusal> {
    text.parse().map_err(|_| Refusal::not_found("run", format!("{text:?}")))
}

pub(super) async fn healthz(State(service): State<Service>) -> Response {
    told(service, StatusCode::OK, |service| service.is_healthy().map(|()| json!({"status": "ok"}))).await
}

/// The text format of Prometheus.
pub(super) async fn metrics(State(service): State<Service>) -> Response {
    match ask(service, Service::metrics).await {
        Ok(page) => ([(axum::http::header::CONTENT_TYPE, "text/plain; version=0.0.4")], page).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

pub(super) async fn openapi() -> Response {
    answer(StatusCode::OK, &super::openapi())
}

pub(super) async fn no_such_route() -> Refusal {
    Refusal::new(Kind::NotFound, "there is no such address; the API begins at /api/v1")
}

pub(super) async fn no_such_method() -> Refusal {
    Refusal::new(Kind::NoSuchMethod, "this address does not have that method")
}

pub(super) async fn jobs(State(service): State<Service>, Asked(part): Asked<ByName>) -> Response {
    told(service, StatusCode::OK, move |service| service.jobs(&part)).await
}

pub(super) async fn job(State(service): State<Service>, Name(name): Name) -> Response {
    told(service, StatusCode::OK, move |service| service.job(&name)).await
}

pub(super) async fn add_job(State(service): State<Service>, from: From, Sent(bytes): Sent) -> Response {
    let add = move |service: &Service| service.add_job(&caller(from), &body::<JobSpec>(&bytes)?);
    told(service, StatusCode::CREATED, add).await
}

pub(super) async fn change_job(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let change = move |service: &Service| {
        let change: JobChange = body(&bytes)?;
        service.change_job(&caller(from), &name, change.revision, &change.spec)
    };
    told(service, StatusCode::OK, change).await
}

pub(super) async fn remove_job(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    done(service, move |service| service.remove_job(&caller(from), &name)).await
}

pub(super) async fn pause_job(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    told(service, StatusCode::OK, move |service| service.pause_job(&caller(from), &name, true)).await
}

pub(super) async fn resume_job(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    told(service, StatusCode::OK, move |service| service.pause_job(&caller(from), &name, false)).await
}

/// Of held deletions nobody is to be told again.
pub(super) async fn dismiss(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let dismiss = move |service: &Service| service.dismiss(&caller(from), &name, &body::<Dismissed>(&bytes)?.plan);
    told(service, StatusCode::OK, dismiss).await
}

pub(super) async fn start_run(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let start = move |service: &Service| service.start_run(&caller(from), &name, &body::<Once>(&bytes)?);
    told(service, StatusCode::ACCEPTED, start).await
}

pub(super) async fn slots(State(service): State<Service>, Name(name): Name, Asked(page): Asked<SlotsPage>) -> Response {
    told(service, StatusCode::OK, move |service| service.slots(&name, page.before, page.limit.unwrap_or(PAGE))).await
}

pub(super) async fn runs(State(service): State<Service>, Asked(page): Asked<RunsPage>) -> Response {
    let list = move |service: &Service| service.runs(page.job.as_deref(), page.before, page.limit.unwrap_or(PAGE));
    told(service, StatusCode::OK, list).await
}

pub(super) async fn run(State(service): State<Service>, Name(run): Name) -> Response {
    told(service, StatusCode::OK, move |service| service.run(id(&run)?)).await
}

pub(super) async fn report(State(service): State<Service>, Name(run): Name) -> Response {
    told(service, StatusCode::OK, move |service| service.report(id(&run)?)).await
}

pub(super) async fn told_run(State(service): State<Service>, Name(run): Name) -> Response {
    told(service, StatusCode::OK, move |service| service.told(id(&run)?)).await
}

/// The report as HTML, by the clocks of `zone`.
pub(super) async fn page(State(service): State<Service>, Name(run): Name, Asked(asked): Asked<Zone>) -> Response {
    let page = move |service: &Service| {
        let name = asked.zone.as_deref().unwrap_or("UTC");
        let zone = crate::schedule::zone(name).map_err(|why| Refusal::field("zone", format!("{name:?}: {why}")))?;
        Ok(crate::report::html::page(&service.told(id(&run)?)?, &zone))
    };
    match ask(service, page).await {
        Ok(page) => axum::response::Html(page).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

pub(super) async fn problems(
    State(service): State<Service>,
    Name(run): Name,
    Asked(page): Asked<ProblemsPage>,
) -> Response {
    let list =
        move |service: &Service| service.problems(id(&run)?, page.after.unwrap_or(0), page.limit.unwrap_or(PAGE));
    told(service, StatusCode::OK, list).await
}

pub(super) async fn run_log(State(service): State<Service>, Name(run): Name, Asked(page): Asked<LogPage>) -> Response {
    let read = move |service: &Service| service.run_log(id(&run)?, page.after.unwrap_or(0), page.limit.unwrap_or(PAGE));
    told(service, StatusCode::OK, read).await
}

pub(super) async fn cancel_run(State(service): State<Service>, from: From, Name(run): Name) -> Response {
    told(service, StatusCode::ACCEPTED, move |service| service.cancel_run(&caller(from), id(&run)?)).await
}

pub(super) async fn credentials(State(service): State<Service>, Asked(part): Asked<ByName>) -> Response {
    told(service, StatusCode::OK, move |service| service.credentials(&part)).await
}

pub(super) async fn set_credential(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let set = move |service: &Service| {
        let given: Secret = secret_body(&bytes, r#"{"account": "[DOMAIN\\]NAME", "secret": "..."}"#)?;
        service.set_credential(&caller(from), &name, &given.account, &given.secret)
    };
    told(service, StatusCode::OK, set).await
}

pub(super) async fn remove_credential(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    done(service, move |service| service.remove_credential(&caller(from), &name)).await
}

pub(super) async fn test_credential(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let test = move |service: &Service| {
        let allowed = r#"{"source": "//HOST/SHARE", "secret": "..."}; both may be left out"#;
        let empty = bytes.iter().all(u8::is_ascii_whitespace);
        let tried: Tried = if empty { Tried { source: None, secret: None } } else { secret_body(&bytes, allowed)? };
        let secret = tried.secret.as_ref().map(|secret| secret.as_str());
        service.test_credential(&caller(from), &name, tried.source.as_deref(), secret)
    };
    told(service, StatusCode::OK, test).await
}

pub(super) async fn set_credential_uses(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let set = move |service: &Service| service.set_credential_uses(&caller(from), &name, &body::<Uses>(&bytes)?.uses);
    told(service, StatusCode::OK, set).await
}

/// Everything that a jobs file can say, as it is now.
pub(super) async fn export(State(service): State<Service>) -> Response {
    told(service, StatusCode::OK, Service::export).await
}

/// Makes it as a jobs file says.
pub(super) async fn apply(State(service): State<Service>, from: From, Sent(bytes): Sent) -> Response {
    told(service, StatusCode::OK, move |service| service.apply(&caller(from), &body::<Wish>(&bytes)?)).await
}

pub(super) async fn defaults(State(service): State<Service>) -> Response {
    told(service, StatusCode::OK, Service::defaults).await
}

pub(super) async fn set_defaults(State(service): State<Service>, from: From, Sent(bytes): Sent) -> Response {
    done(service, move |service| service.set_defaults(&caller(from), &body::<Policy>(&bytes)?)).await
}

pub(super) async fn schedule(State(service): State<Service>, Asked(asked): Asked<Count>) -> Response {
    told(service, StatusCode::OK, move |service| service.upcoming(asked.count.unwrap_or(20))).await
}

pub(super) async fn audit(State(service): State<Service>, Asked(page): Asked<Page>) -> Response {
    told(service, StatusCode::OK, move |service| service.audit(page.before, page.limit.unwrap_or(PAGE))).await
}

pub(super) async fn back_up(State(service): State<Service>, from: From, Sent(bytes): Sent) -> Response {
    let back_up = move |service: &Service| service.back_up(&caller(from), &body::<CopyTo>(&bytes)?.folder);
    told(service, StatusCode::CREATED, back_up).await
}

pub(super) async fn self_check(State(service): State<Service>) -> Response {
    told(service, StatusCode::OK, Service::self_check).await
}
