//! The page behind the setup link: a form for `POST /api/v1/setup`, and nothing else.

use crate::api::handlers::ask;
use crate::service::Service;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};

/// Its own script, which may send requests to this server only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The form; once there are users, what to do instead.
pub(in crate::api) async fn page(State(service): State<Service>) -> Response {
    let page = match ask(service, |service| service.awaits_setup()).await {
        Ok(true) => include_str!("page.html"),
        Ok(false) => include_str!("used.html"),
        Err(error) => return error.into_response(),
    };
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response()
}

pub(in crate::api) async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("page.js")).into_response()
}
