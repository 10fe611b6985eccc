//! The command line of everything that talks to a server.

mod access;
mod command;
mod credential;
mod examples;
mod jobs;
mod notify;
mod words;

use crate::args::overrides::OverrideArgs;
use clap::{Args, Subcommand};
use octo_job::options::list_of_settings;
use std::path::PathBuf;

pub use access::{TokenAddArgs, TokenCommand, UserAddArgs, UserCommand, UserPasswordArgs};
pub use command::ServerCommand;
pub use credential::{CredentialAllowArgs, CredentialCommand};
pub use examples::{APPLY_EXAMPLES, BACKUP_EXAMPLES, NOTIFY_EXAMPLES, TOKEN_EXAMPLES};
pub use jobs::{ApplyArgs, AuditArgs, BackupArgs, DefaultsArgs};
pub use notify::{DigestArgs, MailServerArgs, NotifyAddArgs, NotifyCommand, NotifyNameArgs, OutboxArgs};

/// Where the server is.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// The server's socket
    #[cfg(unix)]
    #[arg(long, value_name = "PATH", env = "OCTOBACKUP_SOCKET", default_value = octo_server::config::SOCKET, help_heading = "Server")]
    pub socket: PathBuf,
    /// A server elsewhere: https://HOST:PORT
    #[arg(long, value_name = "URL", env = "OCTOBACKUP_URL", requires = "token_file", help_heading = "Server")]
    pub url: Option<String>,
    /// The API token to show there, in a file that only its owner may read
    #[arg(long, value_name = "FILE", env = "OCTOBACKUP_TOKEN_FILE", help_heading = "Server")]
    pub token_file: Option<PathBuf>,
    /// The certificates that vouch for it [default: those that this machine trusts]
    #[arg(long, value_name = "FILE", env = "OCTOBACKUP_CA_FILE", help_heading = "Server")]
    pub ca_file: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// `octobackup serve`.
#[cfg(unix)]
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The server's configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/octobackup/octobackup.toml")]
    pub config: PathBuf,
}

/// `octobackup job`.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Add a job
    #[command(after_long_help = list_of_settings())]
    Add(AddArgs),
    /// Change settings of a job
    #[command(after_long_help = list_of_settings())]
    Edit(EditArgs),
    /// Copy a job, with another target
    #[command(after_long_help = list_of_settings())]
    Copy(CopyArgs),
    /// List all jobs
    List(ServerArgs),
    /// Show a job: its settings and where they come from, last run, next slot
    Show(NamedArgs),
    /// Skip the job's slots until it is resumed
    Pause(NamedArgs),
    /// Resume a paused job
    Resume(NamedArgs),
    /// Keep held deletions held and stop reminding of them, until others are held
    Dismiss(DismissArgs),
    /// Remove a job; its mirror and history stay
    Remove(NamedArgs),
    /// List the job's slots: run, late, skipped or missed, and why
    Slots(NamedArgs),
}

/// `octobackup job add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The job's name
    #[arg(value_name = "JOB")]
    pub name: String,
    /// A folder of the server's machine, a share (//HOST/SHARE[/PATH]), or a folder of a machine with an agent
    /// (agent://HOST/FOLDER)
    #[arg(value_name = "SRC")]
    pub source: String,
    /// The folder of the server's machine that becomes the mirror
    #[arg(value_name = "DST")]
    pub target: String,
    #[command(flatten)]
    pub what: WhatArgs,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup job edit`.
#[derive(Debug, Args)]
pub struct EditArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub name: String,
    /// The new source
    #[arg(long, value_name = "SRC")]
    pub source: Option<String>,
    /// The new target
    #[arg(long, value_name = "DST")]
    pub target: Option<String>,
    /// Return these settings to the defaults; "credential" removes it
    #[arg(long, value_name = "NAME")]
    pub unset: Vec<String>,
    /// Add an exclude rule (may be repeated)
    #[arg(long, value_name = "PATTERN", conflicts_with = "exclude")]
    pub add_exclude: Vec<String>,
    /// Remove a rule (may be repeated)
    #[arg(long, value_name = "PATTERN", conflicts_with = "exclude")]
    pub remove_exclude: Vec<String>,
    /// A known entry that cannot be copied (a folder the account may not read, a DFS link): from now on a note, not a problem
    /// (may be repeated; --unset acknowledged removes all)
    #[arg(long, value_name = "PATH")]
    pub acknowledge: Vec<String>,
    #[command(flatten)]
    pub what: WhatArgs,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup job copy`.
