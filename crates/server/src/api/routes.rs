//! Every route there is, and who may call it: the one list that the router, the tests and the documents come from.

use super::auth::{Authorization, Needs, authorize};
use super::handlers::{access, credentials, download, events, history, hosts, jobs, notify, runs, server, setup};
use super::limits::{BODY_BYTES_MAX, STRANGERS_BODY_BYTES_MAX};
use crate::access::Role;
use crate::service::Service;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};

/// A route.
pub struct Route {
    /// How it is asked.
    pub method: Method,
    /// Where it is.
    pub path: &'static str,
    /// Who may call it.
    pub needs: Needs,
    handler: MethodRouter<Service>,
}

impl Route {
    fn new<H: Handler<T, Service>, T: 'static>(method: Method, path: &'static str, needs: Needs, handler: H) -> Route {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        Route { method, path, needs, handler: on(filter, handler) }
    }

    /// For the router: behind its authorisation, and with the limit of its body.
    pub(super) fn authorized(self, service: &Service) -> (&'static str, MethodRouter<Service>) {
        let authorization = Authorization { service: service.clone(), needs: self.needs };
        let handler: MethodRouter<Service> = self.handler.layer(from_fn_with_state(authorization, authorize));
        let is_for_strangers = self.needs == Needs::Nobody;
        let limit = if is_for_strangers { STRANGERS_BODY_BYTES_MAX } else { BODY_BYTES_MAX };
        (self.path, handler.layer(DefaultBodyLimit::max(limit)))
    }
}

const ANYBODY: Needs = Needs::Nobody;
const VIEWER: Needs = Needs::Role(Role::Viewer);
const OPERATOR: Needs = Needs::Role(Role::Operator);
const ADMINISTRATOR: Needs = Needs::Role(Role::Administrator);

fn get<H: Handler<T, Service>, T: 'static>(path: &'static str, needs: Needs, handler: H) -> Route {
    Route::new(Method::GET, path, needs, handler)
}

fn post<H: Handler<T, Service>, T: 'static>(path: &'static str, needs: Needs, handler: H) -> Route {
    Route::new(Method::POST, path, needs, handler)
}

fn put<H: Handler<T, Service>, T: 'static>(path: &'static str, needs: Needs, handler: H) -> Route {
    Route::new(Method::PUT, path, needs, handler)
}

fn delete<H: Handler<T, Service>, T: 'static>(path: &'static str, needs: Needs, handler: H) -> Route {
    Route::new(Method::DELETE, path, needs, handler)
}

/// The past of a mirror, and the way back.
fn of_states() -> Vec<Route> {
    vec![
        post("/api/v1/jobs/{name}/restores", OPERATOR, jobs::start_restore),
        get("/api/v1/jobs/{name}/states", VIEWER, history::states),
        // Names of files are data, as their content is: a token that only watches does not see them.
        get("/api/v1/jobs/{name}/states/{state}/list", OPERATOR, history::list),
        get("/api/v1/jobs/{name}/states/{state}/diff", OPERATOR, history::diff),
        get("/api/v1/jobs/{name}/states/{state}/download", OPERATOR, download::download),
        get("/api/v1/jobs/{name}/find", OPERATOR, history::find),
        get("/api/v1/jobs/{name}/versions", OPERATOR, history::versions),
    ]
}

/// Every route.
pub fn routes() -> Vec<Route> {
    let mut all = of_states();
    all.extend(of_server());
    all
}

