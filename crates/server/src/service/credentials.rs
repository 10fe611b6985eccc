//! Named accounts. A secret goes in and never comes out.

use super::{Caller, Service, conflict};
use crate::job::{check_name, parse_account};
use crate::notify::MailServer;
use crate::notify::postman::MAIL_SERVER;
use crate::refusal::Refusal;
use crate::store::credentials::{self, Credential};
use crate::store::{audit, jobs, recipients, settings};

/// No password is longer.
const SECRET_BYTES_MAX: usize = 4096;

impl Service {
    /// All, by name.
    pub fn credentials(&self) -> Result<Vec<Credential>, Refusal> {
        self.shared.store.read(credentials::list)
    }

    /// Sets one, replacing what was there.
    pub fn set_credential(
        &self,
        caller: &Caller,
        name: &str,
        account: &str,
        secret: &str,
    ) -> Result<Credential, Refusal> {
        check_name(name)?;
        parse_account(account)?;
        if secret.is_empty() || secret.len() > SECRET_BYTES_MAX || secret.contains(['\0', '\n', '\r']) {
            return Err(Refusal::field("secret", format!("it must be one line of 1 to {SECRET_BYTES_MAX} bytes")));
        }
        let sealed = self.shared.vault.seal(name, secret)?;
        let credential =
            Credential { name: name.to_owned(), account: account.to_owned(), changed_at: self.shared.now() };
        self.shared.store.change(|db| {
            credentials::put(db, &credential, &sealed)?;
            audit::add(db, credential.changed_at, &caller.name, "credential.set", name, account)
        })?;
        Ok(credential)
    }

    /// Removes one that no job uses.
    pub fn remove_credential(&self, caller: &Caller, name: &str) -> Result<(), Refusal> {
        self.shared.store.change(|db| {
            if let Some(job) = jobs::list(db)?.iter().find(|job| job.spec.credential.as_deref() == Some(name)) {
                return Err(conflict(format!("the job {} uses {name}", job.spec.name)));
            }
            if let Some(them) = recipients::list(db)?.iter().find(|them| them.credential.as_deref() == Some(name)) {
                return Err(conflict(format!("the recipient {} uses {name}", them.name)));
            }
            let server =
                settings::get(db, MAIL_SERVER)?.map(|text| serde_json::from_str::<MailServer>(&text)).transpose()?;
            if server.is_some_and(|server| server.credential.as_deref() == Some(name)) {
                return Err(conflict(format!("the mail server uses {name}")));
            }
            if !credentials::remove(db, name)? {
                return Err(Refusal::not_found("credential", name));
            }
            audit::add(db, self.shared.now(), &caller.name, "credential.remove", name, "")
        })
    }
}
