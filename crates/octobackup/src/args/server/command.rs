//! The commands that need the server.

use super::{
    APPLY_EXAMPLES, ApplyArgs, AuditArgs, BACKUP_EXAMPLES, BackupArgs, CredentialCommand, DIGEST_EXIT_CODES,
    DefaultsArgs, DigestArgs, HostCommand, JobCommand, LogArgs, NOTIFY_EXAMPLES, NotifyCommand, ReportArgs, RunArgs,
    RunIdArgs, RunsArgs, SELF_CHECK_EXIT_CODES, ScheduleArgs, ServeArgs, ServerArgs, TOKEN_EXAMPLES, TokenCommand,
    UserCommand,
};
use crate::args::exit_codes::ALL_EXIT_CODES;
use clap::Subcommand;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    /// Run the server: jobs on a schedule, their history and their reports
    Serve(ServeArgs),
    /// Add, change, show and remove the server's jobs
    #[command(subcommand)]
    Job(JobCommand),
    /// Start a job of the server now, and wait for its end
    #[command(after_help = ALL_EXIT_CODES)]
    Run(RunArgs),
    /// List the server's runs, the newest first
    Runs(RunsArgs),
    /// Show the report of one of the server's runs
    Report(ReportArgs),
    /// Show what one of the server's runs told, while it runs and afterwards
    Log(LogArgs),
    /// Stop one of the server's runs, or take it out of the queue
    Cancel(RunIdArgs),
    /// Show when the server's jobs are due next
    Schedule(ScheduleArgs),
    /// Show all jobs on one page: what is green, what is not, what did not run, and who has no good backup
    #[command(after_help = DIGEST_EXIT_CODES)]
    Digest(DigestArgs),
    /// Set who is told of runs, by mail, webhook or heartbeat
    #[command(subcommand, after_long_help = NOTIFY_EXAMPLES)]
    Notify(NotifyCommand),
    /// Set and remove the accounts that the server's jobs use
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Pair, show and revoke the machines whose agents this server talks to
    #[command(subcommand)]
    Host(HostCommand),
    /// Set who may log on to the server, and what they may do
    #[command(subcommand)]
    User(UserCommand),
    /// Make and remove API tokens, for programs and for this command line on another machine
    #[command(subcommand, after_long_help = TOKEN_EXAMPLES)]
    Token(TokenCommand),
    /// Show the link with which the server's first administrator is made
    SetupLink(ServeArgs),
    /// Make the server's jobs as a file says: tells what changes, then changes it, all or nothing
    #[command(after_long_help = APPLY_EXAMPLES)]
    Apply(ApplyArgs),
    /// Print the server's jobs and defaults as a file for "apply"; passwords are not in it
    Export(ServerArgs),
    /// Show or change what holds for all jobs that say nothing else
    Defaults(DefaultsArgs),
    /// Show who changed what, the newest first
    Audit(AuditArgs),
    /// Copy what the server knows, while it works, to a new folder from which it can be restored elsewhere
    #[command(after_long_help = BACKUP_EXAMPLES)]
    Backup(BackupArgs),
    /// Look whether the server's database, key, passwords and mirrors are as they should be
    #[command(after_help = SELF_CHECK_EXIT_CODES)]
    SelfCheck(ServerArgs),
}
