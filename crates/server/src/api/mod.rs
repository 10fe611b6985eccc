//! The REST API under `/api/v1`: form and nothing else. Each route calls one method of the service.
//!
//! The only asynchronous room of the server. The service is synchronous and looks at a disk, so every call of it leaves the
//! asynchronous threads. Errors are problem details (RFC 9457). [`Client`] is the other end, for the command line.

mod client;
mod hosts;
mod notify;
mod problem;
mod routes;
mod socket;
mod watch;

pub use client::{Client, escaped};
pub use socket::{Http, Peer};

use crate::service::Service;
use axum::Router;
use axum::routing::{get, post, put};

/// Larger bodies are no jobs.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Every route.
pub fn router(service: Service) -> Router {
    let v1 = Router::new()
        .route("/jobs", get(routes::jobs).post(routes::add_job))
        .route("/jobs/{name}", get(routes::job).put(routes::change_job).delete(routes::remove_job))
        .route("/jobs/{name}/pause", post(routes::pause_job))
        .route("/jobs/{name}/resume", post(routes::resume_job))
        .route("/jobs/{name}/runs", post(routes::start_run))
        .route("/jobs/{name}/slots", get(routes::slots))
        .route("/runs", get(routes::runs))
        .route("/runs/{id}", get(routes::run))
        .route("/runs/{id}/report", get(routes::report))
        .route("/runs/{id}/told", get(routes::told_run))
        .route("/runs/{id}/page", get(routes::page))
        .route("/runs/{id}/problems", get(routes::problems))
        .route("/runs/{id}/cancel", post(routes::cancel_run))
        .route("/runs/{id}/events", get(watch::events))
        .route("/credentials", get(routes::credentials))
        .route("/credentials/{name}", put(routes::set_credential).delete(routes::remove_credential))
        .route("/hosts", get(hosts::hosts).post(hosts::add_host))
        .route("/hosts/{name}", get(hosts::host))
        .route("/hosts/{name}/revoke", post(hosts::revoke_host))
        .route("/recipients", get(notify::recipients))
        .route("/recipients/{name}", put(notify::set_recipient).delete(notify::remove_recipient))
        .route("/recipients/{name}/test", post(notify::test_recipient))
        .route("/digest", get(notify::digest))
        .route("/digest/schedule", get(notify::digest_schedule).put(notify::set_digest_schedule))
        .route("/mail-server", get(notify::mail_server).put(notify::set_mail_server))
        .route("/outbox", get(notify::outbox))
        .route("/outbox/{id}", get(notify::letter))
        .route("/defaults", get(routes::defaults).put(routes::set_defaults))
        .route("/schedule", get(routes::schedule))
        .route("/audit", get(routes::audit));
    Router::new()
        .route("/healthz", get(routes::healthz))
        .route("/metrics", get(routes::metrics))
        .nest("/api/v1", v1)
        .fallback(routes::no_such_route)
        .method_not_allowed_fallback(routes::no_such_method)
        .layer(axum::extract::DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(service)
}
