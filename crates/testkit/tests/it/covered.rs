//! Nothing new is forgotten: each effect that a target can have, and each name that lies in the reserved folder, is met in the
//! scenario whose power is cut. Whoever adds one is asked here for the step that makes it.

use octo_core::guard::MaxDelete;
use octo_core::monitor::Silent;
use octo_core::retention::KeepVersions;
use octo_core::time::TICKS_PER_SEC;
use octo_core::{Cancel, Clock, Outcome, Timestamp};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_mirror::{RESERVED_NAMES, RunOptions, run};
use octo_testkit::clock::TestClock;
use octo_testkit::effects::{Count, Effects};
use octo_testkit::powercut::{STEPS, Source};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::LazyLock;

const PORT: &str =
    concat!(include_str!("../../../core/src/target.rs"), include_str!("../../../core/src/target_file.rs"));
const TRAP: &str = include_str!("../../src/effects.rs");

/// Names that the scenario does not make, and where else they are met.
const NAMES_ELSEWHERE: &[(&str, &str)] = &[
    ("tmp/part", "only of files of 64 MiB or more: crates/mirror/tests/it"),
    ("tmp/part/{key}.data", "the same"),
    ("tmp/part/{key}.map", "the same"),
    ("suspects", "only after a power cut, in the run that follows each of them: crates/mirror/tests/it/suspects.rs"),
    ("suspects.new", "the same"),
    ("tmp/repair", "only where a verify repairs what the disk damaged: crates/mirror/tests/it/repair.rs"),
    ("damaged/{of}", "the same"),
    ("pins.json", "pinned by a person, not by a run: crates/mirror/tests/it/thinning.rs"),
    ("tmp/{run}/changes-{old}", "only where an older state is kept: each effect is tried in the same tests"),
    ("held/unread.json", "only of folders that cannot be read: crates/mirror/tests/it"),
];

/// Effects that the scenario does not have, and where else they are met.
const EFFECTS_ELSEWHERE: &[(&str, &str)] = &[
    ("write_zeros", "how a disk clears what cannot be a hole; the engine asks it to clear"),
    ("record_name", "only of names that the disk cannot hold: crates/mirror/tests/it"),
];

/// Tables of `meta.db` that the scenario does not fill, and where else they are.
const TABLES_ELSEWHERE: &[(&str, &str)] = &[
    ("beyond", "only of times that the disk cannot hold: crates/disk/tests/it"),
    ("name", "only of names that the disk cannot hold: crates/disk/tests/it"),
    ("link", "only of links of Windows: crates/disk/tests/it"),
];

/// The methods of a trait or its implementation, with what is said of them.
fn methods<'a>(text: &'a str, start: &str) -> Vec<(&'a str, String)> {
    let body = text.split_once(start).unwrap().1.split_once("\n}\n").unwrap().0;
    let (mut methods, mut said) = (Vec::new(), String::new());
    for line in body.lines().map(str::trim) {
        if let Some(words) = line.strip_prefix("///") {
            said.push_str(words);
        } else if let Some(method) = line.strip_prefix("fn ") {
            methods.push((method.split(['(', '<']).next().unwrap(), std::mem::take(&mut said)));
        }
    }
    methods
}

/// What the engine does in the scenario.
struct Seen {
    /// The effects, and the paths that they touch.
    effects: BTreeSet<(String, String)>,
    /// `meta.db` in the end, as SQLite prints it.
    records: String,
}

static SEEN: LazyLock<Seen> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let (source, mirror) = (Source::new(folder.path().join("source"), 200), folder.path().join("mirror"));
    std::fs::create_dir(&source.root).unwrap();
    let (mut effects, mut plan) = (BTreeSet::new(), None);
    let begun = TestClock::real().now();
    for (step, minutes) in STEPS.iter().zip(1..) {
        // What is kept for a second is older than that in the next step, however fast this machine is.
        let clock = TestClock::at(Timestamp(begun.0 + minutes * 60 * TICKS_PER_SEC));
        source.apply(step.name, step.change);
        let mut options = RunOptions { approve: plan.take(), ..RunOptions::default() };
        for option in step.options.unwrap_or_default().chunks(2) {
            match option {
                ["--max-delete", "100%"] => options.max_delete = Some(MaxDelete::Percent(100)),
                ["--keep-versions", "1s"] => options.keep_versions = KeepVersions::secs(1),
                other => assert!(other.is_empty(), "{other:?} is not known here"),
            }
        }
        let local = LocalSource::open(&source.root).unwrap();
        let disk = DiskTarget::open(&mirror, DiskOptions { create: true, ..DiskOptions::default() }).unwrap();
        let target = Effects::new(disk, Count);
        let report = run(&local, &target, &options, &Silent, &clock, &Cancel::new()).report;
        let expected = if step.ends == 4 { Outcome::Held } else { Outcome::Succeeded };
        assert_eq!(report.outcome, expected, "{}: {report:?}", step.name);
        plan = report.held_plan;
        let log = target.log();
        let split = log.iter().filter_map(|effect| effect.split_once(' '));
        effects.extend(split.map(|(what, path)| (what.to_owned(), path.to_owned())));
    }
    let database = mirror.join(".octobackup/meta/meta.db");
    let dump = Command::new("sqlite3").arg(database).arg(".dump").output().unwrap();
    Seen { effects, records: String::from_utf8(dump.stdout).unwrap() }
});