#[derive(Debug, Args)]
pub struct CopyArgs {
    /// The job that there is
    #[arg(value_name = "JOB")]
    pub name: String,
    /// What the new one is called
    #[arg(value_name = "NEW")]
    pub new: String,
    /// The folder that becomes the new job's mirror
    #[arg(value_name = "DST")]
    pub target: String,
    /// The new source
    #[arg(long, value_name = "SRC")]
    pub source: Option<String>,
    #[command(flatten)]
    pub what: WhatArgs,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// What may be said of a job.
#[derive(Debug, Args)]
pub struct WhatArgs {
    /// The credential for the share
    #[arg(long, value_name = "NAME")]
    pub credential: Option<String>,
    /// When: "daily 22:00", "mon..fri 20:00", "every 4h", "first sunday 03:00", or a cron expression; "never" for by hand
    #[arg(long, value_name = "WHEN")]
    pub schedule: Option<String>,
    /// A setting, as bandwidth=10M, time_zone=Europe/Berlin, retries=0 (--help lists them all)
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Exclude what matches (may be repeated); replaces all rules of the job
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
}

/// A job, by its name.
#[derive(Debug, Args)]
pub struct NamedArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub name: String,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup job dismiss`.
#[derive(Debug, Args)]
pub struct DismissArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub name: String,
    /// The plan, as the report of the run names it
    #[arg(value_name = "PLAN")]
    pub plan: String,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub name: String,
    /// Do not wait for the end
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub once: OverrideArgs,
    /// Read the metadata of every entry again: some servers, such as Samba, do not report its changes
    #[arg(long, value_name = "refresh", value_parser = ["refresh"])]
    pub metadata: Option<String>,
    /// Delete what the held plan lists
    #[arg(long, value_name = "PLAN", help_heading = "Safety")]
    pub approve: Option<String>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Only of this job
    #[arg(value_name = "JOB")]
    pub job: Option<String>,
    /// At most N
    #[arg(long, value_name = "N", default_value_t = octo_api::SHOWN_DEFAULT)]
    pub limit: u32,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The run's number
    #[arg(value_name = "RUN")]
    pub run: i64,
    /// As a page for a browser or a mail client
    #[arg(long, conflicts_with = "json")]
    pub html: bool,
    /// Show times in this zone, such as Europe/Berlin [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// The run's number
    #[arg(value_name = "RUN")]
    pub run: i64,
    /// Follow the log until the run ends
    #[arg(short, long)]
    pub follow: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// A run, by its number.
#[derive(Debug, Args)]
pub struct RunIdArgs {
    /// The run's number
    #[arg(value_name = "RUN")]
    pub run: i64,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup schedule`.
#[derive(Debug, Args)]
pub struct ScheduleArgs {
    /// At most N
    #[arg(long, value_name = "N", default_value_t = octo_api::SHOWN_DEFAULT)]
    pub count: u32,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup host`.
#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// Create a pairing token for a machine; valid once, for an hour
    Add(HostAddArgs),
    /// List machines: connection, last seen, clock difference
    List(ServerArgs),
    /// Show a machine, its allowed folders and its jobs
    Show(HostArgs),
    /// Disconnect a machine and reject it until it is paired again
    Revoke(HostArgs),
}

/// `octobackup host add`.
#[derive(Debug, Args)]
pub struct HostAddArgs {
    /// The machine's name in jobs, as in agent://HOST/srv/data
    #[arg(value_name = "HOST")]
    pub name: String,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// A machine, by its name.
#[derive(Debug, Args)]
pub struct HostArgs {
    /// The machine
    #[arg(value_name = "HOST")]
    pub name: String,
    #[command(flatten)]
    pub server: ServerArgs,
}
