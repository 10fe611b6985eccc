//! The command line of credentials.

use super::ServerArgs;
use super::access::NewPasswordArgs;
use super::words::one_of;
use clap::{Args, Subcommand};
use octo_api::credential::Purpose;

/// `octobackup credential`.
#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Add or change an account; asks for the password, or reads it from a file or standard input
    Set(CredentialArgs),
    /// List all credentials; passwords are never shown
    List(ServerArgs),
    /// Log on with a credential and list a folder: of a share, or of each job that uses it. For a host where the
    /// credential is not allowed, the password must be entered again
    Test(CredentialTestArgs),
    /// Allow a credential at more hosts than the first one
    Allow(CredentialAllowArgs),
    /// Forbid a credential at these hosts
    Forbid(CredentialAllowArgs),
    /// Remove a credential that no job uses
    Remove(CredentialNameArgs),
}

/// `octobackup credential set`.
#[derive(Debug, Args)]
pub struct CredentialArgs {
    /// The credential's name in jobs
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The account
    #[arg(value_name = "[DOMAIN\\]USER")]
    pub account: String,
    #[command(flatten)]
    pub password: NewPasswordArgs,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// A credential, by its name.
#[derive(Debug, Args)]
pub struct CredentialNameArgs {
    /// The credential
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup credential test`.
#[derive(Debug, Args)]
pub struct CredentialTestArgs {
    /// The credential
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Where: //HOST/SHARE[/PATH] [default: the sources of all jobs that use it]
    #[arg(value_name = "SRC")]
    pub source: Option<String>,
    #[command(flatten)]
    pub password: NewPasswordArgs,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup credential allow` and `forbid`.
#[derive(Debug, Args)]
pub struct CredentialAllowArgs {
    /// The credential
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Names or addresses, as jobs write them: a name and its address are two hosts
    #[arg(value_name = "HOST", required = true)]
    pub hosts: Vec<String>,
    /// For what: shares, a mail server or a webhook
    #[arg(long = "for", value_name = "PURPOSE", default_value_t = Purpose::Smb, value_parser = one_of::<Purpose>())]
    pub purpose: Purpose,
    #[command(flatten)]
    pub server: ServerArgs,
}
