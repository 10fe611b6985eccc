//! The REST API under `/api/v1`: form and nothing else. Each route calls one method of the service.
//!
//! The only asynchronous room of the server. The service is synchronous and looks at a disk, so every call of it leaves the
//! asynchronous threads. Errors are problem details (RFC 9457). [`Client`] is the other end, for the command line.
//!
//! [`table::routes`] is the one list of what there is, and who may call it; `door` asks who somebody is before anything else
//! happens.

mod access;
mod client;
mod dial;
mod door;
mod hosts;
mod http;
mod notify;
mod openapi;
mod origin;
mod problem;
mod remote;
mod routes;
mod setup;
mod socket;
mod stall;
mod table;
mod tls;
mod watch;

pub use client::{Client, escaped};
pub use http::{Http, Peer};
pub use openapi::document as openapi;
pub use table::{Needs, Route, routes};
pub use tls::Tls;

use crate::service::Service;
use axum::Router;
use axum::middleware::from_fn;
use std::time::Duration;

/// Larger bodies are no jobs.
const BODY_BYTES_MAX: usize = 1 << 20;
/// What a stranger may send: a name and a password.
const STRANGERS_BODY_BYTES_MAX: usize = 8 << 10;
/// A body that comes more slowly was lost.
const BODY_WITHIN: Duration = Duration::from_secs(30);
/// A request that takes longer was lost; events go on after the answer has begun.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Every route, each behind its door.
pub fn router(service: Service) -> Router {
    let all = routes().into_iter().fold(Router::new(), |router, route| {
        let (path, handler) = route.behind_its_door(&service);
        router.route(path, handler)
    });
    all.fallback(routes::no_such_route)
        .method_not_allowed_fallback(routes::no_such_method)
        .layer(from_fn(http::guarded))
        .with_state(service)
}
