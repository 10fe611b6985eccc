//! The command line of what concerns all jobs, and the server itself.

use super::ServerArgs;
use clap::Args;
use std::path::PathBuf;

/// `octobackup apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The jobs, as "export" prints them; - for standard input
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// Remove jobs that the file does not name; their mirrors and their history stay
    #[arg(long)]
    pub remove: bool,
    /// Show what would change, and change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup defaults`.
#[derive(Debug, Args)]
pub struct DefaultsArgs {
    /// A setting, as bandwidth=10M, time_zone=Europe/Berlin, retries=0 (--help lists them all)
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Return these settings to the built-in values
    #[arg(long, value_name = "NAME")]
    pub unset: Vec<String>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// At most N
    #[arg(long, value_name = "N", default_value_t = octo_api::SHOWN_DEFAULT)]
    pub limit: u32,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// A folder on the server's machine that does not exist yet
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub server: ServerArgs,
}
