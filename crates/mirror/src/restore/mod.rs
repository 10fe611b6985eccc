//! Brings a state, or parts of it, into a folder that is no mirror.
//!
//! Files are gathered in a staging folder at the root of the target, made durable, and then renamed: no reader ever sees half a file, and
//! what is replaced is there until the new one is. A restore that was killed goes on when it is started again: what is there
//! already, with equal size and time, is not copied again. It must never remove anything of the target's but what it replaces
//! because its options say so.

mod batch;
mod decide;
mod entries;
mod folder;
mod place;
mod report;
mod sink;
mod walk;

pub use decide::Existing;
pub(crate) use entries::List;
pub use folder::FolderTarget;
pub use report::{RestoreOptions, RestoreReport};

use batch::Ends;
use octo_core::{Cancel, Code, Error, Event, Monitor, Name, RelPath, RestoreTarget, Source, Target};

/// Restores from `state` to `target`; what is too large for memory meanwhile goes to `scratch`. Fails before anything is changed if
/// a path is not in the state, or if there is no space; later only with what ends all work.
pub fn restore(
    state: &dyn Source,
    (target, scratch): (&dyn RestoreTarget, &dyn Target),
    options: &RestoreOptions,
    monitor: &dyn Monitor,
    cancel: &Cancel,
) -> Result<RestoreReport, Error> {
    let ends = Ends { state, target, scratch, monitor, cancel };
    let staging = staging(state)?;
    // What goes wrong is said once: by the look, if that is all.
    let silent = ProgressOnly(monitor);
    let looked = walk::look(if options.dry_run { ends } else { Ends { monitor: &silent, ..ends } }, options)?;
    if options.dry_run || cancel.is_cancelled() {
        return Ok(RestoreReport { cancelled: cancel.is_cancelled(), ..looked });
    }
    demand_space(target, &looked)?;
    // What an earlier attempt left there got no names.
    target.begin_staging(&staging)?;
    let restored = walk::restore(ends, options, &staging, &looked);
    let ended = target.end_staging(&staging);
    let mut report = restored?;
    match ended {
        Err(error) if !error.code.stops_run() => report.problem(monitor, &staging, &error),
        ended => ended?,
    }
    target.checkpoint()?;
    Ok(report)
}

/// Passes on how far it is, and nothing else.
struct ProgressOnly<'a>(&'a dyn Monitor);

impl Monitor for ProgressOnly<'_> {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Progress { .. }) {
            self.0.event(event);
        }
    }
}

/// The same restore has the same staging folder.
fn staging(state: &dyn Source) -> Result<RelPath, Error> {
    let pin = state.pin()?;
    let id: String = pin.volume.chars().take(12).collect();
    let name = Name::new(format!(".octobackup-restore-{id}-{}", pin.path).into_bytes());
    name.map(|name| RelPath::root().join(&name)).map_err(|bad| Error::new(Code::TargetFailed, bad.reason()))
}

fn demand_space(target: &dyn RestoreTarget, looked: &RestoreReport) -> Result<(), Error> {
    let (space, needed) = (target.space()?, looked.counts.copied_bytes);
    if needed > space.free_bytes {
        let what = format!(
            "{needed} bytes are to be restored, and {} bytes are free there; nothing was changed",
            space.free_bytes
        );
        return Err(Error::new(Code::NoSpace, what));
    }
    let made = looked.counts.created + looked.counts.folders_created + looked.counts.links;
    match space.files {
        Some(files) if made > files.free => {
            let what = format!("{made} files and folders are to be made, and {} are possible there", files.free);
            Err(Error::new(Code::NoSpace, format!("{what}; nothing was changed")))
        }
        _ => Ok(()),
    }
}
