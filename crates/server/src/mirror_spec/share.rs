//! How to log on to the share of a mirror spec.

use super::MirrorSpec;
use super::choices::{EncryptWhen, Intent, MinDialect};
use super::connection::usage;
use super::origin::Origin;
use octo_core::Error;
use octo_smb::{BackupIntent, Credentials, Dialect, Encrypt, Password, SmbAddress, SmbOptions, Timeouts};
use std::time::Duration;

/// How to log on to the share of a mirror spec.
pub fn share_access(
    mirror_spec: &MirrorSpec,
    password: Option<Password>,
) -> Result<(SmbAddress, Credentials, SmbOptions), Error> {
    let Origin::Smb { address, account } = &mirror_spec.origin else {
        return Err(usage("only a share has an account"));
    };
    let (address, _) = SmbAddress::parse(address)?;
    let logon = mirror_spec.connection.logon(password.is_some())?;
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
