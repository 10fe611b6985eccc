//! Calls the service away from the asynchronous threads, and makes an answer of what it says.

use crate::api::problem::answer;
use crate::refusal::{Kind, Refusal};
use crate::service::{Caller, Service};
use axum::extract::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

pub(in crate::api) type From = Extension<Caller>;

/// Asks the service, away from the asynchronous threads.
pub(in crate::api) async fn ask<T: Send + 'static>(
    service: Service,
    question: impl FnOnce(&Service) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let answered = tokio::task::spawn_blocking(move || question(&service)).await;
    answered.unwrap_or_else(|_| Err(Refusal::new(Kind::Internal, "the program has a defect: a panic")))
}

pub(in crate::api) async fn told<T: Serialize + Send + 'static>(
    service: Service,
    status: StatusCode,
    question: impl FnOnce(&Service) -> Result<T, Refusal> + Send + 'static,
) -> Response {
    match ask(service, question).await {
        Ok(value) => answer(status, &value),
        Err(refusal) => refusal.into_response(),
    }
}

pub(in crate::api) async fn done(
    service: Service,
    change: impl FnOnce(&Service) -> Result<(), Refusal> + Send + 'static,
) -> Response {
    match ask(service, change).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

pub(in crate::api) fn caller(from: From) -> Caller {
    from.0
}
