//! The commands that need the server.

#[cfg(unix)]
use super::ServeArgs;
use super::{
    APPLY_EXAMPLES, ApplyArgs, AuditArgs, BACKUP_EXAMPLES, BackupArgs, CredentialCommand, DefaultsArgs, DigestArgs,
    HostCommand, JobCommand, LogArgs, NOTIFY_EXAMPLES, NotifyCommand, ReportArgs, RunArgs, RunIdArgs, RunsArgs,
    ScheduleArgs, ServerArgs, TOKEN_EXAMPLES, TokenCommand, UserCommand,
};
use crate::args::exit_codes::{of_all, of_status};
use crate::args::history::{DOWNLOAD_EXAMPLES, DownloadArgs};
use clap::Subcommand;
use octo_job::options::list_of_settings;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    #[cfg(unix)]
    /// Run the server, which runs jobs on a schedule
    Serve(ServeArgs),
    /// Add, change, list and remove jobs
    #[command(subcommand)]
    Job(JobCommand),
    /// Start a job now and wait for its end
    #[command(after_help = of_all())]
    Run(RunArgs),
    /// Download a file, or a folder as zip or tar.zst, as it was in a state of a job's mirror
    #[command(after_help = DOWNLOAD_EXAMPLES)]
    Download(DownloadArgs),
    /// List runs, newest first
    Runs(RunsArgs),
    /// Show the report of a run
    Report(ReportArgs),
    /// Show the log of a run, also while it runs
    Log(LogArgs),
    /// Cancel a running or queued run
    Cancel(RunIdArgs),
    /// Show the next slots of all jobs
    Schedule(ScheduleArgs),
    /// Show the status of all jobs on one page
    #[command(after_help = of_status("every job is fine"))]
    Digest(DigestArgs),
    /// Notifications by mail, webhook or heartbeat
    #[command(subcommand, after_long_help = NOTIFY_EXAMPLES)]
    Notify(NotifyCommand),
    /// Add, test and remove stored accounts
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Pair, list and revoke machines with an agent
    #[command(subcommand)]
    Host(HostCommand),
    /// Add, list and remove users, and set their roles
    #[command(subcommand)]
    User(UserCommand),
    /// Create and revoke API tokens for programs and remote command lines
    #[command(subcommand, after_long_help = TOKEN_EXAMPLES)]
    Token(TokenCommand),
    #[cfg(unix)]
    /// Show the link that creates the first administrator
    SetupLink(ServeArgs),
    /// Apply a file of jobs: show the changes, then make all of them or none
    #[command(after_long_help = APPLY_EXAMPLES)]
    Apply(ApplyArgs),
    /// Print all jobs and defaults as a file for "apply", without passwords
    Export(ServerArgs),
    /// Show or change the default settings of all jobs
    #[command(after_long_help = list_of_settings())]
    Defaults(DefaultsArgs),
    /// Show the audit log, newest first
    Audit(AuditArgs),
    /// Copy the server's own data to a new folder, for disaster recovery
    #[command(after_long_help = BACKUP_EXAMPLES)]
    Backup(BackupArgs),
    /// Check the server's database, key, passwords and mirrors
    #[command(after_help = of_status("no problems"))]
    SelfCheck(ServerArgs),
}
