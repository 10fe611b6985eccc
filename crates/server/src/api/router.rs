//! The router: every route behind its authorisation, and what every answer says to a browser.

use super::handlers::server::{Document, no_such_method, no_such_route};
use super::limits::ANSWER_WITHIN;
use super::openapi;
use super::origin::Names;
use super::peer::Peer;
use super::routes::routes;
use crate::service::Service;
use crate::service_error::{Kind, ServiceError};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use std::sync::Arc;

/// Every route of the API.
pub fn router(service: Service) -> Router {
    let all = routes().into_iter().fold(Router::new(), |router, route| {
        let (path, handler) = route.authorized(&service);
        router.route(path, handler)
    });
    all.fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(Extension(Document(Arc::new(openapi::document()))))
        .layer(from_fn(guarded))
        .with_state(service)
}

/// What every answer says to a browser, and how long an answer may take.
async fn guarded(ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    let late = |_| ServiceError::new(Kind::Internal, "it took too long").into_response();
    let names = request.extensions().get::<Arc<Names>>();
    let mut response = match names.map_or(Ok(()), |names| names.check(request.version(), request.headers())) {
        Ok(()) => tokio::time::timeout(ANSWER_WITHIN, next.run(request)).await.unwrap_or_else(late),
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    let mut say = |name: header::HeaderName, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    say(header::CACHE_CONTROL, "no-store");
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::X_FRAME_OPTIONS, "DENY");
    say(header::REFERRER_POLICY, "no-referrer");
    // A report's page brings its own style and plots, and nothing else.
    say(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    say(header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if peer.is_encrypted() {
        say(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}
