//! What the report of a run says.

use crate::samples::{BY_JOB, BY_SYNC, all, by_job, by_sync, cause, complete, held, many_problems, path};
use octo_core::guard::HoldKind;
use octo_core::{Code, Outcome, RunReport};
use octo_report::{EXAMPLES_MAX, History, MadeBy, RunFacts, TimeZone, html, run, text};

fn of(report: &RunReport, made_by: MadeBy<'_>) -> String {
    text::render(&run::document(&RunFacts { report, made_by, history: None }, &TimeZone::UTC))
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
fn reports_are_as_expected() {
    for (name, document) in all() {
        expect(&format!("{name}.txt"), &text::render(&document));
    }
    let pages = all().into_iter().filter(|(name, _)| ["job-problems", "job-hostile"].contains(name));
    pages.for_each(|(name, document)| expect(&format!("{name}.html"), &html::render(&document)));
}

#[test]
fn without_versions_none_are_promised() {
    assert!(of(&complete(), BY_SYNC).contains("Versions"));
    assert!(!of(&complete(), MadeBy::Sync { keeps_versions: false }).contains("Versions"));
}

#[test]
fn a_cause_is_named_once_with_a_few_examples() {
    let (report, history) = many_problems();
    let text = text::render(&by_job(&report, &history, &TimeZone::UTC));
    for cause in &report.causes {
        assert_eq!(text.matches(cause.code.title()).count(), 1, "{}: {text}", cause.code.title());
        let shown = (cause.count as usize).min(EXAMPLES_MAX);
        let more = cause.count - shown as u64;
        let more = octo_core::numbers::thousands(more);
        assert!(more == "0" || text.contains(&format!("... and {more} more")), "{more}: {text}");
    }
    let place = |code: Code| text.find(code.title()).unwrap();
    assert!(place(Code::Locked) < place(Code::AccessDenied), "what has new problems comes first");
    assert!(place(Code::AccessDenied) < place(Code::NameEscaped), "notes come last");
}

#[test]
fn every_reason_to_hold_is_printed_with_its_remedy_in_the_words_of_the_place() {
    let mut report = complete();
    (report.outcome, report.held_plan) = (Outcome::Held, Some("0123456789ab".into()));
    report.held_kinds = HoldKind::ALL.to_vec();
    report.held_because = report.held_kinds.iter().map(|kind| format!("reason {kind:?}")).collect();
    report.held_examples = vec![path("docs/a")];
    report.causes = vec![cause(Code::ReplacementsHeld, 1, &[])];
    for (by, release, trust, approve, other) in [
        (
            BY_SYNC,
            "octobackup held /srv/mirror --release-brake",
            "octobackup sync ... --trust-listings",
            "octobackup held /srv/mirror --approve 0123456789ab",
            "octobackup run",
        ),
        (
            BY_JOB,
            "octobackup run fs1 --release-brake",
            "octobackup job edit fs1 --set trust_listings=true",
            "octobackup run fs1 --approve 0123456789ab",
            "octobackup held",
        ),
    ] {
        let text = of(&report, by);
        let lines: Vec<&str> = text.lines().collect();
        for kind in HoldKind::ALL {
            let at = lines.iter().position(|line| *line == format!("  - reason {kind:?}")).unwrap();
            assert!(lines[at + 1].contains(kind.remedy()), "{text}");
        }
        assert_eq!(text.matches(release).count(), 3, "two reasons and the problem: {text}");
        assert!(text.contains(trust) && text.contains(approve) && !text.contains(other), "{text}");
    }
    let dry = RunReport { dry_run: true, ..held() };
    assert!(!of(&dry, BY_JOB).contains("--approve"), "a dry run holds nothing");
}

#[test]
fn advice_in_a_jobs_report_names_the_job_and_its_host() {
    let mut report = complete();
    report.outcome = Outcome::Failed;
    report.source = "agent://web1/srv".into();
    report.causes = [
        Code::SourceChanged,
        Code::NotMounted,
        Code::NotAdopted,
        Code::Usage,
        Code::ReplacementsHeld,
        Code::LogonFailed,
    ]
    .map(|code| cause(code, 1, &[("", "why")]))
    .into();
    let text = of(&report, BY_JOB);
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
    let mut report = complete();
    report.remarks = vec!["they are right: --release-brake".into(), "the times: --restamp-shift=+1h (or more)".into()];
    let of_sync = of(&report, BY_SYNC);
    assert!(of_sync.contains("right: octobackup held /srv/mirror --release-brake\n"), "{of_sync}");
    assert!(of_sync.contains("times: octobackup sync ... --restamp-shift=+1h (or more)"), "{of_sync}");
    let of_a_job = of(&report, BY_JOB);
    assert!(of_a_job.contains("right: octobackup run fs1 --release-brake\n"), "{of_a_job}");
    assert!(of_a_job.contains("times: octobackup run fs1 --restamp-shift=+1h (or more)"), "{of_a_job}");
}

#[test]
fn reasons_without_a_kind_have_a_remedy() {
    let report = RunReport { held_kinds: Vec::new(), held_examples: Vec::new(), ..held() };
    let text = text::render(&by_sync(&report));
    assert!(text.contains(HoldKind::Unknown.remedy()) && text.contains("--approve 0123456789ab"), "{text}");
}

#[test]
fn a_run_without_a_copy_says_when_the_last_good_one_was() {
    let mut report = complete();
    let known = many_problems().1;
    let said = |report: &RunReport, history: &History| text::render(&by_job(report, history, &TimeZone::UTC));
    assert!(!said(&report, &known).contains("last good run"));
    report.outcome = Outcome::Failed;
    assert!(said(&report, &known).contains("last good run: 2026-08-03 21:00 UTC"));
    assert!(said(&report, &History::default()).contains("there is no good run yet"));
    report.outcome = Outcome::Cancelled;
    let interrupted = History { was_interrupted: true, ..History::default() };
    assert!(said(&report, &interrupted).starts_with("octoBackup: fs1: interrupted; "));
}

#[test]
fn no_number_is_too_large() {
    let mut report = many_problems().0;
    let most = serde_json::json!(u64::MAX);
    let mut counts = serde_json::to_value(report.counts).unwrap();
    counts.as_object_mut().unwrap().values_mut().for_each(|it| *it = most.clone());
    report.counts = serde_json::from_value(counts).unwrap();
    report.causes.iter_mut().for_each(|cause| cause.count = u64::MAX);
    (report.duration_ms, report.free_bytes) = (u64::MAX, Some(u64::MAX));
    assert!(of(&report, BY_SYNC).contains("18,446,744,073,709,551,615"));
}
