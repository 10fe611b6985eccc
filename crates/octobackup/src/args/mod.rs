//! The command line as it was typed. Nothing here is checked beyond its form: that is `settings`' business.

pub mod account;
pub mod exit_codes;
pub mod history;
pub mod overrides;
pub mod server;
pub mod verify;

use crate::args::server::ServerCommand;
use account::AccountArgs;
use clap::{Args, Parser, Subcommand};
use exit_codes::{of_all, of_doctor, of_runs, of_verify};
use history::{DiffArgs, FIND_EXAMPLES, FindArgs, RESTORE_EXAMPLES, RestoreArgs, StatesArgs, VersionsArgs};
use octo_job::options::SettingArgs;
use overrides::OverrideArgs;
use std::path::PathBuf;

const SYNC_EXAMPLES: &str = "\
Examples:
  Mirror a share, asking for the password:
    octobackup sync smb://backupop@fileserver/data /srv/mirror
  An administrative share, with a domain account, from a scheduled task:
    octobackup sync '\\\\fileserver\\d$\\data' /srv/mirror -u 'CORP\\backupop' --password-file /etc/pw
  See what would happen:
    octobackup sync /home /srv/mirror --dry-run
  Without caches, but with one of them:
    octobackup sync /home /srv/mirror --exclude '.cache/*' --include '.cache/important'

A dry run lists:  + new,  ~ changed,  > renamed,  t only its time,  - deleted

Patterns have gitignore's syntax; the last one that matches decides.
What is excluded is ignored on both sides: neither copied nor deleted.";

const HELD_EXAMPLES: &str = "\
Examples:
  What waits?
    octobackup held /srv/mirror
  Delete it (the source is asked again; only what is still gone there is deleted):
    octobackup held /srv/mirror --approve 3f2a9c01b7de";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  May this account read everything?
    octobackup doctor smb://backupop@fileserver/data
  And will this disk hold it?
    octobackup doctor smb://backupop@fileserver/data /media/usb/mirror

It changes nothing on the source. On the target it makes one small folder for a moment, to try what the filesystem can do.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  bash, for all users (the Debian package does this already):
    octobackup completions bash > /usr/share/bash-completion/completions/octobackup
  PowerShell, for this session:
    octobackup completions powershell | Out-String | Invoke-Expression";

fn reconnect_help() -> String {
    let usual = octo_smb::RECONNECT_DEFAULT.as_secs() / 60;
    format!("How long to wait for a server that stopped answering before the run fails [default: {usual}m]")
}

/// Keeps complete, plain-file mirrors of the folders of your servers.
#[derive(Debug, Parser)]
#[command(name = "octobackup", version, max_term_width = 110, after_help = of_all(), arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Show times in UTC instead of this machine's time zone
    #[arg(long, global = true, help_heading = "Output")]
    pub utc: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make DST a complete mirror of SRC
    #[command(after_long_help = format!("{SYNC_EXAMPLES}\n\n{}", of_runs()), after_help = of_runs())]
    Sync(Box<SyncArgs>),
    /// Show or approve held deletions of a mirror
    #[command(after_long_help = format!("{HELD_EXAMPLES}\n\n{}", of_runs()), after_help = of_runs())]
    Held(HeldArgs),
    /// Read a mirror again and compare it with the hashes recorded when it was copied
    #[command(after_long_help = format!("{}\n\n{}", verify::EXAMPLES, of_verify()), after_help = of_verify())]
    Verify(verify::VerifyArgs),
    /// List a folder, as a run would see it, or as it was in a mirror's past
    Ls(LsArgs),
    /// List the states of a mirror that can be restored
    States(StatesArgs),
    /// List every version of a file
    Versions(VersionsArgs),
    /// Show which states of a mirror are kept, and why
    #[command(after_help = history::RETENTION_EXAMPLES)]
    Retention(history::RetentionArgs),
    /// Keep a state of a mirror until it is unpinned
    Pin(history::PinArgs),
    /// Let the rules decide again whether a state is kept
    Unpin(history::UnpinArgs),
    /// Find files of all states of a mirror by their names
    #[command(after_help = FIND_EXAMPLES)]
    Find(FindArgs),
    /// Show what differs between two states of a mirror: + new, - gone, ~ changed
    Diff(DiffArgs),
    /// Restore a mirror, or files and folders of it, as they were, to another folder
    #[command(after_long_help = format!("{RESTORE_EXAMPLES}\n\n{}", of_runs()), after_help = of_runs())]
    Restore(RestoreArgs),
    /// List the shares of a server, administrative shares included
    Shares(SharesArgs),
    /// Check a source and a target before the first run: rights, protection, free space
    #[command(after_long_help = format!("{DOCTOR_EXAMPLES}\n\n{}", of_doctor()), after_help = of_doctor())]
    Doctor(DoctorArgs),
    /// Print completions for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write a manual page for each command
    ManPages(ManPagesArgs),
    #[command(flatten)]
    Server(ServerCommand),
    #[cfg(not(unix))]
    /// Not on Windows yet: the server itself. Let Task Scheduler start "sync" meanwhile
    #[command(name = NOT_ON_WINDOWS[0], visible_aliases = NOT_ON_WINDOWS[1..].iter().copied())]
    NotHere(NotHereArgs),
}

