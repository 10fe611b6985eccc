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
    /// Take over a folder that has files already; deletions of this run are held
    #[arg(long, help_heading = "Safety")]
    pub adopt: bool,
    /// Begin a new mirror although the target was one before
    #[arg(long, help_heading = "Safety")]
    pub new_target: bool,
    /// The source has changed on purpose; deletions of this run are held
    #[arg(long, help_heading = "Safety")]
    pub accept_source: bool,
    /// Continue after unusually many files changed; you have checked them
    #[arg(long, help_heading = "Safety")]
    pub release_brake: bool,
    /// Set the new time, without copying, on files whose source time is later by exactly this (+1h, -1h)
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
