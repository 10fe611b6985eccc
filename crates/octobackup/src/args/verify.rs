//! `octobackup verify`, as it is typed.

use clap::Args;
use std::path::PathBuf;

/// What the long help ends with.
pub const EXAMPLES: &str = "\
Examples:
  Read everything, older versions too:
    octobackup verify /srv/mirror
  Every night what was not verified for 30 days:
    octobackup verify /srv/mirror --older-than 30d
  A random twentieth of the files:
    octobackup verify /srv/mirror --sample 5%
  Replace damaged files by good copies from other states:
    octobackup verify /srv/mirror --repair
  A mirror made before hashes were recorded:
    octobackup verify /srv/mirror --record";

/// `octobackup verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A mirror's folder, or a job of this machine's server
    #[arg(value_name = "MIRROR|JOB")]
    pub target: PathBuf,
    /// Read only this percentage of the files, chosen at random
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    pub sample: Option<f64>,
    /// Read only files that were not copied or verified for at least AGE: 12h, 30d
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Option<u64>,
    /// Also read files that have no recorded hash, and record it
    #[arg(long)]
    pub record: bool,
    /// Replace what is damaged by a good copy, if the mirror has one
    #[arg(long)]
    pub repair: bool,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Print nothing if everything is as it was copied
    #[arg(short, long)]
    pub quiet: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let percent: f64 = text.strip_suffix('%').unwrap_or(text).parse().map_err(|_| "not a percentage, such as 5%")?;
    if percent > 0.0 && percent <= 100.0 { Ok(percent / 100.0) } else { Err("more than 0% and at most 100%".into()) }
}

fn age(text: &str) -> Result<u64, String> {
    octo_job::units::duration_secs(text)
}
