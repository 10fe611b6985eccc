//! Reports as people see them. The expected texts are in `tests/expected`; UPDATE_EXPECTED=1 writes them anew.

use super::*;
use octo_core::report::{Counts, Problem, REPORT_FORMAT};
use octo_core::{Kind, RelPath, Timestamp};
use octo_mirror::HeldEntry;

const BY_SYNC: MadeBy<'_> = MadeBy::Sync { keeps_versions: true };

fn sample() -> RunReport {
    RunReport {
        format: REPORT_FORMAT,
        run: 12,
        outcome: Outcome::Succeeded,
        dry_run: false,
        source: "//fileserver/data".into(),
        target: "/srv/mirror".into(),
        started: Timestamp::from_unix(1_785_877_205, 0),
        duration_ms: 72_500,
        counts: Counts {
            source_files: 1_234_567,
            source_folders: 4_321,
            source_bytes: 5 << 40,
            mirror_files: 1_234_500,
            unchanged: 1_234_400,
            created: 150,
            replaced: 12,
            moved: 5,
            deleted: 1,
            deleted_bytes: 77,
            copied_bytes: 700 << 20,
            ..Counts::default()
        },
        held_because: Vec::new(),
        held_kinds: Vec::new(),
        held_examples: Vec::new(),
        held_plan: None,
        remarks: Vec::new(),
        causes: Vec::new(),
        free_bytes: Some(800 << 30),
    }
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

fn cause(code: Code, count: u64, examples: &[(&str, &str)]) -> Cause {
    let examples = examples.iter().map(|(place, detail)| Problem { code, path: path(place), detail: (*detail).into() });
    Cause { code, count, examples: examples.collect() }
}

fn expect(name: &str, text: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expected").join(name);
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(text == expected, "{name} differs; it is now:\n{text}");
}

#[test]
fn a_complete_run() {
    expect("complete.txt", &report(&sample(), BY_SYNC, &TimeZone::UTC));
    let berlin = crate::schedule::zone("Europe/Berlin").unwrap();
    let of_server = report(&sample(), MadeBy::Job { job: "fs1", run: 1042 }, &berlin);
    assert!(
        of_server.contains("\n  run 1042, 2026-08-04 23:00:05 CEST, took") && !of_server.contains("run 12"),
        "{of_server}"
    );
    assert!(!report(&sample(), MadeBy::Sync { keeps_versions: false }, &TimeZone::UTC).contains("Versions"));
}

#[test]
fn a_run_with_problems_groups_them_by_cause_and_defuses_names() {
    let mut run = sample();
    run.outcome = Outcome::Warnings;
    let denied = [("a", "opening"), ("b", ""), ("c", ""), ("d", ""), ("e", ""), ("f", "")];
    run.causes = vec![
        cause(Code::NotLocal, 3, &[("cloud.doc", "")]),
        cause(Code::AccessDenied, 1_200, &denied),
        cause(Code::Locked, 1, &[("evil\u{1b}[2J", "sharing\u{7} violation")]),
    ];
    run.remarks = vec!["the target has no hard links".into()];
    expect("problems.txt", &report(&run, BY_SYNC, &TimeZone::UTC));
}

#[test]
fn a_held_run_says_how_to_approve() {
    let mut run = sample();
    run.outcome = Outcome::Held;
    run.target = "/srv/it's a mirror".into();
    run.counts =
        Counts { source_files: 10, source_folders: 1, source_bytes: 999, unchanged: 10, held: 40, ..Counts::default() };
    run.held_because = vec!["40 of 50 files would be deleted, more than 25%".into()];
    run.held_kinds = vec![HoldKind::TooMany];
    run.held_examples = vec![path("docs/a.txt")];
    run.held_plan = Some("0123456789ab".into());
    expect("held.txt", &report(&run, BY_SYNC, &TimeZone::UTC));
    let of_a_job = report(&run, MadeBy::Job { job: "fs1", run: 7 }, &TimeZone::UTC);
    assert!(of_a_job.contains("Deletions are held") && !of_a_job.contains("octobackup held"), "{of_a_job}");
}

#[test]
fn every_reason_to_hold_is_printed_with_its_remedy_in_the_words_of_the_place() {
    let mut run = sample();
    (run.outcome, run.held_plan) = (Outcome::Held, Some("0123456789ab".into()));
    run.held_kinds = HoldKind::ALL.to_vec();
    run.held_because = run.held_kinds.iter().map(|kind| format!("reason {kind:?}")).collect();
    run.held_examples = vec![path("docs/evil\u{1b}[2J")];
    run.causes = vec![cause(Code::ReplacementsHeld, 1, &[])];
    for (by, release, trust, other) in [
        (
            BY_SYNC,
            "octobackup held /srv/mirror --release-brake",
            "octobackup sync ... --trust-listings",
            "octobackup run",
        ),
        (
            MadeBy::Job { job: "fs1", run: 7 },
            "octobackup run fs1 --release-brake",
            "octobackup job edit fs1 --set trust_listings=true",
            "octobackup held",
        ),
    ] {
        let text = report(&run, by, &TimeZone::UTC);
        let lines: Vec<&str> = text.lines().collect();
        for kind in HoldKind::ALL {
            let at = lines.iter().position(|line| *line == format!("  - reason {kind:?}")).unwrap();
            assert!(lines[at + 1].contains(kind.remedy()), "{text}");
        }
        assert_eq!(text.matches(release).count(), 3, "two reasons and the problem: {text}");
        assert!(text.contains(trust) && !text.contains(other), "{text}");
        assert!(text.contains("docs/evil") && !text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn advice_in_a_jobs_report_names_the_job_and_its_host() {
    let mut run = sample();
    run.outcome = Outcome::Failed;
    run.source = "agent://web1/srv".into();
    run.causes = [
        Code::SourceChanged,
        Code::NotMounted,
        Code::NotAdopted,
        Code::Usage,
        Code::ReplacementsHeld,
        Code::LogonFailed,
    ]
    .map(|code| cause(code, 1, &[("", "why")]))
    .into();
    let text = report(&run, MadeBy::Job { job: "fs1", run: 7 }, &TimeZone::UTC);
    for command in [
        "octobackup run fs1 --accept-source",
        "octobackup run fs1 --new-target",
        "octobackup run fs1 --adopt",
        "octobackup run fs1 --release-brake",
        "octobackup job show fs1",
        "octobackup host add web1 ",
    ] {
        assert!(text.contains(command), "{command}: {text}");
    }
    assert!(!text.contains("JOB") && !text.contains("HOST") && !text.contains('{'), "{text}");
}

#[test]
fn options_that_a_remark_names_are_said_with_the_command_of_the_place() {
    let mut run = sample();
    run.remarks = vec!["they are right: --release-brake".into(), "the times: --restamp-shift=+1h (or more)".into()];
    let of_sync = report(&run, BY_SYNC, &TimeZone::UTC);
    assert!(of_sync.contains("right: octobackup held /srv/mirror --release-brake\n"), "{of_sync}");
    assert!(of_sync.contains("times: octobackup sync ... --restamp-shift=+1h (or more)"), "{of_sync}");
    let of_a_job = report(&run, MadeBy::Job { job: "fs1", run: 7 }, &TimeZone::UTC);
    assert!(of_a_job.contains("right: octobackup run fs1 --release-brake\n"), "{of_a_job}");
    assert!(of_a_job.contains("times: octobackup run fs1 --restamp-shift=+1h (or more)"), "{of_a_job}");
}

#[test]
fn reasons_of_older_and_newer_programs_are_read_and_have_a_remedy() {
    let mut run = sample();
    run.held_because = vec!["an old reason".into()];
    let mut stored = serde_json::to_value(&run).unwrap();
    let fields = stored.as_object_mut().unwrap();
    fields.remove("held_kinds");
    fields.remove("held_examples");
    let read: RunReport = serde_json::from_value(stored.clone()).unwrap();
    assert!(report(&read, BY_SYNC, &TimeZone::UTC).contains(HoldKind::Unknown.remedy()));
    stored["held_kinds"] = serde_json::json!(["of-the-future"]);
    let read: RunReport = serde_json::from_value(stored).unwrap();
    assert_eq!(read.held_kinds, [HoldKind::Unknown]);
}

#[test]
fn a_failed_run_says_why_first() {
    let mut run = sample();
    (run.run, run.outcome, run.counts, run.free_bytes) = (0, Outcome::Failed, Counts::default(), None);
    run.causes = vec![cause(Code::Unreachable, 1, &[("", "fileserver:445: connection refused")])];
    expect("failed.txt", &report(&run, BY_SYNC, &TimeZone::UTC));
}

#[test]
fn a_dry_run_speaks_of_what_would_be() {
    let mut run = sample();
    run.dry_run = true;
    expect("dry.txt", &report(&run, BY_SYNC, &TimeZone::UTC));
}

#[test]
fn a_held_plan_lists_what_waits() {
    let entry = |place: &str, kind| HeldEntry {
        path: path(place),
        kind,
        size_bytes: 2048,
        write_time: Timestamp::from_unix(1_785_877_205, 0),
    };
    let plan = HeldPlan {
        id: "0123456789ab".into(),
        run: 12,
        because: vec!["the source is empty, the mirror has 1234 files".into()],
        kinds: vec![HoldKind::SourceEmpty],
        files: 1_234,
        bytes: 5 << 20,
        until_read: false,
        entries: vec![entry("docs", Kind::Folder), entry("docs/a.txt", Kind::File)],
        more: 1_233,
    };
    expect("plan.txt", &held(&plan, "/srv/mirror", &TimeZone::UTC));
}
