//! The command line of credentials.

use super::ServerArgs;
use crate::args::AccountArgs;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `octobackup credential`.
#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Set an account and its password; the password is asked for, or read from a file or standard input
    Set(CredentialArgs),
    /// List all credentials; passwords are never shown
    List(ServerArgs),
    /// Log on with a credential and list a folder: of a share, or of each job that uses it
    Test(CredentialTestArgs),
    /// Let a credential be used at more hosts; it may be used where it was used first, and nowhere else
    Allow(CredentialAllowArgs),
    /// Do not let a credential be used at these hosts any more
    Forbid(CredentialAllowArgs),
    /// Remove a credential that no job uses
    Remove(CredentialNameArgs),
}

/// `octobackup credential set`.
#[derive(Debug, Args)]
pub struct CredentialArgs {
    /// What jobs call it
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The account
    #[arg(value_name = "[DOMAIN\\]USER")]
    pub account: String,
    /// Read the password from a file that only its owner may read
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    pub password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long)]
    pub password_stdin: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

impl CredentialArgs {
    /// Where the password comes from.
    pub fn password_from(&self) -> AccountArgs {
        AccountArgs {
            password_file: self.password_file.clone(),
            password_stdin: self.password_stdin,
            ..AccountArgs::default()
        }
    }
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
    /// Try with the password in this file: needed at a host at which the stored one may not be used
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    pub password_file: Option<PathBuf>,
    /// Try with the password from standard input
    #[arg(long)]
    pub password_stdin: bool,
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
    #[arg(long = "for", value_name = "PURPOSE", default_value = "smb", value_parser = ["smb", "mail", "webhook"])]
    pub purpose: String,
    #[command(flatten)]
    pub server: ServerArgs,
}
