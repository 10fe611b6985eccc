//! `octobackup held`: shows the deletions that wait in a mirror; approving them starts the mirror's job again.

use crate::args::HeldArgs;
use crate::settings::{self, Settings};
use crate::{exit, listeners, sync, zone};
use octo_core::{Code, Error};
use octo_disk::{DiskOptions, DiskTarget};
use octo_job::mirror_spec::MirrorSpec;
use octo_mirror::HeldPlan;
use octo_report::text;
use octo_server::report::held_document;
use serde_json::json;

/// Entries shown; the plan on the disk has all.
const SHOWN_MAX: usize = 200;

/// Shows or approves.
pub fn run(args: HeldArgs) -> Result<u8, Error> {
    let path = settings::target(&args.target)?;
    let target = DiskTarget::open(&path, DiskOptions::default())?;
    let Some(mirror_spec) = octo_mirror::saved_job(&target)? else {
        return Err(Error::new(Code::Usage, format!("DST {}: there is no mirror made by octobackup", path.display())));
    };
    let plan = octo_mirror::held_plan(&target, SHOWN_MAX)?;
    if let Some(id) = &args.approve {
        demand_waiting(id, plan.as_ref())?;
    }
    if args.approve.is_some() || args.release_brake {
        drop(target);
        return sync::run(&Settings::held(args, MirrorSpec::from_text(&mirror_spec)?)?);
    }
    if args.output.json {
        let value = plan.map(|plan| {
            json!({
                "id": plan.id, "state": plan.run, "because": plan.because, "files": plan.files, "bytes": plan.bytes,
                "entries": plan.entries, "more": plan.more,
            })
        });
        listeners::print(&json!({ "held": value }).to_string());
    } else if let Some(plan) = plan {
        let document = held_document(&plan, &path.display().to_string(), &zone::shown());
        listeners::print(text::render(&document).trim_end());
    } else if !args.output.quiet {
        listeners::print("Nothing waits for approval.");
    }
    Ok(exit::COMPLETE)
}

/// A mistyped or superseded id is refused before anything is copied. The engine looks again, with the mirror locked.
fn demand_waiting(id: &str, plan: Option<&HeldPlan>) -> Result<(), Error> {
    let waits = match plan {
        Some(plan) if plan.id == id => return Ok(()),
        Some(plan) => format!("it was superseded, or never was; the plan that waits is {}", plan.id),
        None => "no plan waits for approval".to_owned(),
    };
    Err(Error::new(Code::Usage, format!("--approve {id}: {waits}")))
}
