//! The REST API under `/api/v1`: form and nothing else. Each route calls one method of the service.
//!
//! The only asynchronous room of the server. The service is synchronous and looks at a disk, so every call of it leaves the
//! asynchronous threads. Errors are problem details (RFC 9457). The other end, for the command line, is `crates/client`.
//!
//! [`routes`] is the one list of what there is, and who may call it; `auth` finds out who calls before anything else happens;
//! `handlers` read the request, call the service, and answer.

mod auth;
mod handlers;
mod http;
mod limits;
mod listener;
mod openapi;
mod origin;
mod page;
mod peer;
mod problem;
mod router;
mod routes;
mod socket;
mod stall;
mod tls;

pub use auth::Needs;
pub use http::Http;
pub use openapi::document as openapi;
pub use peer::Peer;
pub use router::router;
pub use routes::{Route, routes};
pub use tls::Tls;
