//! Handlers: setup, sessions, users, API tokens.

use super::call::{From, ask, caller, respond, respond_empty};
use crate::access::Secret;
use crate::api::auth::{AuthMethod, COOKIE, Identity};
use crate::api::peer::Peer;
use crate::api::problem::{Asked, Name, Sent, answer, secret_body};
use crate::service::{ByName, Service};
use crate::service_error::{Kind, ServiceError};
use axum::extract::{ConnectInfo, Extension, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use octo_api::access::{AddToken, LogOn, NewPassword, Session, SetUp, SetUpCode, SetUser, TOKEN_DAYS};

type Where = ConnectInfo<Peer>;

pub(in crate::api) async fn set_up(
    State(service): State<Service>,
    ConnectInfo(peer): Where,
    Sent(bytes): Sent,
) -> Response {
    let set_up = move |service: &Service| {
        let given: SetUp = secret_body(&bytes, r#"{"code": "octo_...", "user": "NAME", "password": "..."}"#)?;
        service.set_up(peer.address(), &given.code, &given.user, &given.password)
    };
    respond(service, StatusCode::CREATED, set_up).await
}

pub(in crate::api) async fn check_setup(
    State(service): State<Service>,
    ConnectInfo(peer): Where,
    Sent(bytes): Sent,
) -> Response {
    let check = move |service: &Service| {
        let given: SetUpCode = secret_body(&bytes, r#"{"code": "octo_..."}"#)?;
        service.check_setup(peer.address(), &given.code)
    };
    respond_empty(service, check).await
}

/// Who asks, and what they may do.
pub(in crate::api) async fn session(Extension(identity): Extension<Identity>) -> Response {
    let (csrf, expires_at) = match &identity.method {
        AuthMethod::Session { secret, expires_at, .. } => {
            (Secret::parse(secret).map(|secret| secret.csrf()), Some(*expires_at))
        }
        AuthMethod::Socket | AuthMethod::Token => (None, None),
    };
    answer(StatusCode::OK, &Session { user: identity.caller.name, role: identity.role, csrf, expires_at })
}

pub(in crate::api) async fn log_on(
    State(service): State<Service>,
    ConnectInfo(peer): Where,
    Sent(bytes): Sent,
) -> Response {
    let from = peer.clone();
    let log_on = move |service: &Service| {
        let given: LogOn = secret_body(&bytes, r#"{"user": "NAME", "password": "..."}"#)?;
        service.log_on(from.address(), &given.user, &given.password)
    };
    match ask(service, log_on).await {
        Ok(begun) => {
            let (csrf, expires_at) = (Some(begun.secret.csrf()), Some(begun.expires_at));
            let session = Session { user: begun.user, role: begun.role, csrf, expires_at };
            let response = answer(StatusCode::CREATED, &session);
            with_cookie(response, begun.secret.reveal(), begun.lasts_secs, &peer)
        }
        Err(error) => error.into_response(),
    }
}

pub(in crate::api) async fn log_off(
    State(service): State<Service>,
    Extension(identity): Extension<Identity>,
    ConnectInfo(peer): Where,
) -> Response {
    let (_, secret) = match own_session(&identity) {
        Ok(own) => own,
        Err(error) => return error.into_response(),
    };
    match ask(service, move |service| service.log_off(&identity.caller, &secret)).await {
        Ok(()) => with_cookie(StatusCode::NO_CONTENT.into_response(), "", 0, &peer),
        Err(error) => error.into_response(),
    }
}

pub(in crate::api) async fn change_password(
    State(service): State<Service>,
    Extension(identity): Extension<Identity>,
    ConnectInfo(peer): Where,
    Sent(bytes): Sent,
) -> Response {
    let change = move |service: &Service| {
        let given: NewPassword = secret_body(&bytes, r#"{"old": "...", "new": "..."}"#)?;
        let (user, _) = own_session(&identity)?;
        service.change_password(peer.address(), &user, &given.old, &given.new)
    };
    respond_empty(service, change).await
}

fn own_session(identity: &Identity) -> Result<(String, Secret), ServiceError> {
    let none = || ServiceError::new(Kind::Conflict, "this is for users who logged on with a password");
    match &identity.method {
        AuthMethod::Session { user, secret, .. } => Ok((user.clone(), Secret::parse(secret).ok_or_else(none)?)),
        AuthMethod::Socket | AuthMethod::Token => Err(none()),
    }
}

/// No script can read it, no other site can have it sent along.
fn with_cookie(mut response: Response, secret: &str, lasts_secs: i64, peer: &Peer) -> Response {
    let secure = if peer.is_encrypted() { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={secret}; Path=/; Max-Age={lasts_secs}; HttpOnly; SameSite=Strict{secure}");
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => drop(response.headers_mut().insert(header::SET_COOKIE, cookie)),
        Err(_) => return ServiceError::new(Kind::Internal, "the cookie cannot be written").into_response(),
    }
    response
}

pub(in crate::api) async fn users(State(service): State<Service>, Asked(part): Asked<ByName>) -> Response {
    respond(service, StatusCode::OK, move |service| service.users(&part)).await
}

pub(in crate::api) async fn set_user(
    State(service): State<Service>,
    from: From,
    Name(name): Name,
    Sent(bytes): Sent,
) -> Response {
    let set = move |service: &Service| {
        let allowed = r#"{"role": "viewer" or "operator" or "administrator", "password": "..."}"#;
        let given: SetUser = secret_body(&bytes, allowed)?;
        service.set_user(&caller(from), &name, given.role, given.password.as_ref().map(|it| it.as_str()))
    };
    respond(service, StatusCode::OK, set).await
}

pub(in crate::api) async fn remove_user(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    respond_empty(service, move |service| service.remove_user(&caller(from), &name)).await
}

pub(in crate::api) async fn tokens(State(service): State<Service>, Asked(part): Asked<ByName>) -> Response {
    respond(service, StatusCode::OK, move |service| service.tokens(&part)).await
}

pub(in crate::api) async fn add_token(State(service): State<Service>, from: From, Sent(bytes): Sent) -> Response {
    let add = move |service: &Service| {
        let given: AddToken = crate::api::problem::body(&bytes)?;
        service.add_token(&caller(from), &given.name, given.role, given.days.unwrap_or(TOKEN_DAYS))
    };
    respond(service, StatusCode::CREATED, add).await
}

pub(in crate::api) async fn remove_token(State(service): State<Service>, from: From, Name(name): Name) -> Response {
    respond_empty(service, move |service| service.remove_token(&caller(from), &name)).await
}
