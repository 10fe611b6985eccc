//! What a mirror spec says of a share, as the adapter for SMB takes it: address, account and options. Where Kerberos tickets lie is
//! looked up for each run. Never keeps a password.

use octo_core::{Code, Error, SmbAddress};
use octo_job::mirror_spec::{Connection, EncryptWhen, Intent, LogonBy, MinDialect, MirrorSpec, Origin};
use octo_smb::{BackupIntent, Credentials, Dialect, Encrypt, Kerberos, Logon, Password, SmbOptions, Timeouts};
use std::path::PathBuf;
use std::time::Duration;

/// Where MIT Kerberos says its cache is.
const CACHE_VARIABLE: &str = "KRB5CCNAME";

fn usage(detail: impl Into<String>) -> Error {
    Error::new(Code::Usage, detail)
}

/// How to log on to the share of a mirror spec.
pub fn share_access(
    mirror_spec: &MirrorSpec,
    password: Option<Password>,
) -> Result<(SmbAddress, Credentials, SmbOptions), Error> {
    let Origin::Smb { address, account } = &mirror_spec.origin else {
        return Err(usage("only a share has an account"));
    };
    let (address, _) = SmbAddress::parse(address)?;
    let logon = logon(&mirror_spec.connection, password.is_some())?;
    let password = password.unwrap_or_default();
    let credentials = Credentials { account: account.clone(), password };
    let backup_intent = match mirror_spec.backup_intent {
        Intent::Auto => BackupIntent::Auto,
        Intent::Require => BackupIntent::Require,
        Intent::Off => BackupIntent::Off,
    };
    let min_dialect = match mirror_spec.connection.min_dialect {
        MinDialect::Smb21 => Dialect::Smb2_1,
        MinDialect::Smb30 => Dialect::Smb3_0,
        MinDialect::Smb302 => Dialect::Smb3_0_2,
        MinDialect::Smb311 => Dialect::Smb3_1_1,
    };
    let encrypt = match mirror_spec.connection.encrypt {
        EncryptWhen::Auto => Encrypt::Auto,
        EncryptWhen::Require => Encrypt::Require,
        EncryptWhen::Off => Encrypt::Off,
    };
    let answer = Duration::from_secs(mirror_spec.limits.answer_secs);
    let mut timeouts = Timeouts { answer, ..Timeouts::default() };
    if let Some(secs) = mirror_spec.connection.reconnect_secs {
        timeouts.reconnect = Duration::from_secs(secs);
    }
    let options = SmbOptions { backup_intent, min_dialect, encrypt, logon, timeouts, ..SmbOptions::default() };
    Ok((address, credentials, options))
}

fn logon(connection: &Connection, has_password: bool) -> Result<Logon, Error> {
    Ok(match connection.logon {
        LogonBy::Password => Logon::Ntlm,
        LogonBy::Guest => Logon::Guest,
        LogonBy::Kerberos => {
            let cache = if has_password { None } else { Some(cache(std::env::var_os(CACHE_VARIABLE))?) };
            Logon::Kerberos(Kerberos { cache, kdc: connection.kdc.clone() })
        }
    })
}

/// The credential cache: what the variable names, or where `kinit` puts it.
fn cache(variable: Option<std::ffi::OsString>) -> Result<PathBuf, Error> {
    let Some(name) = variable.filter(|name| !name.is_empty()) else {
        let me =
            user_id().ok_or_else(|| usage(format!("--kerberos: {CACHE_VARIABLE} must name a credential cache")))?;
        return Ok(PathBuf::from(format!("/tmp/krb5cc_{me}")));
    };
    match name.to_str().and_then(|text| text.split_once(':')) {
        Some(("FILE", path)) => Ok(PathBuf::from(path)),
        Some((kind, _)) if kind.chars().all(|c| c.is_ascii_uppercase()) => {
            Err(usage(format!("{CACHE_VARIABLE}: only a cache in a file (FILE:) can be read, not {kind}:")))
        }
        _ => Ok(PathBuf::from(name)),
    }
}

/// The number of this user, where users have one.
fn user_id() -> Option<u32> {
    #[cfg(unix)]
    return std::fs::metadata("/proc/self").ok().map(|me| std::os::unix::fs::MetadataExt::uid(&me));
    #[cfg(not(unix))]
    return None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_is_found_where_kerberos_puts_it() {
        let at = |text: &str| cache(Some(text.into()));
        assert_eq!(at("FILE:/run/cc"), Ok("/run/cc".into()));
        assert_eq!(at("/run/c:c"), Ok("/run/c:c".into()));
        for kind in ["KEYRING:persistent:0", "DIR:/x", "KCM:", "MEMORY:y"] {
            let error = at(kind).unwrap_err();
            assert!(error.code == Code::Usage && error.detail.contains("FILE:"), "{kind}: {error}");
        }
        for none in [None, Some("".into())] {
            assert!(cache(none).unwrap().to_str().unwrap().starts_with("/tmp/krb5cc_"));
        }
    }
}
