//! The command line of who may ask the server.

use super::ServerArgs;
use super::words::one_of;
use crate::args::account::AccountArgs;
use clap::{Args, Subcommand};
use octo_api::access::{Role, TOKEN_DAYS};
use std::path::PathBuf;

/// `octobackup user`.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user; asks for the password, or reads it from a file or standard input
    Add(UserAddArgs),
    /// List all users and their roles
    List(ServerArgs),
    /// Change a user's role; ends the user's sessions
    Role(UserRoleArgs),
    /// Change a user's password; ends the user's sessions
    Password(UserPasswordArgs),
    /// Remove a user and end the user's sessions
    Remove(NameArgs),
}

/// Where a password that is given to the server comes from; without these options it is asked for where it is needed.
#[derive(Debug, Args)]
pub struct NewPasswordArgs {
    /// Read the password from a file that only its owner may read
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    pub password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long)]
    pub password_stdin: bool,
}

impl NewPasswordArgs {
    /// Whether there is one without asking for it.
    pub fn is_given(&self) -> bool {
        self.password_file.is_some() || self.password_stdin
    }

    /// As for any account.
    pub fn password_from(&self) -> AccountArgs {
        AccountArgs {
            password_file: self.password_file.clone(),
            password_stdin: self.password_stdin,
            ..AccountArgs::default()
        }
    }
}

/// `octobackup user add`.
#[derive(Debug, Args)]
pub struct UserAddArgs {
    /// How they log on
    #[arg(value_name = "USER")]
    pub name: String,
    /// What they may do: look (viewer), also start, cancel and approve runs (operator), or everything (administrator)
    #[arg(long, value_name = "ROLE", value_parser = one_of::<Role>())]
    pub role: Role,
    #[command(flatten)]
    pub password: NewPasswordArgs,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup user role`.
#[derive(Debug, Args)]
pub struct UserRoleArgs {
    /// The user
    #[arg(value_name = "USER")]
    pub name: String,
    /// What they may do from now on
    #[arg(value_name = "ROLE", value_parser = one_of::<Role>())]
    pub role: Role,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup user password`.
#[derive(Debug, Args)]
pub struct UserPasswordArgs {
    /// The user
    #[arg(value_name = "USER")]
    pub name: String,
    #[command(flatten)]
    pub password: NewPasswordArgs,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// A user or a token, by its name.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup token`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Create an API token, written to a file that only you can read
    Add(TokenAddArgs),
    /// List tokens with role and expiry date
    List(ServerArgs),
    /// Revoke a token
    Remove(NameArgs),
}

/// `octobackup token add`.
#[derive(Debug, Args)]
pub struct TokenAddArgs {
    /// The token's name, such as the program or machine that uses it
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The file to write it to; it must not exist yet
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The token's role
    #[arg(long, value_name = "ROLE", value_parser = one_of::<Role>())]
    pub role: Role,
    /// Valid for N days
    #[arg(long, value_name = "N", default_value_t = TOKEN_DAYS)]
    pub days: u32,
    #[command(flatten)]
    pub server: ServerArgs,
}
