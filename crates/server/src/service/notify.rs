//! Recipients, the mail server, and the outbox.

use super::credential_uses::claim;
use super::{ByName, Caller, PAGE_MAX, Service};
use crate::notify::{self, MAIL_SERVER, MailServer, Message, Recipient};
use crate::service_error::ServiceError;
use crate::store::{audit, credentials, jobs, outbox, recipients, settings};
use octo_api::credential::{CredentialUse, Purpose};
use octo_api::notify::QueuedMessage;
use rusqlite::Connection;

/// More than anybody keeps an overview of.
const RECIPIENTS_MAX: usize = 200;

impl Service {
    /// Recipients, by name.
    pub fn recipients(&self, part: &ByName) -> Result<Vec<Recipient>, ServiceError> {
        Ok(part.of(self.shared.store.read(recipients::list)?, |recipient| &recipient.name))
    }

    /// Sets one, replacing what was there.
    pub fn set_recipient(&self, caller: &Caller, recipient: &Recipient) -> Result<Recipient, ServiceError> {
        notify::check(recipient)?;
        let now = self.shared.now();
        self.shared.store.change(|db| {
            known(db, recipient.credential.as_deref())?;
            if let (Some(name), Some(url)) = (&recipient.credential, &recipient.webhook) {
                claim(db, caller, name, Some(&CredentialUse::webhook(url)), now)?;
            }
            for name in recipient.jobs.iter().flatten() {
                if jobs::get(db, name)?.is_none() {
                    return Err(ServiceError::field("jobs", format!("there is no job {name}")));
                }
            }
            let all = recipients::list(db)?;
            if all.len() >= RECIPIENTS_MAX && all.iter().all(|other| other.name != recipient.name) {
                return Err(super::conflict(format!("there are {RECIPIENTS_MAX} recipients already")));
            }
            recipients::put(db, recipient, now)?;
            outbox::hurry(db, now)?;
            let detail = serde_json::to_string(recipient)?;
            audit::add(db, now, &caller.name, "recipient.set", &recipient.name, &detail)
        })?;
        self.shared.nudge_delivery();
        Ok(recipient.clone())
    }

    /// Removes one. What waits for them is given up.
    pub fn remove_recipient(&self, caller: &Caller, name: &str) -> Result<(), ServiceError> {
        self.shared.store.change(|db| {
            if !recipients::remove(db, name)? {
                return Err(ServiceError::not_found("recipient", name));
            }
            audit::add(db, self.shared.now(), &caller.name, "recipient.remove", name, "")
        })
    }

    /// Writes a message that says that it is a test.
    pub fn test_recipient(&self, caller: &Caller, name: &str) -> Result<QueuedMessage, ServiceError> {
        let now = self.shared.now();
        let message = self.shared.store.change(|db| {
            recipients::get(db, name)?.ok_or_else(|| ServiceError::not_found("recipient", name))?;
            let id = outbox::add(db, name, &Message::Test, now)?;
            audit::add(db, now, &caller.name, "recipient.test", name, "")?;
            outbox::get(db, id)
        })?;
        self.shared.nudge_delivery();
        message.ok_or_else(|| ServiceError::not_found("message", name))
    }

    /// The mail server, if there is one.
    pub fn mail_server(&self) -> Result<Option<MailServer>, ServiceError> {
        let text = self.shared.store.read(|db| settings::get(db, MAIL_SERVER))?;
        Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
    }

    /// Sets the mail server.
    pub fn set_mail_server(&self, caller: &Caller, server: &MailServer) -> Result<(), ServiceError> {
        notify::check_server(server)?;
        let text = serde_json::to_string(server)?;
        let now = self.shared.now();
        self.shared.store.change(|db| {
            known(db, server.credential.as_deref())?;
            if let Some(name) = &server.credential {
                claim(db, caller, name, Some(&CredentialUse::new(Purpose::Mail, &server.host)), now)?;
            }
            settings::put(db, MAIL_SERVER, &text)?;
            outbox::hurry(db, now)?;
            audit::add(db, now, &caller.name, "mail-server.set", "", &text)
        })?;
        self.shared.nudge_delivery();
        Ok(())
    }

    /// Messages that were sent and that wait, the newest first.
    pub fn outbox(&self, before: Option<i64>, limit: u32) -> Result<Vec<QueuedMessage>, ServiceError> {
        self.shared.store.read(|db| outbox::list(db, before, limit.min(PAGE_MAX)))
    }

    /// One message.
    pub fn message(&self, id: i64) -> Result<QueuedMessage, ServiceError> {
        self.shared.store.read(|db| outbox::get(db, id))?.ok_or_else(|| ServiceError::not_found("message", id))
    }
}

fn known(db: &Connection, credential: Option<&str>) -> Result<(), ServiceError> {
    match credential {
        Some(name) if credentials::get(db, name)?.is_none() => Err(ServiceError::field(
            "credential",
            format!("there is no credential {name}; add it with: octobackup credential set"),
        )),
        _ => Ok(()),
    }
}
