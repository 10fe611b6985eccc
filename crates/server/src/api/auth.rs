//! Authentication and authorisation: who calls a route, and may they?
//!
//! Who comes over the local socket is known by the kernel, and was let in by its permissions: an administrator. Who comes
//! over the network shows an API token, or the cookie of a session; with a cookie, changes need the session's CSRF token too,
//! because other sites can make a browser send cookies. Nothing of the request's body is read before.

use super::handlers::ask;
use super::listener::Place;
use super::peer::Peer;
use crate::access::{Role, Secret};
use crate::moment::Moment;
use crate::service::{Caller, Service};
use crate::service_error::{Kind, ServiceError};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// The cookie of a session.
pub(super) const COOKIE: &str = "octobackup_session";
/// Where a page sends the CSRF token.
pub(super) const CSRF_HEADER: &str = "x-csrf-token";

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Anybody who reaches the server: there is nothing to learn or to change without a secret in the request.
    Nobody,
    /// Somebody known, with this role or one above.
    Role(Role),
}

/// What one route needs to check who calls it.
#[derive(Clone)]
pub(super) struct Authorization {
    pub service: Service,
    pub needs: Needs,
}

/// Who called, once that is known.
#[derive(Clone)]
pub(super) struct Identity {
    /// For the audit log.
    pub caller: Caller,
    /// What they may do.
    pub role: Role,
    /// How they proved who they are.
    pub method: AuthMethod,
}

/// How somebody proved who they are.
#[derive(Clone)]
pub(super) enum AuthMethod {
    /// The kernel says so.
    Socket,
    /// An API token.
    Token,
    /// A session: of this user, with this secret in the cookie, until then.
    Session { user: String, secret: String, expires_at: Moment },
}

/// Checks that the caller may call the route, and passes the caller's identity to the handler.
pub(super) async fn authorize(
    State(route): State<Authorization>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    let place = request.extensions().get::<Place>().cloned();
    if let Needs::Role(needed) = route.needs {
        let is_change = !request.method().is_safe();
        match identify(&route.service, &peer, request.headers(), is_change)
            .await
            .and_then(|identity| enough(identity, needed))
        {
            Ok(identity) => {
                place.inspect(|place| place.set_known(true));
                request.extensions_mut().insert(identity.caller.clone());
                request.extensions_mut().insert(identity);
            }
            Err(error) => {
                place.inspect(|place| place.set_known(false));
                return error.into_response();
            }
        }
    }
    next.run(request).await
}

fn enough(identity: Identity, needed: Role) -> Result<Identity, ServiceError> {
    if identity.role >= needed {
        return Ok(identity);
    }
    Err(ServiceError::new(
        Kind::Forbidden,
        format!("this needs the role {needed}, and {} is {}", identity.caller.name, identity.role),
    ))
}

async fn identify(
    service: &Service,
    peer: &Peer,
    headers: &HeaderMap,
    is_change: bool,
) -> Result<Identity, ServiceError> {
    match peer {
        Peer::Local(Some(_)) => Ok(Identity {
            caller: Caller { name: peer.to_string() },
            role: Role::Administrator,
            method: AuthMethod::Socket,
        }),
        Peer::Local(None) => Err(ServiceError::new(
            Kind::Forbidden,
            "the operating system did not report which user is connected to the socket",
        )),
        Peer::Remote { .. } => match bearer(headers) {
            Ok(Some(secret)) => of_token(service, peer, secret).await,
            Err(error) => Err(token_refused(service, peer, error).await),
            Ok(None) => of_session(service, headers, is_change).await,
        },
    }
}

async fn of_token(service: &Service, peer: &Peer, secret: Secret) -> Result<Identity, ServiceError> {
    let Some(token) = ask(service.clone(), move |service| service.token(&secret)).await? else {
        return Err(token_refused(service, peer, unknown("the API token is not known, or has expired")).await);
    };
    Ok(Identity {
        caller: Caller { name: format!("token {}", token.name) },
        role: token.role,
        method: AuthMethod::Token,
    })
}

/// It comes to the audit log; what was sent does not.
async fn token_refused(service: &Service, peer: &Peer, error: ServiceError) -> ServiceError {
    let from = peer.address();
    let noted = ask(service.clone(), move |service| service.refused("token.refused", "unknown", from)).await;
    noted.err().unwrap_or(error)
}

async fn of_session(service: &Service, headers: &HeaderMap, is_change: bool) -> Result<Identity, ServiceError> {
    let secret = cookie(headers).ok_or_else(|| unknown("log on, or send an API token: Authorization: Bearer TOKEN"))?;
    let sent = headers.get(CSRF_HEADER).map(|value| value.as_bytes());
    let is_ours = sent.and_then(|sent| std::str::from_utf8(sent).ok()).is_some_and(|sent| secret.is_csrf(sent));
    let text = secret.reveal().to_owned();
    let session = ask(service.clone(), move |service| service.session(&secret)).await?;
    let (user, role, expires_at) = session.ok_or_else(|| unknown("the session has ended; log on again"))?;
    if is_change && !is_ours {
        return Err(ServiceError::new(
            Kind::Forbidden,
            "a change needs the session's csrf token in the header X-CSRF-Token",
        ));
    }
    let method = AuthMethod::Session { user: user.clone(), secret: text, expires_at };
    Ok(Identity { caller: Caller { name: user }, role, method })
}

fn unknown(why: &str) -> ServiceError {
    ServiceError::new(Kind::Unauthenticated, why)
}

/// The API token that was sent; an error if something else was.
fn bearer(headers: &HeaderMap) -> Result<Option<Secret>, ServiceError> {
    let Some(sent) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let sent = sent.to_str().ok().and_then(|sent| sent.split_once(' '));
    let token = sent.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let secret = token.and_then(|(_, token)| Secret::parse(token.trim()));
    secret.map(Some).ok_or_else(|| unknown("allowed is Authorization: Bearer octo_..."))
}

/// The session that the browser says it has.
pub(super) fn cookie(headers: &HeaderMap) -> Option<Secret> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).and_then(|(_, value)| Secret::parse(value))
}
