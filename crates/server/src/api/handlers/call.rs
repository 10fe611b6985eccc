//! Calls the service away from the asynchronous threads, and makes an answer of what it says.

use crate::api::problem::answer;
use crate::service::{Caller, Service};
use crate::service_error::ServiceError;
use axum::extract::Extension;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use octo_core::Error;
use serde::Serialize;

pub(in crate::api) type From = Extension<Caller>;

/// Asks the service, away from the asynchronous threads.
pub(in crate::api) async fn ask<T: Send + 'static>(
    service: Service,
    question: impl FnOnce(&Service) -> Result<T, ServiceError> + Send + 'static,
) -> Result<T, ServiceError> {
    let answered = tokio::task::spawn_blocking(move || question(&service)).await;
    answered.unwrap_or_else(|_| Err(Error::panicked("the answer").into()))
}

pub(in crate::api) async fn respond<T: Serialize + Send + 'static>(
    service: Service,
    status: StatusCode,
    question: impl FnOnce(&Service) -> Result<T, ServiceError> + Send + 'static,
) -> Response {
    match ask(service, question).await {
        Ok(value) => answer(status, &value),
        Err(error) => error.into_response(),
    }
}

pub(in crate::api) async fn respond_empty(
    service: Service,
    change: impl FnOnce(&Service) -> Result<(), ServiceError> + Send + 'static,
) -> Response {
    match ask(service, change).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => error.into_response(),
    }
}

pub(in crate::api) fn caller(from: From) -> Caller {
    from.0
}
