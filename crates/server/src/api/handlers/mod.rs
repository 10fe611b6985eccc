//! What each route does: reads the request, calls one method of the service, answers.

pub(super) mod access;
mod call;
pub(super) mod credentials;
pub(super) mod download;
pub(super) mod events;
pub(super) mod history;
pub(super) mod hosts;
pub(super) mod jobs;
pub(super) mod notify;
pub(super) mod runs;
pub(super) mod server;
pub(super) mod setup;

pub(super) use call::ask;
