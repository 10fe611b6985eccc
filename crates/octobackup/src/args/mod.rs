//! The command line as it was typed. Nothing here is checked beyond its form: that is `settings`' business.

pub mod account;
pub mod exit_codes;
#[cfg(unix)]
pub mod server;

#[cfg(unix)]
use crate::args::server::ServerCommand;
use account::AccountArgs;
use clap::{Args, Parser, Subcommand};
use exit_codes::{ALL_EXIT_CODES, EXIT_CODES};
use octo_server::mirror_spec::{CompareBy, Intent, LiveFiles, MetadataKept};
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

const DOCTOR_EXIT_CODES: &str = "\
Exit codes:
    0  all is fine
    1  there is something to look at
    2  the command or its options make no sense
    3  a run would fail: a side cannot be reached or used";

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

/// Keeps complete, plain-file mirrors of the folders of your servers.
#[derive(Debug, Parser)]
#[command(name = "octobackup", version, max_term_width = 110, after_help = ALL_EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Show times in UTC, and not in this machine's time zone
    #[arg(long, global = true, help_heading = "Output")]
    pub utc: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make DST a complete mirror of SRC
    #[command(after_long_help = format!("{SYNC_EXAMPLES}\n\n{EXIT_CODES}"), after_help = EXIT_CODES)]
    Sync(Box<SyncArgs>),
    /// Show deletions that wait for approval in a mirror, or approve them
    #[command(after_long_help = format!("{HELD_EXAMPLES}\n\n{EXIT_CODES}"), after_help = EXIT_CODES)]
    Held(HeldArgs),
    /// List a folder, as a run would see it
    Ls(LsArgs),
    /// Show the shares of a server, administrative ones included
    Shares(SharesArgs),
    /// Find out, before the first run, what will work, what will not, and what to do about it
    #[command(after_long_help = format!("{DOCTOR_EXAMPLES}\n\n{DOCTOR_EXIT_CODES}"), after_help = DOCTOR_EXIT_CODES)]
    Doctor(DoctorArgs),
    /// Print completions for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write a manual page for each command
    ManPages(ManPagesArgs),
    #[cfg(unix)]
    #[command(flatten)]
    Server(ServerCommand),
    #[cfg(not(unix))]
    /// Not on Windows yet: the server, its jobs and what is done with them. Let Task Scheduler start "sync" meanwhile
    #[command(name = NOT_ON_WINDOWS[0], visible_aliases = NOT_ON_WINDOWS[1..].iter().copied())]
    NotHere(NotHereArgs),
}

/// What needs the server, which so far is for Unix only.
#[cfg(any(test, not(unix)))]
pub const NOT_ON_WINDOWS: &[&str] = &[
    "serve",
    "job",
    "run",
    "runs",
    "report",
    "log",
    "cancel",
    "schedule",
    "digest",
    "notify",
    "credential",
    "host",
    "user",
    "token",
    "setup-link",
    "apply",
    "export",
    "defaults",
    "audit",
    "backup",
    "self-check",
];

/// A command that this system does not have, whatever is asked of it.
#[cfg(not(unix))]
#[derive(Debug, Args)]
pub struct NotHereArgs {
    /// All the rest
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<std::ffi::OsString>,
}

