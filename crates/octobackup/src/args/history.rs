//! What looks into a mirror's past, and brings it back.

use crate::args::account::AccountArgs;
use crate::args::server::ServerArgs;
use clap::{Args, ValueEnum};
use octo_mirror::restore::Existing;
use std::path::PathBuf;

/// Examples of `octobackup restore`.
pub const RESTORE_EXAMPLES: &str = "\
Examples:
  Which states are there?
    octobackup states /srv/mirror
  A folder as it was on an evening, into an empty folder:
    octobackup restore /srv/mirror projects/2026 --at '2026-11-20 23:00' --to /restore
  What would happen if it went back to where it was?
    octobackup restore /srv/mirror projects/2026 --at 2026-11-20 --to /data --existing replace --dry-run
  Back to the share it came from, with permissions and times (the account needs the right to restore):
    octobackup restore /srv/mirror projects/2026 --at 2026-11-20 --to smb://restoreop@fs/data --existing replace-older

  By a server elsewhere, to a folder of its machine that its configuration allows:
    octobackup restore fs1 projects/2026 --at 41 --to /restore --url https://backup:8734 --token-file token

  Back to where the job copies from, by the server, with the account that it has for that; the job is paused meanwhile:
    octobackup restore fs1 projects/2026 --at 41 --to source --existing replace-older

Paths are those of the source. They are made below --to as they were: projects/2026 becomes /restore/projects/2026.
A restore that was stopped goes on when it is started again.";

/// Examples of `octobackup download`.
pub const DOWNLOAD_EXAMPLES: &str = "\
Examples:
  One file as it was at the end of March:
    octobackup download fs1 mail/archive/march.pst --at 2026-03-31
  A folder with its metadata:
    octobackup download fs1 projects/2026 --at 41 --format tar.zst -o 2026.tar.zst";

/// Examples of `octobackup retention`.
pub const RETENTION_EXAMPLES: &str = "\
Examples:
  What does the next run remove, and why does the rest stay?
    octobackup retention /srv/mirror
  What would other rules keep, and free?
    octobackup retention fileserver --simulate all=14d,daily=30,weekly=12,monthly=12,yearly=3
  Save them:
    octobackup job edit fileserver --set keep=all=14d,daily=30,weekly=12,monthly=12,yearly=3";

/// Examples of `octobackup find`.
pub const FIND_EXAMPLES: &str = "\
Examples:
  Every PDF that was ever there, with the states that have it:
    octobackup find /srv/mirror '*.pdf'
  Below one folder, whatever the case:
    octobackup find /srv/mirror 'Contract*' --below legal --ignore-case";

