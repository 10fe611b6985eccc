//! Messages: who must get which, and that none is lost.

use super::carrier::Arrived;
use super::model::{Between, Holds, must};
use octo_api::notify::QueuedMessage;
use octo_core::{Code, RunReport};
use octo_server::notify::{Message, Recipient, When};
use octo_server::run::{Ended, Reason, Run, State};
use std::collections::BTreeMap;

/// An interrupted heartbeat is of no use after so long.
const HEARTBEAT_SECS_MAX: i64 = 900;

impl Between<'_> {
    /// Every recipient gets one message about each end that concerns them, and no other.
    pub fn messages(&self, may_test: bool) -> Holds {
        let new: Vec<&QueuedMessage> =
            self.after.messages.values().filter(|message| !self.before.messages.contains_key(&message.id)).collect();
        let mut wanted = Vec::new();
        for run in self.before.runs.values().filter(|run| run.state == State::Running) {
            let Some(is) = self.after.runs.get(&run.id) else { continue };
            let (Some(outcome), Some(report)) = (is.outcome, self.after.reports.get(&run.id)) else { continue };
            if outcome == Ended::Interrupted {
                self.goes_on(run)?;
            }
            self.retried(is, report)?;
            for them in self.before.recipients.values() {
                if !run.once.dry_run
                    && wants(them, self.told_as(run, outcome, report), self.is_tried_again(run, outcome))
                {
                    wanted.push((them.name.clone(), run.id));
                }
            }
        }
        let mut sent = Vec::new();
        for message in &new {
            match message.message {
                Message::Run(run) => sent.push((message.recipient.clone(), run)),
                Message::Test => must!(may_test, "a test that nobody asked for"),
                Message::Digest { since, until } => must!(since < until, "a digest of nothing: {message:?}"),
            }
        }
        sent.sort();
        wanted.sort();
        must!(sent == wanted, "messages about ends are {sent:?}, not {wanted:?}");
        self.after.messages.values().try_for_each(|message| self.message(message))
    }

    /// A message waits until somebody took it. It is given up only where it cannot reach anybody any more.
    fn message(&self, is: &QueuedMessage) -> Holds {
        let Some(was) = self.before.messages.get(&is.id) else { return Ok(()) };
        must!(
            was.message == is.message && was.recipient == is.recipient && was.queued_at == is.queued_at,
            "{was:?} is {is:?}"
        );
        if was.next_try_at.is_none() {
            must!(was == is, "a message that was done is another: {was:?} {is:?}");
        } else if is.next_try_at.is_none() && is.sent_at.is_none() {
            let them = self.before.recipients.get(&is.recipient);
            let is_late = self.now - is.queued_at.0 > HEARTBEAT_SECS_MAX / 2;
            let in_vain = match them {
                None => true,
                Some(them) if them.heartbeat.is_some() => is_late || is.tries > 4,
                Some(_) => matches!(is.message, Message::Run(run) if !self.after.runs.contains_key(&run)),
            };
            must!(in_vain, "a message was given up: {is:?}");
        }
        Ok(())
    }

    fn is_tried_again(&self, run: &Run, outcome: Ended) -> bool {
        let of_job = || self.after.of_job(run.job_id).filter(|other| !other.once.dry_run);
        let is_new = |other: &Run| !self.before.runs.contains_key(&other.id);
        of_job().any(|other| match outcome {
            Ended::Interrupted => {
                other.reason == Reason::Recovery && is_new(other)
                    || self.before.runs.get(&other.id).is_some_and(|was| was.state == State::Queued)
            }
            _ => other.reason == Reason::Retry && is_new(other),
        })
    }

    /// A run that failed for a cause that may pass is tried again as often as its job says, unless another one waits.
    fn retried(&self, run: &Run, report: &RunReport) -> Holds {
        let Some(job) = self.before.jobs.get(&run.job_id) else { return Ok(()) };
        let mut queued = self.before.of_job(job.id);
        let waits = queued.any(|other| other.state == State::Queued && !other.once.dry_run);
        // One that took too long was cancelled, and goes on.
        let passes = [Code::Unreachable, Code::Cancelled, Code::InternalError];
        let may_pass = report.causes.first().is_some_and(|cause| passes.contains(&cause.code));
        let by_itself = run.outcome == Some(Ended::Failed) && may_pass;
        let next = self
            .after
            .runs
            .values()
            .filter(|other| {
                other.job_id == job.id && !self.before.runs.contains_key(&other.id) && other.reason == Reason::Retry
            })
            .count();
        must!(next == 0 || by_itself && !waits && !run.once.dry_run && next == 1, "{next} retries of run {}", run.id);
        Ok(())
    }

    /// Held deletions that a person dismissed are no news.
    fn told_as(&self, run: &Run, outcome: Ended, report: &RunReport) -> Ended {
        let dismissed = self.before.jobs.get(&run.job_id).and_then(|job| job.dismissed_plan.as_ref());
        if outcome == Ended::Held && dismissed.is_some() && report.held_plan.as_ref() == dismissed {
            return if report.counts.problems > 0 { Ended::Warnings } else { Ended::Succeeded };
        }
        outcome
    }
}

fn wants(them: &Recipient, outcome: Ended, goes_on: bool) -> bool {
    let is_complete = matches!(outcome, Ended::Succeeded | Ended::Warnings | Ended::Held);
    if them.heartbeat.is_some() {
        return is_complete;
    }
    match (them.when, outcome) {
        (When::Always, _) | (When::Problems, Ended::Warnings | Ended::Held) => true,
        (When::Problems, Ended::Failed | Ended::Interrupted) => !goes_on,
        _ => false,
    }
}

/// What arrived: under one id as often as the answer was lost, and never after it was known to be taken.
pub fn arrivals(
    before: &BTreeMap<i64, QueuedMessage>,
    after: &BTreeMap<i64, QueuedMessage>,
    new: &[Arrived],
    all: &[Arrived],
) -> Holds {
    for arrived in new {
        let Some(id) = arrived.message else { continue };
        must!(
            before.get(&id).is_none_or(|message| message.sent_at.is_none()),
            "message {id} was taken, and came again"
        );
        must!(
            before.get(&id).is_none_or(|message| message.next_try_at.is_some()),
            "message {id} was given up, and came"
        );
        let mut same = all.iter().filter(|other| other.message == Some(id));
        let (times, tries) = (same.clone().count(), after.get(&id).map_or(0, |message| message.tries));
        must!(times <= tries as usize, "message {id} came {times} times, of {tries} tries that are written down");
        must!(same.all(|other| other.way != arrived.way || other.id == arrived.id), "message {id} came under two ids");
    }
    Ok(())
}

/// At the end everything that waited before `now` was taken, or there was a reason. A run that ends now is told at the next look.
pub fn delivered(
    messages: &BTreeMap<i64, QueuedMessage>,
    recipients: &BTreeMap<String, Recipient>,
    all: &[Arrived],
    now: i64,
) -> Holds {
    for message in messages.values().filter(|message| message.queued_at.0 < now) {
        must!(message.next_try_at.is_none(), "a message still waits: {message:?}");
        let is_heartbeat = recipients.get(&message.recipient).is_some_and(|them| them.heartbeat.is_some());
        let came = all.iter().any(|arrived| arrived.message == Some(message.id));
        let was_heartbeat = all.iter().any(|arrived| arrived.message.is_none());
        must!(
            message.sent_at.is_none() || came || is_heartbeat || was_heartbeat,
            "a message is said to be taken: {message:?}"
        );
    }
    Ok(())
}