#[test]
fn each_method_of_a_target_is_either_an_effect_that_can_fail_or_looks_only() {
    for (port, trap) in [
        ("pub trait TargetFile: Send + Sync {\n", "TargetFile for File<R> {\n"),
        ("pub trait Target: Send + Sync {\n", "Target for Effects<T, R> {\n"),
    ] {
        let trapped: BTreeSet<&str> = methods(TRAP, trap).into_iter().map(|(name, _)| name).collect();
        let bodies = TRAP.split_once(trap).unwrap().1;
        for (name, said) in methods(PORT, port) {
            assert!(trapped.contains(name), "crates/testkit/src/effects.rs does not know {name}");
            let is_counted =
                bodies.contains(&format!("effect(\"{name}\"")) || bodies.contains(&format!("effect_or(\"{name}\""));
            assert_eq!(is_counted, said.contains("Effect."), "{name}: what the port says and what is counted differ");
        }
    }
}

#[test]
fn each_effect_is_had_where_the_power_is_cut() {
    let had: BTreeSet<&str> = SEEN.effects.iter().map(|(what, _)| what.as_str()).collect();
    let ports = ["pub trait TargetFile: Send + Sync {\n", "pub trait Target: Send + Sync {\n"];
    let all = ports.into_iter().flat_map(|port| methods(PORT, port));
    let effects: BTreeSet<&str> = all.filter(|(_, said)| said.contains("Effect.")).map(|(name, _)| name).collect();
    let missing: BTreeSet<&str> = effects.difference(&had).copied().collect();
    let elsewhere = EFFECTS_ELSEWHERE.iter().map(|(name, _)| *name).collect();
    assert_eq!(missing, elsewhere, "left: what needs a step in powercut/scenario.rs");
}

#[test]
fn each_name_of_ours_is_there_where_the_power_is_cut() {
    let made = SEEN.effects.iter().filter(|(what, _)| !what.starts_with("remove_"));
    let made: Vec<&str> = made.filter_map(|(_, path)| path.strip_prefix(".octobackup/")).collect();
    let is_missing = |name: &&str| !made.iter().any(|path| fits(name, path));
    let missing: BTreeSet<&str> = RESERVED_NAMES.iter().copied().filter(is_missing).collect();
    let elsewhere = NAMES_ELSEWHERE.iter().map(|(name, _)| *name).collect();
    assert_eq!(missing, elsewhere, "left: what needs a step in powercut/scenario.rs");
}

#[test]
fn each_table_of_the_records_is_filled_where_the_power_is_cut() {
    let named = |start: &str| -> BTreeSet<&str> {
        let rest = SEEN.records.lines().filter_map(|line| line.strip_prefix(start));
        rest.filter_map(|rest| rest.split([' ', '(']).next()).collect()
    };
    let all: BTreeSet<&str> = named("CREATE TABLE IF NOT EXISTS ").union(&named("CREATE TABLE ")).copied().collect();
    let filled = named("INSERT INTO ");
    let missing: BTreeSet<&str> = all.difference(&filled).copied().filter(|table| *table != "IF").collect();
    let elsewhere = TABLES_ELSEWHERE.iter().map(|(name, _)| *name).collect();
    assert!(!filled.is_empty());
    assert_eq!(missing, elsewhere, "left: what needs a step in powercut/scenario.rs");
}

/// Whether a path is one of these names: what is in braces is anything without a slash.
fn fits(name: &str, path: &str) -> bool {
    let Some((before, rest)) = name.split_once('{') else { return name == path };
    let (_, after) = rest.split_once('}').unwrap();
    let Some(left) = path.strip_prefix(before) else { return false };
    let ends = 1..=left.find('/').unwrap_or(left.len());
    ends.into_iter().any(|end| left.is_char_boundary(end) && fits(after, &left[end..]))
}
