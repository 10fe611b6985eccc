//! A run as it happens: server-sent events, until it ends.

use super::call::ask;
use super::runs::id;
use crate::api::problem::Name;
use crate::live::LiveEvent;
use crate::run::State as RunState;
use crate::service::Service;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// Where no event says that the run ended (it never began), its row does.
const LOOK_EVERY: Duration = Duration::from_secs(1);

struct Watch {
    service: Service,
    run: i64,
    events: Receiver<LiveEvent>,
    has_ended: bool,
}

/// The events of a run from now on; the last one is `end`.
pub(in crate::api) async fn events(State(service): State<Service>, Name(run): Name) -> Response {
    let run = match id(&run) {
        Ok(run) => run,
        Err(error) => return error.into_response(),
    };
    // Before the look at the row: what happens in between is not missed.
    let events = service.live().watch();
    let watch = Watch { service: service.clone(), run, events, has_ended: false };
    if let Err(error) = ask(service, move |service| service.run(run)).await {
        return error.into_response();
    }
    let events = stream::unfold(watch, |watch| watch.next());
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

impl Watch {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Watch)> {
        if self.has_ended {
            return None;
        }
        loop {
            match tokio::time::timeout(LOOK_EVERY, self.events.recv()).await {
                Ok(Ok(event)) if event.run == self.run => {
                    self.has_ended = event.is_last;
                    return Some((Ok(Event::default().data(&*event.data)), self));
                }
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Lagged(missed))) => {
                    let event = Event::default().data(format!(r#"{{"event":"missed","count":{missed}}}"#));
                    return Some((Ok(event), self));
                }
                Ok(Err(RecvError::Closed)) => return None,
                Err(_) => {
                    let run = self.run;
                    let state =
                        ask(self.service.clone(), move |service| service.run(run)).await.map(|view| view.run.state);
                    if state != Ok(RunState::Running) && state != Ok(RunState::Queued) {
                        self.has_ended = true;
                        return Some((Ok(Event::default().data(format!(r#"{{"event":"end","run":{run}}}"#))), self));
                    }
                }
            }
        }
    }
}
