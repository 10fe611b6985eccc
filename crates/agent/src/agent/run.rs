//! The agent: dials its server, answers until the connection ends, and dials again.
//!
//! It decides nothing and remembers nothing but who it is. Dialling gets slower while the server is away, and never
//! stops.

use crate::agent::answer_memory::AnswerMemory;
use crate::agent::identity::{Identity, connect};
use crate::agent::serving::{Roots, serve};
use crate::carrier::{ALPN_AGENT, First, race};
use crate::reactor::Reactor;
use crate::token::Token;
use octo_core::{Cancel, Code, Error};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Between two attempts, at first and at most.
const PAUSE_SECS: std::ops::RangeInclusive<u64> = 1..=60;
/// How often a connected agent asks itself whether its certificate is due.
const LOOK_AT_CERTIFICATE: Duration = Duration::from_secs(3600);

/// Pairs this machine with a server and keeps the identity in `path`. Replaces an identity that is there.
pub fn enroll(server: &str, token: &Token, path: &Path) -> Result<(), Error> {
    Reactor::start("agent")?.run(async { Identity::pair(server, token).await?.save(path) })
}

/// What happens to an agent, for its log.
#[derive(Debug)]
pub enum Event {
    /// It is connected to this server.
    Connected(String),
    /// It is not, for this reason, and tries again after the pause.
    Away(Error, Duration),
    /// It has a new certificate.
    Renewed,
}

/// Serves the server that this machine is paired with until `cancel`. Fails only if there is no identity.
pub fn run(path: &Path, roots: Arc<dyn Roots>, cancel: &Cancel, log: &dyn Fn(Event)) -> Result<(), Error> {
    let mut identity = Identity::load(path)?.ok_or_else(|| {
        let advice = "this machine is not paired; run `octobackup-agent enroll` with a token from the server";
        Error::new(Code::Usage, advice)
    })?;
    Reactor::start("agent")?.run(async {
        // What is left of a lost connection's answers counts with those of the next.
        let memory = Arc::<AnswerMemory>::default();
        let mut pauses = RedialBackoff::default();
        while !cancel.is_cancelled() {
            // A server that has asked something wants this agent; one that hangs up at once may not.
            let asked = AtomicBool::new(false);
            let ended = match race(once(&mut identity, path, &roots, &memory, &asked, log), cancelled(cancel)).await {
                First::One(ended) => ended,
                First::Other(()) => return Ok(()),
            };
            let error =
                ended.err().unwrap_or_else(|| crate::carrier::connection_lost("the server ended the connection"));
            let wait = jittered(pauses.next(asked.into_inner()));
            log(Event::Away(error, wait));
            let _ = race(tokio::time::sleep(wait), cancelled(cancel)).await;
        }
        Ok(())
    })
}

/// How long to wait before dialling again: twice as long each time in vain.
#[derive(Default)]
struct RedialBackoff {
    in_vain: u32,
}

impl RedialBackoff {
    /// After a connection that came to something, or did not.
    fn next(&mut self, was_good: bool) -> Duration {
        self.in_vain = if was_good { 0 } else { self.in_vain };
        let secs = PAUSE_SECS.start() << self.in_vain.min(PAUSE_SECS.end().ilog2() + 1);
        self.in_vain = self.in_vain.saturating_add(1);
        Duration::from_secs(secs.min(*PAUSE_SECS.end()))
    }
}

/// One connection, from dialling to its end.
async fn once(
    identity: &mut Identity,
    path: &Path,
    roots: &Arc<dyn Roots>,
    memory: &Arc<AnswerMemory>,
    asked: &AtomicBool,
    log: &dyn Fn(Event),
) -> Result<(), Error> {
    renew(identity, path, log).await?;
    let tls = connect(&identity.server, identity.config(ALPN_AGENT)?).await?;
    log(Event::Connected(identity.server.clone()));
    let keep_valid = async {
        loop {
            tokio::time::sleep(LOOK_AT_CERTIFICATE).await;
            if let Err(error) = renew(identity, path, log).await {
                return error;
            }
        }
    };
    match race(serve(tls, Arc::clone(roots), memory, asked), keep_valid).await {
        First::One(ended) => ended,
        First::Other(error) => Err(error),
    }
}

/// Gets another certificate when it is time. A connection may last longer than a certificate; the next one needs a valid
/// one.
async fn renew(identity: &mut Identity, path: &Path, log: &dyn Fn(Event)) -> Result<(), Error> {
    if !identity.is_due(crate::now()) {
        return Ok(());
    }
    // The present certificate still works for weeks if this fails.
    if let Ok(renewed) = identity.renew().await {
        renewed.save(path)?;
        *identity = renewed;
        log(Event::Renewed);
    }
    Ok(())
}

async fn cancelled(cancel: &Cancel) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Many agents that lost one server shall not come back in one moment: between half and all of it.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [0u8];
    // Without randomness they come at the same time, which a server survives.
    let _ = getrandom::fill(&mut byte);
    pause / 2 + pause * u32::from(byte[0]) / 510
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialling_in_vain_gets_slower_up_to_a_minute_and_a_good_connection_begins_anew() {
        let mut pauses = RedialBackoff::default();
        let secs: Vec<u64> = (0..100).map(|_| pauses.next(false).as_secs()).collect();
        assert_eq!(secs[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(secs[8..].iter().all(|secs| *secs == 60));
        assert_eq!([true, true, false].map(|good| pauses.next(good).as_secs()), [1, 1, 2]);
        for _ in 0..1000 {
            let wait = jittered(Duration::from_secs(60)).as_secs_f64();
            assert!((30.0..=60.0).contains(&wait), "{wait}");
        }
    }
}
