//! Notifications: which recipient gets which message, and how it is delivered.
//!
//! [`tell_run`] writes messages into the outbox, in the transaction that ends the run; the [`delivery`] takes them to mail
//! servers and web addresses, and tries until they are taken. So a message may come twice (the server died between the
//! taking and its note of it) and is never lost; its id is the same both times. Words and decisions here are pure.
//!
//! Never: a secret in a message, in an error or in an address that is shown.

#[cfg(unix)]
pub mod carrier;
#[cfg(unix)]
pub mod delivery;
#[cfg(unix)]
pub mod mail;
mod recipient;
#[cfg(unix)]
mod web;

pub use octo_api::notify::{MailServer, Message, Recipient, Security, Way, When};
#[cfg(unix)]
pub(crate) use recipient::MAIL_SERVER;
pub use recipient::{check, check_server};

use crate::moment::Moment;
use crate::run::{Ended, Run, RunKind};
use crate::service_error::ServiceError;
use crate::store::{outbox, recipients, settings};
use octo_job::schedule::{self, Schedule, TimeZone};
use rusqlite::Connection;

/// The wait after the first failure; each next one is twice as long.
const WAIT_SECS: i64 = 30;
/// The longest wait between two tries: everything is delivered within an hour after the cause has passed.
pub(crate) const WAIT_SECS_MAX: i64 = 3600;
/// The setting that says when the digest is sent.
pub(crate) const DIGEST_SCHEDULE: &str = "digest-schedule";
/// Its default.
pub(crate) const DIGEST_USUAL: &str = "daily 07:00";
/// The word for no digest.
pub(crate) const DIGEST_NEVER: &str = "never";
/// The setting that remembers up to when digests were written.
pub(crate) const DIGEST_UNTIL: &str = "digest-until";
/// A digest looks back at most so far.
const DIGEST_SECS_MAX: i64 = 31 * 86_400;
/// A heartbeat that comes later would say that something is alive which may be dead by now.
const HEARTBEAT_SECS_MAX: i64 = 900;

/// Notes whether the digest is due, and writes its messages. Of several that were missed only the latest is written; it
/// tells of the whole time.
pub fn tell_digest(db: &Connection, zone: &TimeZone, now: Moment) -> Result<bool, ServiceError> {
    let text = settings::get(db, DIGEST_SCHEDULE)?.unwrap_or_else(|| DIGEST_USUAL.to_owned());
    let until: Option<i64> = settings::get(db, DIGEST_UNTIL)?.and_then(|text| text.parse().ok());
    // A clock that was put back: nothing is sent twice, and nothing waits until the clock shows that time again.
    let since = until.map_or(now, Moment).min(now).max(now.plus_secs(-DIGEST_SECS_MAX));
    let is_due = text != DIGEST_NEVER
        && Schedule::parse(&text).is_ok_and(|schedule| !schedule::slots(&schedule, zone, since, now, 1).is_empty());
    if is_due {
        for recipient in recipients::list(db)?.iter().filter(|recipient| recipient.heartbeat.is_none()) {
            outbox::add(db, &recipient.name, &Message::Digest { since, until: now }, now)?;
        }
    }
    if is_due || until.is_none() {
        settings::put(db, DIGEST_UNTIL, &now.0.to_string())?;
    }
    Ok(is_due)
}

/// Whether a recipient wants a message about a run that ended so. `goes_on`: another try is queued already.
pub fn wants(recipient: &Recipient, job: &str, outcome: Ended, goes_on: bool) -> bool {
    if recipient.jobs.as_ref().is_some_and(|jobs| !jobs.iter().any(|name| name == job)) {
        return false;
    }
    let is_complete = outcome.is_complete();
    if recipient.heartbeat.is_some() {
        return is_complete;
    }
    match recipient.when {
        When::Always => true,
        // What a person stopped is known to a person; what is tried again is not a problem yet.
        When::Problems => !matches!(outcome, Ended::Succeeded | Ended::Cancelled) && (is_complete || !goes_on),
        When::Digest => false,
    }
}

/// Writes the messages about a run that ended. In the transaction that ends it. Who asks for a restore looks at it.
pub fn tell_run(db: &Connection, run: &Run, outcome: Ended, goes_on: bool, now: Moment) -> Result<(), ServiceError> {
    if run.once.dry_run || run.kind != RunKind::Backup {
        return Ok(());
    }
    let wants = |recipient: &&Recipient| {
        wants(recipient, &run.job, outcome, goes_on) && (recipient.heartbeat.is_none() || run.is_backup())
    };
    for recipient in recipients::list(db)?.iter().filter(wants) {
        outbox::add(db, &recipient.name, &Message::Run(run.id), now)?;
    }
    Ok(())
}

/// When a message that was tried `tries` times in vain is tried again; nothing, if it is of no use any more.
pub fn next_try(is_heartbeat: bool, queued_at: Moment, tries: u32, now: Moment) -> Option<Moment> {
    let factor = 1i64.checked_shl(tries.saturating_sub(1).min(32)).unwrap_or(i64::MAX);
    let next = now.plus_secs(WAIT_SECS.saturating_mul(factor).min(WAIT_SECS_MAX));
    (!is_heartbeat || next <= queued_at.plus_secs(HEARTBEAT_SECS_MAX)).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(when: When) -> Recipient {
        Recipient { name: "ops".into(), mail: Some(vec!["ops@example.com".into()]), when, ..Recipient::default() }
    }

    #[test]
    fn everybody_gets_what_they_asked_for() {
        use Ended::{Cancelled, Failed, Held, Interrupted, Succeeded, Warnings};
        let all = [Succeeded, Warnings, Held, Failed, Cancelled, Interrupted];
        let outcomes = |recipient: &Recipient, goes_on| {
            all.into_iter().filter(|outcome| wants(recipient, "a", *outcome, goes_on)).collect::<Vec<_>>()
        };
        assert_eq!(outcomes(&recipient(When::Always), true), all);
        assert_eq!(outcomes(&recipient(When::Problems), false), [Warnings, Held, Failed, Interrupted]);
        assert_eq!(outcomes(&recipient(When::Problems), true), [Warnings, Held], "another try is on its way");
        assert!(outcomes(&recipient(When::Digest), false).is_empty());
        let heartbeat = Recipient { mail: None, heartbeat: Some("https://x/y".into()), ..recipient(When::Problems) };
        assert_eq!(outcomes(&heartbeat, false), [Succeeded, Warnings, Held]);
        let other = Recipient { jobs: Some(vec!["b".into()]), ..recipient(When::Always) };
        assert!(outcomes(&other, false).is_empty());
    }

    #[test]
    fn waits_grow_to_an_hour_and_only_heartbeats_are_given_up() {
        let begun = Moment(1_000_000);
        let wait = |tries| next_try(false, begun, tries, begun).map(|at| at.0 - begun.0);
        assert_eq!([1, 2, 3, 7, 8, 400].map(wait), [30, 60, 120, 1920, 3600, 3600].map(Some));
        assert!(next_try(false, begun, 9999, begun.plus_secs(90 * 86_400)).is_some());
        assert!(next_try(true, begun, 1, begun).is_some());
        assert_eq!(next_try(true, begun, 5, begun.plus_secs(800)), None);
    }
}
