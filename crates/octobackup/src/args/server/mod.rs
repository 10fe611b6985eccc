//! The command line of everything that talks to a server.

mod access;
mod command;
mod credential;
mod examples;
mod jobs;
mod notify;

use clap::{Args, Subcommand};
use std::path::PathBuf;

pub use access::{TokenAddArgs, TokenCommand, UserAddArgs, UserCommand, UserPasswordArgs};
pub use command::ServerCommand;
pub use credential::{CredentialAllowArgs, CredentialCommand};
pub use examples::{
    APPLY_EXAMPLES, BACKUP_EXAMPLES, DIGEST_EXIT_CODES, NOTIFY_EXAMPLES, SELF_CHECK_EXIT_CODES, TOKEN_EXAMPLES,
};
pub use jobs::{ApplyArgs, AuditArgs, BackupArgs, DefaultsArgs};
pub use notify::{DigestArgs, MailServerArgs, NotifyAddArgs, NotifyCommand, NotifyNameArgs, OutboxArgs};

/// Where the server is.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// The server's socket
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
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The server's few settings
    #[arg(long, value_name = "FILE", default_value = "/etc/octobackup/octobackup.toml")]
    pub config: PathBuf,
}

/// `octobackup job`.
#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Add a job
    Add(AddArgs),
    /// Change a job: only what is given is changed
    Edit(EditArgs),
    /// Make a new job that is as another one, but for its target
    Copy(CopyArgs),
    /// List all jobs
    List(ServerArgs),
    /// Show a job: its settings, where each came from, its last run and its next slot
    Show(NamedArgs),
    /// Skip the job's slots until it is resumed
    Pause(NamedArgs),
    /// Let a paused job go on
    Resume(NamedArgs),
    /// Keep the deletions that the job holds held, and tell nobody of them again until they are others
    Dismiss(DismissArgs),
    /// Remove a job; its mirror and its history stay
    Remove(NamedArgs),
    /// What became of the job's slots: run, late, skipped or missed, and why
    Slots(NamedArgs),
}

/// `octobackup job add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// What the job is called
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
    /// Another source
    #[arg(long, value_name = "SRC")]
    pub source: Option<String>,
    /// Another place for the mirror
    #[arg(long, value_name = "DST")]
    pub target: Option<String>,
    /// Leave these settings to the server's defaults again; "credential": it needs none any more
    #[arg(long, value_name = "NAME")]
    pub unset: Vec<String>,
    /// Leave out what matches too (may be repeated); --exclude replaces all rules that there are
    #[arg(long, value_name = "PATTERN", conflicts_with = "exclude")]
    pub add_exclude: Vec<String>,
    /// Take a pattern out of the rules (may be repeated)
    #[arg(long, value_name = "PATTERN", conflicts_with = "exclude")]
    pub remove_exclude: Vec<String>,
    /// An entry that cannot be copied, as is known (a closed folder, another server's): a note from now on, and no problem
    /// (may be repeated; --unset acknowledged forgets all)
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
    /// Another source
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
    /// A setting, as bandwidth=10M, time_zone=Europe/Berlin, retries=0 (octobackup job show lists them all)
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Leave out what matches (may be repeated). These are all rules of the job: those of before are replaced
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
    /// Say what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Take over a folder that has files already; deletions of this run are held
    #[arg(long, help_heading = "Safety")]
    pub adopt: bool,
    /// A mirror was known at the target before, and shall begin anew
    #[arg(long, help_heading = "Safety")]
    pub new_target: bool,
    /// The source is another one than last time, and that is intended; deletions of this run are held
    #[arg(long, help_heading = "Safety")]
    pub accept_source: bool,
    /// The suspiciously many changed files have been looked at and are right
    #[arg(long, help_heading = "Safety")]
    pub release_brake: bool,
    /// Files whose source time is exactly so much later (+1h, -1h) get the new time without being read
    #[arg(long, value_name = "SHIFT", allow_hyphen_values = true)]
    pub restamp_shift: Option<String>,
    /// Read permissions and other metadata of every entry again: some servers, such as Samba, tell no time of their change
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
    /// Of this job only
    #[arg(value_name = "JOB")]
    pub job: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
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
    /// Times by the clocks of this zone, such as Europe/Berlin [default: this machine's]
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
    /// Go on until the run ends
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
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub count: u32,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup host`.
#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// Let a machine pair, for the first time or anew: prints a token that its agent needs once, within an hour
    Add(HostAddArgs),
    /// List all machines: whether they are connected, when they were last seen, how wrong their clocks are
    List(ServerArgs),
    /// Show a machine, what its agent lets be read, and its jobs
    Show(HostArgs),
    /// End a machine's connection, and refuse it until it is paired anew
    Revoke(HostArgs),
}

/// `octobackup host add`.
#[derive(Debug, Args)]
pub struct HostAddArgs {
    /// What jobs will call it, as in agent://HOST/srv/data
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