fn of_server() -> Vec<Route> {
    vec![
        get("/healthz", ANYBODY, server::healthz),
        get("/setup", ANYBODY, setup::page),
        get("/setup.js", ANYBODY, setup::script),
        get("/metrics", VIEWER, server::metrics),
        get("/api/v1/openapi.json", VIEWER, server::openapi),
        get("/api/v1/jobs", VIEWER, jobs::jobs),
        post("/api/v1/jobs", ADMINISTRATOR, jobs::add_job),
        get("/api/v1/jobs/{name}", VIEWER, jobs::job),
        put("/api/v1/jobs/{name}", ADMINISTRATOR, jobs::change_job),
        delete("/api/v1/jobs/{name}", ADMINISTRATOR, jobs::remove_job),
        post("/api/v1/jobs/{name}/pause", OPERATOR, jobs::pause_job),
        post("/api/v1/jobs/{name}/resume", OPERATOR, jobs::resume_job),
        post("/api/v1/jobs/{name}/dismiss", OPERATOR, jobs::dismiss),
        post("/api/v1/jobs/{name}/runs", OPERATOR, jobs::start_run),
        get("/api/v1/jobs/{name}/slots", VIEWER, jobs::slots),
        get("/api/v1/runs", VIEWER, runs::runs),
        get("/api/v1/runs/{id}", VIEWER, runs::run),
        get("/api/v1/runs/{id}/report", VIEWER, runs::report),
        get("/api/v1/runs/{id}/summary", VIEWER, runs::run_summary),
        get("/api/v1/runs/{id}/page", VIEWER, runs::page),
        get("/api/v1/runs/{id}/problems", VIEWER, runs::problems),
        get("/api/v1/runs/{id}/log", VIEWER, runs::run_log),
        post("/api/v1/runs/{id}/cancel", OPERATOR, runs::cancel_run),
        get("/api/v1/runs/{id}/events", VIEWER, events::events),
        get("/api/v1/credentials", VIEWER, credentials::credentials),
        put("/api/v1/credentials/{name}", ADMINISTRATOR, credentials::set_credential),
        delete("/api/v1/credentials/{name}", ADMINISTRATOR, credentials::remove_credential),
        post("/api/v1/credentials/{name}/test", ADMINISTRATOR, credentials::test_credential),
        put("/api/v1/credentials/{name}/uses", ADMINISTRATOR, credentials::set_credential_uses),
        get("/api/v1/jobs-file", VIEWER, jobs::export),
        post("/api/v1/jobs-file", ADMINISTRATOR, jobs::apply),
        get("/api/v1/hosts", VIEWER, hosts::hosts),
        post("/api/v1/hosts", ADMINISTRATOR, hosts::add_host),
        get("/api/v1/hosts/{name}", VIEWER, hosts::host),
        post("/api/v1/hosts/{name}/revoke", ADMINISTRATOR, hosts::revoke_host),
        // An address to call may hold a key: only administrators see recipients and what waits for them.
        get("/api/v1/recipients", ADMINISTRATOR, notify::recipients),
        put("/api/v1/recipients/{name}", ADMINISTRATOR, notify::set_recipient),
        delete("/api/v1/recipients/{name}", ADMINISTRATOR, notify::remove_recipient),
        post("/api/v1/recipients/{name}/test", ADMINISTRATOR, notify::test_recipient),
        get("/api/v1/digest", VIEWER, notify::digest),
        get("/api/v1/digest/schedule", VIEWER, notify::digest_schedule),
        put("/api/v1/digest/schedule", ADMINISTRATOR, notify::set_digest_schedule),
        get("/api/v1/mail-server", ADMINISTRATOR, notify::mail_server),
        put("/api/v1/mail-server", ADMINISTRATOR, notify::set_mail_server),
        get("/api/v1/outbox", ADMINISTRATOR, notify::outbox),
        get("/api/v1/outbox/{id}", ADMINISTRATOR, notify::message),
        get("/api/v1/defaults", VIEWER, server::defaults),
        put("/api/v1/defaults", ADMINISTRATOR, server::set_defaults),
        get("/api/v1/schedule", VIEWER, jobs::schedule),
        get("/api/v1/audit", ADMINISTRATOR, server::audit),
        post("/api/v1/backup", ADMINISTRATOR, server::back_up),
        get("/api/v1/self-check", ADMINISTRATOR, server::self_check),
        post("/api/v1/setup", ANYBODY, access::set_up),
        post("/api/v1/setup/check", ANYBODY, access::check_setup),
        get("/api/v1/session", VIEWER, access::session),
        post("/api/v1/session", ANYBODY, access::log_on),
        delete("/api/v1/session", VIEWER, access::log_off),
        put("/api/v1/session/password", VIEWER, access::change_password),
        get("/api/v1/users", ADMINISTRATOR, access::users),
        put("/api/v1/users/{name}", ADMINISTRATOR, access::set_user),
        delete("/api/v1/users/{name}", ADMINISTRATOR, access::remove_user),
        get("/api/v1/tokens", ADMINISTRATOR, access::tokens),
        post("/api/v1/tokens", ADMINISTRATOR, access::add_token),
        delete("/api/v1/tokens/{name}", ADMINISTRATOR, access::remove_token),
    ]
}
