//! Named accounts. A secret goes in and never comes out.

use super::credential_uses::{check, claim, use_of};
use super::{ByName, Caller, Service, conflict};
use crate::app_state::AppState;
use crate::launch::open_source;
use crate::notify::MAIL_SERVER;
use crate::notify::MailServer;
use crate::service_error::ServiceError;
use crate::store::{audit, credential_uses, credentials, defaults, jobs, recipients, settings};
use octo_api::credential::{Credential, CredentialUse, Tested};
use octo_core::Account;
use octo_core::address::is_share_address;
use octo_core::advice::{Place, advice};
use octo_core::{Cancel, Entry, Error, ListSink, Listed, RelPath};
use octo_job::mirror_spec::MirrorSpec;
use octo_job::{JobSpec, check_name};
use octo_smb::Password;
use std::ops::ControlFlow;

/// No password is longer.
const SECRET_BYTES_MAX: usize = 4096;

impl Service {
    /// Logs on with a credential and lists a folder: of `source`, or of every job that uses it. Changes nothing there. At a host
    /// at which the credential may not be used, only with the password that is given for it.
    pub fn test_credential(
        &self,
        caller: &Caller,
        name: &str,
        source: Option<&str>,
        given: Option<&str>,
    ) -> Result<Vec<Tested>, ServiceError> {
        if source.is_some_and(|source| !is_share_address(source)) {
            return Err(ServiceError::field("source", "only a share needs a credential: //HOST/SHARE[/PATH]"));
        }
        let account = account(&self.shared, name)?;
        let now = self.shared.now();
        let (layer, specs) = self.shared.store.change(|db| {
            audit::add(db, now, &caller.name, "credential.test", name, source.unwrap_or_default())?;
            let using = jobs::list(db)?.into_iter().map(|job| job.spec);
            let using = using.filter(|spec| spec.credential.as_deref() == Some(name)).collect();
            Ok((defaults::effective(db)?, using))
        })?;
        let one = |source: &str| JobSpec {
            source: source.to_owned(),
            credential: Some(name.to_owned()),
            ..JobSpec::default()
        };
        let specs: Vec<JobSpec> = source.map_or(specs, |source| vec![one(source)]);
        if specs.is_empty() {
            return Err(ServiceError::field("source", format!("no job uses {name}; name a share: //HOST/SHARE")));
        }
        let mut tested: Vec<Tested> = Vec::new();
        for spec in specs {
            if tested.iter().any(|done| done.source == spec.source) {
                continue;
            }
            let mirror_spec = spec.mirror_spec(&spec.effective_policy(&layer)?, Some(&account))?;
            let password = match given {
                Some(given) => Password::new(given.to_owned()),
                None => self.password_for_test(caller, name, &mirror_spec)?,
            };
            let tried = open_source(&mirror_spec, Some(password), &Cancel::new()).and_then(|it| can_list(&*it));
            let detail = tried
                .as_ref()
                .err()
                .map(|error| format!("{error}. {}", advice(error.code, &spec.source, Place::Job(&spec.name))));
            tested.push(Tested { source: spec.source, works: tried.is_ok(), detail: detail.unwrap_or_default() });
        }
        Ok(tested)
    }

    fn password_for_test(
        &self,
        caller: &Caller,
        name: &str,
        mirror_spec: &MirrorSpec,
    ) -> Result<Password, ServiceError> {
        let wanted = use_of(mirror_spec);
        let now = self.shared.now();
        self.shared.store.change(|db| claim(db, caller, name, wanted.as_ref(), now)).map_err(|error| ServiceError {
            detail: format!("{}; or give the password again for this test, with --password-file", error.detail),
            ..error
        })?;
        Ok(unlocked(&self.shared, name, wanted.as_ref())?.1)
    }

    /// Credentials, by name.
    pub fn credentials(&self, part: &ByName) -> Result<Vec<Credential>, ServiceError> {
        Ok(part.of(self.shared.store.read(credentials::list)?, |credential| &credential.name))
    }

    /// Sets one, replacing what was there.
    pub fn set_credential(
        &self,
        caller: &Caller,
        name: &str,
        account: &str,
        secret: &str,
    ) -> Result<Credential, ServiceError> {
        check_name(name)?;
        parse_account(account)?;
        if secret.is_empty() || secret.len() > SECRET_BYTES_MAX || secret.contains(['\0', '\n', '\r']) {
            return Err(ServiceError::field("secret", format!("it must be one line of 1 to {SECRET_BYTES_MAX} bytes")));
        }
        let sealed = self.shared.vault.seal(name, secret)?;
        let (changed_at, uses) = (self.shared.now(), Vec::new());
        let set = Credential { name: name.to_owned(), account: account.to_owned(), changed_at, uses };
        let uses = self.shared.store.change(|db| {
            credentials::put(db, &set, &sealed)?;
            audit::add(db, changed_at, &caller.name, "credential.set", name, account)?;
            credential_uses::list(db, name)
        })?;
        Ok(Credential { uses, ..set })
    }

    /// Removes one that no job uses.
    pub fn remove_credential(&self, caller: &Caller, name: &str) -> Result<(), ServiceError> {
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
                return Err(ServiceError::not_found("credential", name));
            }
            audit::add(db, self.shared.now(), &caller.name, "credential.remove", name, "")
        })
    }
}

/// Reads an account; the error names the field.
pub(super) fn parse_account(text: &str) -> Result<Account, ServiceError> {
    Account::parse(text).map_err(|error| ServiceError::field("account", error.detail))
}

/// The account of a credential.
pub(crate) fn account(shared: &AppState, name: &str) -> Result<Account, ServiceError> {
    let known = shared.store.read(|db| credentials::get(db, name))?;
    parse_account(&known.ok_or_else(|| ServiceError::not_found("credential", name))?.account)
}

/// The account and the password of a credential, for this use: refused if it is not allowed. There is no other way to a
/// password than this and the delivery's, which asks the same.
pub(crate) fn unlocked(
    shared: &AppState,
    name: &str,
    wanted: Option<&CredentialUse>,
) -> Result<(Account, Password), ServiceError> {
    let stored = shared.store.read(|db| {
        check(db, name, wanted)?;
        Ok(credentials::get(db, name)?.zip(credentials::secret(db, name)?))
    })?;
    let (credential, sealed) = stored.ok_or_else(|| ServiceError::not_found("credential", name))?;
    let secret = shared.vault.unseal(name, &sealed)?;
    Ok((parse_account(&credential.account)?, Password::new(secret.as_str().to_owned())))
}

/// One entry is proof enough.
fn can_list(source: &dyn octo_core::Source) -> Result<(), Error> {
    struct First(bool);
    impl ListSink for First {
        fn entry(&mut self, _: Entry) -> ControlFlow<()> {
            self.0 = true;
            ControlFlow::Break(())
        }
        fn problem(&mut self, _: &[u8], _: Error) {}
        fn restart(&mut self) {}
    }
    let mut first = First(false);
    match source.list(&RelPath::root(), &mut first) {
        Listed::Incomplete(error) if !first.0 => Err(error),
        _ => Ok(()),
    }
}