/// `octobackup sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// A folder, or a share: smb://[DOMAIN;]USER@HOST[:PORT]/SHARE[/PATH], //HOST/SHARE/PATH or \\HOST\SHARE\PATH
    #[arg(value_name = "SRC")]
    pub source: std::ffi::OsString,
    /// The folder that becomes the mirror
    #[arg(value_name = "DST")]
    pub target: PathBuf,
    /// Say what would be done, entry by entry, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Leave out what matches (may be repeated; the order of --exclude and --include counts)
    #[arg(long, value_name = "PATTERN", help_heading = "Which files")]
    pub exclude: Vec<String>,
    /// Take in again what an earlier --exclude left out
    #[arg(long, value_name = "PATTERN", help_heading = "Which files")]
    pub include: Vec<String>,
    /// Read patterns from a file, one a line; ! takes in again, # begins a comment
    #[arg(long, value_name = "FILE", help_heading = "Which files")]
    pub exclude_from: Vec<PathBuf>,
    /// Do not leave out $RECYCLE.BIN, System Volume Information, pagefile.sys and the like
    #[arg(long, help_heading = "Which files")]
    pub no_default_excludes: bool,
    /// An entry that cannot be copied, as is known (a closed folder, another server's): a note from now on, and no problem
    #[arg(long, value_name = "PATH", help_heading = "Which files")]
    pub acknowledge: Vec<String>,
    /// When a file counts as changed
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = "Which files")]
    pub compare: CompareBy,
    /// What is kept besides data and last write times
    #[arg(long, value_enum, default_value_t, value_name = "WHAT", help_heading = "How")]
    pub metadata: MetadataKept,
    /// What becomes of files that are written all the time and have no snapshot to be read from
    #[arg(long, value_enum, default_value_t, value_name = "WHAT", help_heading = "How")]
    pub live_files: LiveFiles,
    /// Delete nothing
    #[arg(long, conflicts_with = "max_delete", help_heading = "Safety")]
    pub no_delete: bool,
    /// Hold deletions when there are more than N files, or more than P% of the mirror
    #[arg(long, value_name = "N|P%", help_heading = "Safety")]
    pub max_delete: Option<String>,
    /// Take over a folder that has files already; deletions of this run are held
    #[arg(long, help_heading = "Safety")]
    pub adopt: bool,
    /// A mirror was known at DST before, and shall begin anew
    #[arg(long, help_heading = "Safety")]
    pub new_target: bool,
    /// SRC is another source than last time, and that is intended; deletions of this run are held
    #[arg(long, help_heading = "Safety")]
    pub accept_source: bool,
    /// Delete although the share hides what the account may not read
    #[arg(long, help_heading = "Safety")]
    pub trust_listings: bool,
    /// The suspiciously many changed files have been looked at and are right
    #[arg(long, help_heading = "Safety")]
    pub release_brake: bool,
    /// How long the older versions of files are kept [default: 30d]
    #[arg(long, value_name = "TIME", conflicts_with = "no_versions", help_heading = "Safety")]
    pub keep_versions: Option<String>,
    /// Keep no older versions of what is replaced or deleted
    #[arg(long, help_heading = "Safety")]
    pub no_versions: bool,
    /// Files whose source time is exactly so much later (+1h, -1h) get the new time without being copied
    #[arg(long, value_name = "SHIFT", allow_hyphen_values = true, help_heading = "How")]
    pub restamp_shift: Option<String>,
    /// Permissions of files and folders in the mirror [default: 0600,0700]
    #[arg(long, value_name = "FILES,FOLDERS", help_heading = "How")]
    pub mode: Option<String>,
    /// Read at most so many bytes a second: 10M, 500KiB
    #[arg(long, value_name = "RATE", help_heading = "How")]
    pub bandwidth: Option<String>,
    /// Wait so long for a server that was there and is gone before the run fails [default: 2m]
    #[arg(long, value_name = "TIME", help_heading = "How")]
    pub reconnect: Option<String>,
    #[command(flatten)]
    pub limits: LimitArgs,
    /// Open files with backup intent, which lets a backup operator read everything. require: fail if it does not work
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", help_heading = "How")]
    pub backup_intent: Intent,
    #[command(flatten)]
    pub account: AccountArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What ends a run whose source has no end.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// A folder of SRC that lists more entries is not listed to its end [default: 100000000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_folder_entries: Option<u64>,
    /// The same for a folder that takes more while it is sorted, on DST's disk [default: 32GiB]
    #[arg(long, value_name = "SIZE")]
    pub max_folder_bytes: Option<String>,
    /// Wait at most so long for a share's server that puts its answer off [default: 15m]
    #[arg(long, value_name = "TIME")]
    pub max_answer: Option<String>,
    /// Fail when SRC gives nothing for so long, neither an entry nor data, or "unlimited" [default: 2h, or longer to fit --max-answer and
    /// --reconnect]
    #[arg(long, value_name = "TIME")]
    pub max_idle: Option<String>,
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
    /// A folder, or a share, as in sync
    #[arg(value_name = "SRC")]
    pub source: std::ffi::OsString,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
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
    /// Look at so many entries of the source at most
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
    /// Say nothing unless something went wrong
    #[arg(short, long)]
    pub quiet: bool,
    /// Tell everything as JSON, one event a line; the last line is the report
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        <super::Cli as clap::CommandFactory>::command().debug_assert();
    }

    /// A new command must either work there or be named where its absence is said.
    #[test]
    #[cfg(unix)]
    fn every_command_is_on_windows_or_said_not_to_be() {
        let everywhere = ["sync", "held", "ls", "shares", "doctor", "completions", "man-pages"];
        let all = <super::Cli as clap::CommandFactory>::command();
        let here: Vec<_> = all.get_subcommands().map(|it| it.get_name()).collect();
        assert_eq!(here, [&everywhere, super::NOT_ON_WINDOWS].concat());
    }
}

#[cfg(test)]
#[path = "manual_tests.rs"]
mod manual_tests;
