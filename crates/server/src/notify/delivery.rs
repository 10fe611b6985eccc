//! Delivers messages from the outbox to their recipients.
//!
//! As every chore: [`Delivery::activate`] may be called at any time, looks at what is there and does what is missing. A
//! message is done only when the other side has taken it.

use super::carrier::{Carrier, Network};
use super::mail::Text;
use super::recipient::JOB;
use super::{MAIL_SERVER, MailServer, Message, Recipient, WAIT_SECS_MAX, Way, next_try};
use crate::app_state::AppState;
use crate::notify;
use crate::report;
use crate::service::Service;
use crate::service_error::ServiceError;
use crate::store::{credentials, outbox, recipients, settings};
use octo_api::credential::{CredentialUse, Purpose};
use octo_api::notify::QueuedMessage;
use octo_core::Cancel;
use octo_job::schedule::zone;
use octo_report::{Document, html, text};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;
use std::time::Duration;
use zeroize::Zeroizing;

/// Messages looked at in one go: those of a way that is silent must not hide those of others.
const LETTERS_MAX: u32 = 1000;
/// Ways on which messages are out at once.
const WAYS_MAX: usize = 16;
/// The delivery looks at least so often.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(100);
/// Takes messages away.
pub struct Delivery {
    shared: Arc<AppState>,
    service: Service,
    carrier: Box<dyn Carrier>,
    /// The ways on which messages are out.
    out: Mutex<BTreeSet<String>>,
    /// The messages that are out: one whose way was changed meanwhile is due by another way too.
    in_flight: Mutex<BTreeSet<i64>>,
    /// What went wrong with the store meanwhile.
    troubles: Mutex<Vec<ServiceError>>,
}

/// Somebody is out on a way until this is dropped.
struct Out<'a> {
    delivery: &'a Delivery,
    way: String,
}

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.delivery.out.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.way);
    }
}

/// Somebody is out with a message until this is dropped.
struct InFlight<'a> {
    delivery: &'a Delivery,
    id: i64,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.delivery.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Messages of one channel wait for each other: the mail server, or the host of an address.
fn way_of(recipient: Option<&Recipient>) -> String {
    let url = recipient.and_then(|recipient| recipient.webhook.as_deref().or(recipient.heartbeat.as_deref()));
    url.map_or_else(|| "mail".to_owned(), |url| CredentialUse::webhook(url).to_string())
}

/// Why a message was not taken.
enum Trouble {
    /// It may be taken later.
    NotNow(String),
    /// It can never be delivered.
    Never(String),
}

impl From<ServiceError> for Trouble {
    fn from(error: ServiceError) -> Trouble {
        Trouble::NotNow(error.to_string())
    }
}

impl From<String> for Trouble {
    fn from(why: String) -> Trouble {
        Trouble::NotNow(why)
    }
}

impl Delivery {
    /// Does nothing yet.
    pub fn new(shared: Arc<AppState>) -> Delivery {
        Delivery::with_carrier(shared, Box::new(Network))
    }

    /// The same, by other ways.
    pub fn with_carrier(shared: Arc<AppState>, carrier: Box<dyn Carrier>) -> Delivery {
        let service = Service::new(shared.clone());
        let (out, in_flight, troubles) = (Mutex::default(), Mutex::default(), Mutex::default());
        Delivery { service, shared, carrier, out, in_flight, troubles }
    }

    /// Works until it is stopped; the messages under way are finished.
    pub fn work(&self, stop: &Cancel, complain: &dyn Fn(&ServiceError)) {
        if let Err(error) = self.hurry() {
            complain(&error);
        }
        std::thread::scope(|threads| {
            while !stop.is_cancelled() {
                if let Err(error) = self.begin(threads, stop) {
                    complain(&error);
                }
                for _ in 0..LOOK_EVERY.as_millis() / STEP.as_millis() {
                    if self.shared.wait_for_message(STEP) || stop.is_cancelled() {
                        break;
                    }
                }
                self.troubles().drain(..).for_each(|error| complain(&error));
            }
        });
    }

