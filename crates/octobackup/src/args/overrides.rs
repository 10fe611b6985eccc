//! What is for one run only, of `sync` and of `run`.

use clap::Args;
use octo_api::RunOverrides;
use octo_core::{Code, Error};
use octo_job::units;

/// What one run does otherwise than its job says.
#[derive(Debug, Args)]
pub struct OverrideArgs {
    /// Show what would be done, entry by entry, and do nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Use a target that already contains files as the mirror; deletions of this run are held
    #[arg(long, help_heading = "Safety")]
    pub adopt: bool,
    /// Start a new mirror where a mirror was before (for example after replacing the disk)
    #[arg(long, help_heading = "Safety")]
    pub new_target: bool,
    /// Accept that the source differs from last time (server or share replaced); deletions of this run are held
    #[arg(long, help_heading = "Safety")]
    pub accept_source: bool,
    /// Continue after unusually many files changed; you have checked them
    #[arg(long, help_heading = "Safety")]
    pub release_brake: bool,
    /// Files whose source time differs by exactly SHIFT (+1h, -1h) only get the new time; they are not copied
    #[arg(long, value_name = "SHIFT", allow_hyphen_values = true, help_heading = "How")]
    pub restamp_shift: Option<String>,
}

impl OverrideArgs {
    /// The same for a run; what only one of the commands has is not in it.
    pub fn read(&self) -> Result<RunOverrides, Error> {
        let shift = self.restamp_shift.as_deref();
        let wrong = |text: &str, why| Error::new(Code::Usage, format!("--restamp-shift {text:?}: {why}"));
        let secs = shift.map(|text| units::shift_secs(text).map_err(|why| wrong(text, why))).transpose()?;
        Ok(RunOverrides {
            dry_run: self.dry_run,
            adopt: self.adopt,
            new_target: self.new_target,
            accept_source: self.accept_source,
            release_brake: self.release_brake,
            restamp_shift_secs: secs,
            ..RunOverrides::default()
        })
    }
}
