//! The options for the account of a share.

use clap::Args;
use octo_job::mirror_spec::{EncryptWhen, MinDialect};
use octo_job::options::described;
use std::path::PathBuf;

/// Who logs on to a share, and how. The password itself is never an argument: others can see those.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Account (the password may also be in OCTOBACKUP_PASSWORD, or is asked for)")]
pub struct AccountArgs {
    /// The account for a share
    #[arg(short, long, value_name = "[DOMAIN\\]USER")]
    pub user: Option<String>,
    /// Read the password from a file that only its owner may read
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    pub password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// Log on with Kerberos: with the tickets that KRB5CCNAME names, or with the password if one is given
    #[arg(long)]
    pub kerberos: bool,
    /// The Kerberos server [default: the realm's name, which Active Directory answers to]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub kdc: Option<String>,
    /// Log on as a guest, without a password. Nothing protects such a connection
    #[arg(long, conflicts_with_all = ["kerberos", "user", "password_file", "password_stdin"])]
    pub guest: bool,
    #[arg(long, value_enum, value_name = "WHEN", help = described("encrypt"), help_heading = "Connection")]
    pub encrypt: Option<EncryptWhen>,
    #[arg(long, value_enum, value_name = "VERSION", help = described("min_dialect"), help_heading = "Connection")]
    pub min_dialect: Option<MinDialect>,
}

impl AccountArgs {
    /// Whether anything is said of how to log on.
    pub fn is_given(&self) -> bool {
        let AccountArgs { user, password_file, password_stdin, kerberos, kdc, guest, encrypt, min_dialect } = self;
        let named = user.is_some() || password_file.is_some() || kdc.is_some();
        named || *password_stdin || *kerberos || *guest || encrypt.is_some() || min_dialect.is_some()
    }
}
