//! The engine, as the simulated world asks for it.

use octo_core::guard::MaxDelete;
use octo_core::plan::Compare;
use octo_core::retention::{KeepPolicy, KeepVersions, LocalTime};
use octo_core::{Cancel, Clock, Error, Monitor, RelPath, Source, Target};
use octo_mirror::history::{History, When};
use octo_mirror::{LiveFiles, RunOptions};
use octo_testkit::simulate::{Answer, Asked, Engine};
use octo_testkit::tree::{Tree, source_tree};

/// For the simulated world.
pub const ENGINE: Engine = Engine { run, before };

fn before(target: &dyn Target, run: u64) -> Result<Tree, Error> {
    let history = History::open(target)?;
    let state = history.state(When::Number(run.saturating_sub(1)))?;
    let stored = |path: RelPath| state.stored_path(&path).map(|stored| stored.unwrap_or(path));
    source_tree(&state).into_iter().map(|(path, node)| Ok((stored(path)?, node))).collect()
}

/// One run.
fn run(
    source: &dyn Source,
    target: &dyn Target,
    asked: &Asked,
    monitor: &dyn Monitor,
    clock: &dyn Clock,
    cancel: &Cancel,
) -> Answer {
    let wanted = &asked.options;
    let options = RunOptions {
        filter: asked.filter.clone(),
        workers: Some(asked.workers),
        keep_versions: if wanted.no_versions {
            KeepVersions::No
        } else {
            KeepVersions::Of(KeepPolicy {
                all_secs: Some(wanted.keep_days * 86_400),
                daily: wanted.keep_hourly,
                ..KeepPolicy::default()
            })
        },
        // Each hour is a day there: worlds are short.
        local_time: LocalTime::new(|moment| moment.to_unix().0.saturating_mul(23)),
        max_delete: wanted.max_delete.map(MaxDelete::Files),
        no_delete: wanted.no_delete,
        dry_run: wanted.dry_run,
        compare: if wanted.compare_content { Compare::Content } else { Compare::default() },
        approve: asked.approve.clone(),
        release_brake: asked.release_brake,
        known_target: asked.known_target.clone(),
        idle_max: asked.idle_max,
        live_files: if wanted.live_copy { LiveFiles::Copy } else { LiveFiles::Keep },
        ..RunOptions::default()
    };
    let result = octo_mirror::run(source, target, &options, monitor, clock, cancel);
    (result.report, result.target_id)
}