    /// What waits is due at once: who restarts the server may have fixed the cause.
    pub fn hurry(&self) -> Result<(), ServiceError> {
        let now = self.shared.now();
        self.shared.store.change(|db| outbox::hurry(db, now))
    }

    /// Takes away what is due, one way after the other.
    pub fn activate(&self, stop: &Cancel) -> Result<(), ServiceError> {
        self.due()?.into_values().map(|messages| self.take(messages, stop)).fold(Ok(()), Result::and)
    }

    /// Begins to take away what is due, by all ways at once: messages of one way wait for each other only. A way
    /// on which somebody is out still is left to them.
    fn begin<'scope>(
        &'scope self,
        threads: &'scope Scope<'scope, '_>,
        stop: &'scope Cancel,
    ) -> Result<(), ServiceError> {
        for (way, messages) in self.due()? {
            let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
            if out.len() < WAYS_MAX && out.insert(way.clone()) {
                drop(out);
                let out = Out { delivery: self, way };
                threads.spawn(move || {
                    let delivery = out.delivery;
                    if let Err(error) = delivery.take(messages, stop) {
                        delivery.troubles().push(error);
                    }
                });
            }
        }
        Ok(())
    }

    /// Writes the digest if it is time, and returns what is due, by way.
    fn due(&self) -> Result<BTreeMap<String, Vec<QueuedMessage>>, ServiceError> {
        let now = self.shared.now();
        self.shared.store.change(|db| {
            let zone = crate::store::defaults::effective(db)?.zone()?;
            notify::tell_digest(db, &zone, now)
        })?;
        let due = self.shared.store.read(|db| outbox::due(db, now, WAIT_SECS_MAX, LETTERS_MAX))?;
        let mut ways: BTreeMap<String, Vec<QueuedMessage>> = BTreeMap::new();
        for message in due {
            let recipient = self.shared.store.read(|db| recipients::get(db, &message.recipient))?;
            ways.entry(way_of(recipient.as_ref())).or_default().push(message);
        }
        Ok(ways)
    }

    fn troubles(&self) -> MutexGuard<'_, Vec<ServiceError>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns nothing if the message is being delivered, or was since it was found due: it would be sent twice. The try is
    /// written down before it is made: where nothing can be written, no message is sent again and again.
    fn goes_out_with(&self, message: &QueuedMessage) -> Result<Option<InFlight<'_>>, ServiceError> {
        if !self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(message.id) {
            return Ok(None);
        }
        let out = InFlight { delivery: self, id: message.id };
        let now = self.shared.now();
        let next = next_try(false, message.queued_at, message.tries + 1, now).unwrap_or(now);
        let is_due = self.shared.store.change(|db| outbox::begin_try(db, message, next))?;
        Ok(is_due.then_some(out))
    }

    /// Messages of one way, one after the other.
    fn take(&self, messages: Vec<QueuedMessage>, stop: &Cancel) -> Result<(), ServiceError> {
        // One silent server costs its patience once, not once a message.
        let mut silent: Option<String> = None;
        for message in messages {
            if stop.is_cancelled() {
                break;
            }
            let Some(_out) = self.goes_out_with(&message)? else { continue };
            let recipient = self.shared.store.read(|db| recipients::get(db, &message.recipient))?;
            let is_heartbeat = recipient.as_ref().is_some_and(|recipient| recipient.heartbeat.is_some());
            let is_mail = recipient.as_ref().is_some_and(|recipient| recipient.mail.is_some());
            let done = match (&recipient, &silent) {
                (None, _) => Err(Trouble::Never("this recipient was removed".into())),
                (Some(_), Some(why)) if is_mail => Err(Trouble::NotNow(why.clone())),
                (Some(recipient), _) => self.deliver(recipient, &message),
            };
            if let (Err(Trouble::NotNow(why)), true) = (&done, is_mail) {
                silent = Some(why.clone());
            }
            let now = self.shared.now();
            self.shared.store.change(|db| match &done {
                Ok(()) => outbox::sent(db, message.id, now),
                Err(Trouble::Never(why)) => outbox::failed(db, message.id, why, None),
                Err(Trouble::NotNow(why)) => {
                    let next = next_try(is_heartbeat, message.queued_at, message.tries + 1, now);
                    outbox::failed(db, message.id, why, next)
                }
            })?;
        }
        Ok(())
    }

    fn deliver(&self, recipient: &Recipient, message: &QueuedMessage) -> Result<(), Trouble> {
        match super::recipient::way(recipient)? {
            Way::Heartbeat(url) => {
                let job = match message.message {
                    Message::Run(run) => self.service.run(run)?.run.job,
                    _ => "test".to_owned(),
                };
                Ok(self.carrier.heartbeat(&url.replace(JOB, &job))?)
            }
            Way::Webhook(url) => {
                let body = self.as_json(message)?;
                let used_for = CredentialUse::webhook(url);
                let secret = recipient.credential.as_deref().map(|name| self.account(name, &used_for)).transpose()?;
                let secret = secret.as_ref().map(|(_, secret)| secret.as_str());
                Ok(self.carrier.webhook(url, message.id, &body, secret)?)
            }
            Way::Mail(to) => {
                let server = self.shared.store.read(|db| settings::get(db, MAIL_SERVER))?;
                let Some(server) = server else {
                    return Err("there is no mail server yet; set it with: octobackup notify mail-server".to_owned())?;
                };
                let server: MailServer = serde_json::from_str(&server).map_err(ServiceError::from)?;
                let used_for = CredentialUse::new(Purpose::Mail, &server.host);
                let account = server.credential.as_deref().map(|name| self.account(name, &used_for)).transpose()?;
                Ok(self.carrier.mail(&server, account, to, self.as_mail(recipient, message)?)?)
            }
        }
    }

    /// A credential's name and secret, if it may be used for this.
    fn account(&self, name: &str, it: &CredentialUse) -> Result<(String, Zeroizing<String>), ServiceError> {
        let stored = self.shared.store.read(|db| {
            crate::service::check_credential_use(db, name, Some(it))?;
            Ok(credentials::get(db, name)?.zip(credentials::secret(db, name)?))
        })?;
        let (credential, sealed) =
            stored.ok_or_else(|| ServiceError::field("credential", format!("there is no credential {name}")))?;
        Ok((credential.account, self.shared.vault.unseal(name, &sealed)?))
    }

    fn as_json(&self, message: &QueuedMessage) -> Result<String, Trouble> {
        let mut body = match &message.message {
            Message::Test => json!({"event": "test"}),
            Message::Run(run) => {
                let it = self.service.summary(*run).map_err(gone)?;
                json!({"event": "run", "run": it.run.id, "job": it.run.job, "outcome": it.run.outcome, "report": it})
            }
            Message::Digest { since, until } => {
                json!({"event": "digest", "digest": self.service.digest(*since, *until)?})
            }
        };
        body["delivery"] = message.id.into();
        body["queued_at"] = json!(message.queued_at);
        Ok(body.to_string())
    }

    fn as_mail(&self, recipient: &Recipient, message: &QueuedMessage) -> Result<Text, Trouble> {
        let defaults = self.shared.store.read(crate::store::defaults::effective)?;
        let zone = match &recipient.time_zone {
            Some(name) => zone(name)?,
            None => defaults.zone().map_err(ServiceError::from)?,
        };
        let id = format!("octobackup.{}.{}", message.queued_at.0, message.id);
        let document = match &message.message {
            Message::Test => Document::message("a test", "This is a test: mail from octoBackup arrives here."),
            Message::Run(run) => report::document(&self.service.summary(*run).map_err(gone)?, &zone),
            Message::Digest { since, until } => {
                report::digest_document::document(&self.service.digest(*since, *until)?, &zone)
            }
        };
        let (subject, text, html) = (document.subject(), text::render(&document), html::render(&document));
        Ok(Text { id, subject, text, html })
    }
}

/// What the message is about does not exist any more.
fn gone(error: ServiceError) -> Trouble {
    match error.kind {
        crate::service_error::Kind::NotFound => Trouble::Never("the run was removed from the history".into()),
        _ => error.into(),
    }
}
