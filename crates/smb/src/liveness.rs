//! Ends what waits for an answer of a connection that is dead.
//!
//! The client library tells everybody who waits when a connection dies, but one who begins to wait at that very moment
//! can be missed, and would wait for ever. A run must never hang, so we look ourselves.

use futures_util::future::{Either, select};
use octo_core::{Code, Error};
use smb2::client::connection::Connection;
use std::pin::pin;
use std::time::Duration;

/// How often it is looked whether the connection is dead.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long after its death every waiting request should have been ended.
const ENDED_WITHIN: Duration = Duration::from_secs(3);

/// What `work` gives, or [`Code::ConnectionLost`] some seconds after the connection died, or [`Code::TimedOut`] if its answer
/// does not come in time, whatever else the server says meanwhile: it may say for ever that it is still at it
/// (`STATUS_PENDING`), and the library then waits on. Only the final answer counts.
pub(crate) async fn while_alive<T>(
    conn: &Connection,
    answered_within: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    while_not(|| conn.is_disconnected(), (LOOK_EVERY, ENDED_WITHIN, answered_within), work).await
}

async fn while_not<T>(
    is_dead: impl Fn() -> bool,
    (look_every, ended_within, answered_within): (Duration, Duration, Duration),
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let death = async {
        while !is_dead() {
            tokio::time::sleep(look_every).await;
        }
        tokio::time::sleep(ended_within).await;
    };
    let (work, death) = (pin!(work), pin!(death));
    match tokio::time::timeout(answered_within, select(work, death)).await {
        Ok(Either::Left((done, _))) => done,
        Ok(Either::Right(_)) => Err(Error::new(Code::ConnectionLost, "")),
        Err(_) => {
            let what = format!("a request had no final answer for {} s", answered_within.as_secs());
            Err(Error::new(Code::TimedOut, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const MS: Duration = Duration::from_millis(1);
    const HOUR: Duration = Duration::from_secs(3600);

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    #[test]
    fn who_is_not_told_of_a_death_does_not_wait_for_ever() {
        let looks = Cell::new(0);
        let dies = || looks.replace(looks.get() + 1) == 5;
        let forgotten = std::future::pending::<Result<(), Error>>();
        assert_eq!(run(while_not(dies, (MS, MS, HOUR), forgotten)).unwrap_err().code, Code::ConnectionLost);
        assert_eq!(looks.get(), 6);
    }

    #[test]
    fn an_answer_that_is_put_off_for_ever_is_waited_for_only_so_long() {
        let put_off = std::future::pending::<Result<(), Error>>();
        assert_eq!(run(while_not(|| false, (MS, MS, 20 * MS), put_off)).unwrap_err().code, Code::TimedOut);
    }

    #[test]
    fn what_is_told_of_a_death_in_time_is_believed() {
        let ended = async {
            tokio::time::sleep(MS).await;
            Err::<(), _>(Error::new(Code::Insecure, "the reason"))
        };
        assert_eq!(run(while_not(|| true, (MS, HOUR, HOUR), ended)).unwrap_err().code, Code::Insecure);
    }

    #[test]
    fn a_slow_answer_of_a_living_connection_is_waited_for() {
        let answer = async {
            tokio::time::sleep(20 * MS).await;
            Ok(7)
        };
        assert_eq!(run(while_not(|| false, (MS, MS, HOUR), answer)).unwrap(), 7);
    }
}