/// What runs the server, which so far is for Unix only.
#[cfg(any(test, not(unix)))]
pub const NOT_ON_WINDOWS: &[&str] = &["serve", "setup-link"];

/// A command that this system does not have, whatever is asked of it.
#[cfg(not(unix))]
#[derive(Debug, Args)]
pub struct NotHereArgs {
    /// All the rest
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<std::ffi::OsString>,
}

/// `octobackup sync`. The settings that a job of a server has too are [`SettingArgs`], which come from their table.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("deletions").args(["no_delete", "max_delete"])))]
pub struct SyncArgs {
    /// A folder, or a share: smb://[DOMAIN;]USER@HOST[:PORT]/SHARE[/PATH], //HOST/SHARE/PATH or \\HOST\SHARE\PATH
    #[arg(value_name = "SRC")]
    pub source: std::ffi::OsString,
    /// The folder that becomes the mirror
    #[arg(value_name = "DST")]
    pub target: PathBuf,
    #[command(flatten)]
    pub once: OverrideArgs,
    /// Leave out what matches (may be repeated; the order of --exclude and --include counts)
    #[arg(long, value_name = "PATTERN", help_heading = "Which files")]
    pub exclude: Vec<String>,
    /// Include again what an earlier --exclude left out
    #[arg(long, value_name = "PATTERN", help_heading = "Which files")]
    pub include: Vec<String>,
    /// Read patterns from a file, one a line; ! includes again, # begins a comment
    #[arg(long, value_name = "FILE", help_heading = "Which files")]
    pub exclude_from: Vec<PathBuf>,
    #[command(flatten)]
    pub settings: SettingArgs,
    /// Keep no older versions of what is replaced or deleted
    #[arg(long, conflicts_with = "keep_versions", help_heading = "Safety")]
    pub no_versions: bool,
    #[arg(long, value_name = "TIME", help_heading = "How", help = reconnect_help())]
    pub reconnect: Option<String>,
    #[command(flatten)]
    pub account: AccountArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `octobackup held`.
#[derive(Debug, Args)]
pub struct HeldArgs {
    /// The mirror
    #[arg(value_name = "DST")]
    pub target: PathBuf,
    /// Run again and delete what this plan lists
    #[arg(long, value_name = "ID")]
    pub approve: Option<String>,
    /// Run again; the suspiciously many changed files have been looked at and are right
    #[arg(long)]
    pub release_brake: bool,
    #[command(flatten)]
    pub account: AccountArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `octobackup ls`.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// A folder, or a share, as in sync; with --at, a mirror or a job of the server
    #[arg(value_name = "SRC")]
    pub source: std::ffi::OsString,
    /// A folder in it
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    #[command(flatten)]
    pub at: history::AtArgs,
    #[command(flatten)]
    pub server: server::ServerArgs,
    #[command(flatten)]
    pub account: AccountArgs,
}

/// `octobackup shares`.
#[derive(Debug, Args)]
pub struct SharesArgs {
    /// A server: HOST, HOST:PORT or smb://[DOMAIN;]USER@HOST[:PORT]
    #[arg(value_name = "HOST")]
    pub host: String,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub account: AccountArgs,
}

/// `octobackup doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A folder, or a share, as in sync
    #[arg(value_name = "SRC")]
    pub source: std::ffi::OsString,
    /// The folder that is to become the mirror, or is one
    #[arg(value_name = "DST")]
    pub target: Option<PathBuf>,
    /// Check at most N entries of the source
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub entries: u64,
    /// One JSON object instead of text
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub account: AccountArgs,
}

/// `octobackup completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `octobackup man-pages`.
#[derive(Debug, Args)]
pub struct ManPagesArgs {
    /// The folder for the pages; it is made if it does not exist
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// What is said, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Write the report, with every problem, as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Print nothing unless something went wrong
    #[arg(short, long)]
    pub quiet: bool,
    /// Print events as JSON, one a line; the last line is the report
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        <super::Cli as clap::CommandFactory>::command().debug_assert();
    }

    /// What is not on Windows is named where its absence is said.
    #[test]
    #[cfg(unix)]
    fn what_is_not_on_windows_is_a_command_here() {
        let all = <super::Cli as clap::CommandFactory>::command();
        for name in super::NOT_ON_WINDOWS {
            assert!(all.find_subcommand(name).is_some(), "{name}");
        }
    }
}

#[cfg(test)]
#[path = "manual_tests.rs"]
mod manual_tests;