/// `octobackup states`.
#[derive(Debug, Args)]
pub struct StatesArgs {
    /// A mirror's folder, or a job of the server
    #[arg(value_name = "MIRROR|JOB")]
    pub mirror: PathBuf,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup pin`.
#[derive(Debug, Args)]
pub struct PinArgs {
    /// A mirror's folder, or a job of this machine's server
    #[arg(value_name = "MIRROR|JOB")]
    pub mirror: PathBuf,
    /// The state: its number, a moment such as '2026-11-20 23:00', a day (its end), or "now"
    #[arg(value_name = "WHEN")]
    pub when: String,
    /// Why, for who asks later
    #[arg(value_name = "REASON", default_value = "")]
    pub words: String,
}

/// `octobackup unpin`.
#[derive(Debug, Args)]
pub struct UnpinArgs {
    /// A mirror's folder, or a job of this machine's server
    #[arg(value_name = "MIRROR|JOB")]
    pub mirror: PathBuf,
    /// The state: its number, a moment such as '2026-11-20 23:00', a day (its end), or "now"
    #[arg(value_name = "WHEN")]
    pub when: String,
}

/// `octobackup retention`.
#[derive(Debug, Args)]
pub struct RetentionArgs {
    /// A mirror's folder, or a job of this machine's server
    #[arg(value_name = "MIRROR|JOB")]
    pub mirror: PathBuf,
    /// Other rules than those of the last run, such as all=14d,daily=30,weekly=12,monthly=12,yearly=3
    #[arg(long, value_name = "RULES", value_parser = octo_job::keep::Keep::parse)]
    pub simulate: Option<octo_job::keep::Keep>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Which state.
#[derive(Debug, Args)]
pub struct AtArgs {
    /// As it was then: a state's number, a moment such as '2026-11-20 23:00', or a day (its end) [default: as it is now]
    #[arg(long, value_name = "WHEN")]
    pub at: Option<String>,
}

/// `octobackup versions`.
#[derive(Debug, Args)]
pub struct VersionsArgs {
    /// A mirror's folder, or a job of the server
    #[arg(value_name = "MIRROR|JOB")]
    pub mirror: PathBuf,
    /// A file or folder, by its path on the source
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup find`.
#[derive(Debug, Args)]
pub struct FindArgs {
    /// A mirror's folder, or a job of the server
    #[arg(value_name = "MIRROR|JOB")]
    pub mirror: PathBuf,
    /// A name; * matches any characters, ? exactly one
    #[arg(value_name = "PATTERN")]
    pub pattern: String,
    /// Only below this folder
    #[arg(long, value_name = "PATH")]
    pub below: Option<PathBuf>,
    /// Ignore upper and lower case
    #[arg(short, long)]
    pub ignore_case: bool,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// A mirror's folder, or a job of the server
    #[arg(value_name = "MIRROR|JOB")]
    pub mirror: PathBuf,
    /// The earlier state: a number, a moment or a day
    #[arg(value_name = "WHEN")]
    pub from: String,
    /// The later state; the mirror as it is now if none is given
    #[arg(value_name = "WHEN")]
    pub to: Option<String>,
    /// Only below this folder
    #[arg(long, value_name = "PATH")]
    pub below: Option<PathBuf>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// A mirror's folder, or a job of the server
    #[arg(value_name = "MIRROR|JOB")]
    pub mirror: PathBuf,
    /// Files and folders, by their paths on the source; everything if none is given
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub at: AtArgs,
    /// The folder to restore to, or a folder of a share (smb://HOST/SHARE/FOLDER); it is made if it does not exist. Where the server
    /// restores, a folder of its machine that its configuration allows. "source" is where the job copies from: the server restores
    /// to that with the account that it has stored for the job
    #[arg(long, value_name = "FOLDER|SHARE|source")]
    pub to: PathBuf,
    /// The account, stored at the server, with which it logs on to the share of --to [default: the job's]
    #[arg(long, value_name = "NAME")]
    pub credential: Option<String>,
    /// What to do where a file is there already, with another size or time
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    pub existing: ExistingArg,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Print nothing unless something went wrong
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub server: ServerArgs,
    #[command(flatten)]
    pub account: AccountArgs,
}

/// `--existing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ExistingArg {
    /// Keep it, and restore the other one beside it, as "NAME (state N)"
    #[default]
    KeepBoth,
    /// Replace it by the restored one. What was there is gone
    Replace,
    /// Replace it if its last write time is older than the restored one's; keep it otherwise
    ReplaceOlder,
    /// Keep it, and do not restore the other one
    Keep,
}

impl ExistingArg {
    /// For a server.
    pub fn word(self) -> octo_api::restore::Existing {
        use octo_api::restore::Existing as Word;
        match self {
            ExistingArg::KeepBoth => Word::KeepBoth,
            ExistingArg::Replace => Word::Replace,
            ExistingArg::ReplaceOlder => Word::ReplaceOlder,
            ExistingArg::Keep => Word::Keep,
        }
    }

    /// For the engine.
    pub fn existing(self) -> Existing {
        match self {
            ExistingArg::KeepBoth => Existing::KeepBoth,
            ExistingArg::Replace => Existing::Replace,
            ExistingArg::ReplaceOlder => Existing::ReplaceOlder,
            ExistingArg::Keep => Existing::Keep,
        }
    }
}

/// `octobackup download`.
#[derive(Debug, Args)]
pub struct DownloadArgs {
    /// The job
    #[arg(value_name = "JOB")]
    pub job: String,
    /// A file or folder, by its path on the source; everything if none is given
    #[arg(value_name = "PATH")]
    pub path: Option<PathBuf>,
    #[command(flatten)]
    pub at: AtArgs,
    /// How a folder is packed
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: FormatArg,
    /// The file to write, which must not exist; "-" for standard output [default: named after what is downloaded]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `--format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum FormatArg {
    /// Names, contents, last write times and links
    #[default]
    Zip,
    /// Metadata, too
    #[value(name = "tar.zst")]
    TarZst,
}

impl FormatArg {
    /// As a server calls it.
    pub fn word(self) -> &'static str {
        match self {
            FormatArg::Zip => "zip",
            FormatArg::TarZst => "tar.zst",
        }
    }
}
