//! A dry run beside a live one, which has the mirror's records open for itself.

use crate::pair::Pair;
use crate::support::mirror;
use crate::watched::Watched;
use octo_core::{Code, Outcome, RunReport};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_mirror::RunOptions;
use std::path::Path;
use std::sync::{Arc, Mutex};

fn dry(source: &Path, target: &Path) -> RunReport {
    let source = LocalSource::open(source).unwrap();
    let target = DiskTarget::open(target, DiskOptions::default()).unwrap();
    mirror(&source, &target, &RunOptions { dry_run: true, ..RunOptions::default() }).report
}

#[test]
fn a_dry_run_beside_a_live_one_is_never_locked_out() {
    let pair = Pair::new();
    (0..50).for_each(|i| pair.write(&format!("{i}"), b"old", 1_000_000));
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Succeeded);
    // Modes and the like are recorded: the live run changes the records all the time.
    (0..50).for_each(|i| pair.write(&format!("{i}"), b"changed", 2_000_000));
    (50..90).for_each(|i| pair.write(&format!("{i}"), b"new", 2_000_000));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let act = || {
        let (source, target, seen) = (pair.source.clone(), pair.target.clone(), Arc::clone(&seen));
        move || seen.lock().unwrap().push(dry(&source, &target))
    };
    let source = Watched::new(LocalSource::open(&pair.source).unwrap()).before_fetch(act()).after(200, act());
    let target = DiskTarget::open(&pair.target, DiskOptions::default()).unwrap();
    let live = mirror(&source, &target, &RunOptions::default()).report;
    assert_eq!((live.outcome, live.counts.replaced, live.counts.created), (Outcome::Succeeded, 50, 40), "{live:#?}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    for dry in &*seen {
        let said = serde_json::to_string(dry).unwrap();
        assert!(!said.contains("locked") && !said.contains("damaged"), "{said}");
        assert!(dry.causes.iter().all(|cause| cause.code == Code::TargetBusy), "{dry:#?}");
        assert!(dry.remarks.iter().any(|remark| remark.contains("is under way")) || !dry.causes.is_empty(), "{dry:#?}");
    }
}
