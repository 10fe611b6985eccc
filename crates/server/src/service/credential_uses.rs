//! Where a stored password may go. Who can name a host for it could otherwise read it there: a mail server gets it as it
//! is, and a share's logon can be guessed from.
//!
//! A credential without any use may be used once, anywhere: that use is the first on its list. After that, only what is on the list;
//! an administrator changes the list, and the audit log says who. Every use is looked up here when it happens, not only when a
//! job is written.

use super::{Caller, Service};
use crate::moment::Moment;
use crate::service_error::{Kind, ServiceError};
use crate::store::credential_uses as store;
use crate::store::{audit, credentials};
use octo_api::credential::{CredentialUse, Purpose};
use octo_job::mirror_spec::{MirrorSpec, Origin};
use rusqlite::Connection;

/// More hosts than one server backs up.
const USES_MAX: usize = 2000;
/// The longest name of a host.
const HOST_BYTES_MAX: usize = 253;

impl Service {
    /// Makes this the list of what a credential may be used for. With an empty list, its next use decides.
    pub fn set_credential_uses(
        &self,
        caller: &Caller,
        name: &str,
        uses: &[CredentialUse],
    ) -> Result<Vec<CredentialUse>, ServiceError> {
        let mut uses: Vec<CredentialUse> = uses.iter().map(|it| CredentialUse::new(it.purpose, &it.host)).collect();
        uses.sort();
        uses.dedup();
        let is_host = |it: &CredentialUse| {
            let is_part = |c: char| c.is_alphanumeric() || "-._:%".contains(c);
            !it.host.is_empty() && it.host.len() <= HOST_BYTES_MAX && it.host.chars().all(is_part)
        };
        if let Some(wrong) = uses.iter().find(|it| !is_host(it)) {
            return Err(ServiceError::field("host", format!("{:?}: allowed is a name or an address", wrong.host)));
        }
        if uses.len() > USES_MAX {
            return Err(ServiceError::field("uses", format!("allowed are {USES_MAX} hosts")));
        }
        self.shared.store.change(|db| {
            credentials::get(db, name)?.ok_or_else(|| ServiceError::not_found("credential", name))?;
            store::set(db, name, &uses)?;
            audit::add(db, self.shared.now(), &caller.name, "credential.allow", name, &in_words(&uses))
        })?;
        Ok(uses)
    }
}

/// What the mirror spec of a job uses a password for.
pub(crate) fn use_of(mirror_spec: &MirrorSpec) -> Option<CredentialUse> {
    match &mirror_spec.origin {
        Origin::Smb { address, .. } => CredentialUse::of_share(address),
        Origin::Local { .. } | Origin::Agent { .. } => None,
    }
}

/// Refuses a use that is not on the list. Whether there is no list yet.
pub(crate) fn check(db: &Connection, name: &str, wanted: Option<&CredentialUse>) -> Result<bool, ServiceError> {
    let known = store::list(db, name)?;
    match wanted.filter(|it| !known.contains(it)) {
        Some(other) if !known.is_empty() => Err(refused(name, other, &known)),
        _ => Ok(known.is_empty()),
    }
}

/// The same, and the first use becomes the list.
pub(crate) fn claim(
    db: &Connection,
    caller: &Caller,
    name: &str,
    wanted: Option<&CredentialUse>,
    now: Moment,
) -> Result<(), ServiceError> {
    match wanted {
        Some(it) if check(db, name, wanted)? => {
            store::add(db, name, it)?;
            audit::add(db, now, &caller.name, "credential.first-use", name, &it.to_string())
        }
        _ => Ok(()),
    }
}

fn refused(name: &str, other: &CredentialUse, known: &[CredentialUse]) -> ServiceError {
    let for_what = if other.purpose == Purpose::Smb { String::new() } else { format!(" --for {}", other.purpose) };
    let detail = format!(
        "the password of {name} may be used for {}; not for {other} (a name and its address are two hosts). An administrator allows \
         it with: octobackup credential allow {name} {}{for_what}",
        in_words(known),
        other.host
    );
    ServiceError { field: Some("credential".into()), ..ServiceError::new(Kind::Conflict, detail) }
}

fn in_words(uses: &[CredentialUse]) -> String {
    const SHOWN: usize = 10;
    let mut words: Vec<String> = uses.iter().take(SHOWN).map(ToString::to_string).collect();
    if uses.len() > SHOWN {
        words.push(format!("{} more", uses.len() - SHOWN));
    }
    if words.is_empty() { "nothing yet".into() } else { words.join(", ") }
}
