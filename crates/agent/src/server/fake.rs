//! An agent that says whatever a test wants, over the real carrier.

use crate::agent::serving;
use crate::reactor::Reactor;
use crate::server::connections::Connections;
use crate::server::session::Session;
use crate::server::source::AgentSource;
use crate::wire::messages::{Introduction, Opened, Shape, json};
use bytes::Bytes;
use octo_core::Cancel;
use std::sync::Arc;
use std::time::Duration;

/// What is sent, piece by piece; it may have no end.
pub type Said = Box<dyn Iterator<Item = Bytes> + Send>;

/// A source whose agent answers listings, fetches and questions for links so: the request's path and body are given.
pub fn agent(say: impl Fn(&str, &[u8]) -> Said + Send + Sync + 'static) -> AgentSource {
    agent_until(Cancel::new(), say)
}

/// The same, for a run that may be cancelled.
pub fn agent_until(cancel: Cancel, say: impl Fn(&str, &[u8]) -> Said + Send + Sync + 'static) -> AgentSource {
    agent_that(false, cancel, say)
}

/// A source whose agent walks ahead.
pub fn walker(say: impl Fn(&str, &[u8]) -> Said + Send + Sync + 'static) -> AgentSource {
    agent_that(true, Cancel::new(), say)
}

fn agent_that(walks: bool, cancel: Cancel, say: impl Fn(&str, &[u8]) -> Said + Send + Sync + 'static) -> AgentSource {
    let reactor = Arc::new(Reactor::start("test").unwrap());
    let connections = Arc::new(Connections::default());
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let say = Arc::new(say);
    let link = reactor.run(async {
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(theirs).await.unwrap();
            while let Some(Ok((request, respond))) = connection.accept().await {
                let say = Arc::clone(&say);
                tokio::spawn(async move { answer(request, respond, walks, &*say).await });
            }
        });
        Session::begin(ours, std::net::Ipv4Addr::LOCALHOST.into()).await
    });
    let link = Arc::new(link.unwrap());
    reactor.run(async { Ok(connections.arrive("host", link).await) }).unwrap();
    AgentSource::open(reactor, connections, "host", "/", Duration::from_millis(200), cancel).unwrap()
}

async fn answer(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    walks: bool,
    say: &(dyn Fn(&str, &[u8]) -> Said + Send + Sync),
) {
    let path = request.uri().path().to_owned();
    let mut body = Vec::new();
    let mut stream = request.into_body();
    while let Some(Ok(piece)) = stream.data().await {
        let _ = stream.flow_control().release_capacity(piece.len());
        body.extend_from_slice(&piece);
    }
    let said = match &*path {
        "/v1/hello" => once(json(&Introduction {
            version: "\u{1b}[31mred".into(),
            host: "host".into(),
            system: String::new(),
            clock_ticks: i64::MIN,
            roots: vec![],
        })),
        "/v1/open" => once(json(&Opened::Ok(Shape {
            path: "/".into(),
            volume: "1".into(),
            folds_case: false,
            stable_ids: true,
            hides_unreadable: false,
            has_metadata: false,
            walks,
        }))),
        path => say(path, &body),
    };
    let mut stream = respond.send_response(http::Response::new(()), false).unwrap();
    for piece in said {
        if serving::send(&mut stream, piece).await.is_err() {
            return;
        }
    }
    let _ = stream.send_data(Bytes::new(), true);
}

fn once(bytes: Vec<u8>) -> Said {
    Box::new(std::iter::once(bytes.into()))
}
