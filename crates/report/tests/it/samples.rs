//! Reports of made-up runs: a good one, the first, one with many problems, held and failed ones, and one with hostile names.

use octo_core::guard::HoldKind;
use octo_core::report::{Cause, Counts, Problem, REPORT_FORMAT};
use octo_core::{Code, Kind, Outcome, RelPath, RunReport, Timestamp};
use octo_report::document::Document;
use octo_report::held::{Plan, PlanEntry};
use octo_report::{EXAMPLES_MAX, History, KnownCause, KnownExample, MadeBy, PastRun, RunFacts, TimeZone, run};

/// 4 August 2026, 21:00:05 UTC.
pub const AT: i64 = 1_785_877_205;
const DAY: i64 = 86_400;
pub const BY_SYNC: MadeBy<'_> = MadeBy::Sync { keeps_versions: true };
pub const BY_JOB: MadeBy<'_> = MadeBy::Job { job: "fs1", run: 1042 };
/// A script, quotes, an entity, a terminal's command, a newline, letters that turn the text around, wide ones, a shell's signs.
pub const HOSTILE: &str =
    "<script>alert('x')</script> \"&amp;\" \u{1b}[2J\n\u{202e}fdp.exe\u{200b} \u{ff37}\u{ff37} $(reboot) `x`";

pub fn at(days: i64) -> Timestamp {
    Timestamp::from_unix(AT + days * DAY, 0)
}

pub fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

/// A run that ended well.
pub fn complete() -> RunReport {
    RunReport {
        format: REPORT_FORMAT,
        run: 12,
        outcome: Outcome::Succeeded,
        dry_run: false,
        source: "//fileserver/data".into(),
        target: "/srv/mirror".into(),
        started: at(0),
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

/// The first run of a mirror.
pub fn first() -> RunReport {
    let mut report = complete();
    (report.run, report.duration_ms) = (1, 9_300_000);
    report.counts = Counts {
        source_files: 212_480,
        source_folders: 10_115,
        source_bytes: 1_800 << 30,
        created: 212_480,
        folders_created: 10_115,
        links: 14,
        copied_bytes: 1_800 << 30,
        metadata_kept: 222_595,
        metadata_recorded: 301,
        ..Counts::default()
    };
    report
}

pub fn cause(code: Code, count: u64, examples: &[(&str, &str)]) -> Cause {
    let examples = examples.iter().map(|(place, detail)| Problem { code, path: path(place), detail: (*detail).into() });
    Cause { code, count, examples: examples.collect() }
}

/// 10,000 problems of 7 causes.
pub fn many_problems() -> (RunReport, History) {
    let mut report = complete();
    report.outcome = Outcome::Warnings;
    let causes = [
        (Code::AccessDenied, 8_412, "users/anna/Desktop", "opening"),
        (Code::Locked, 1_180, "accounts/ledger.mdb", "sharing violation"),
        (Code::ChangedWhileRead, 212, "logs/iis/u_ex26.log", ""),
        (Code::PathTooLong, 97, "projects/2019/a very long name", ""),
        (Code::NotLocal, 61, "archive/scan.pdf", ""),
        (Code::DfsLink, 2, "branches/hamburg", "leads to //dfs2/hamburg"),
        (Code::NameEscaped, 36, "misc/aux", ""),
    ];
    let names = |stem: &str, count: u64| {
        let stem = stem.to_owned();
        (0..count.min(20)).map(move |n| format!("{stem} {n}"))
    };
    report.causes = causes
        .iter()
        .map(|(code, count, stem, detail)| {
            let problem = |name: String| Problem { code: *code, path: path(&name), detail: (*detail).into() };
            Cause { code: *code, count: *count, examples: names(stem, *count).map(problem).collect() }
        })
        .collect();
    report.counts.problems = 10_000;
    report.remarks = vec!["the target has no hard links: replaced files are moved aside instead".into()];
    let known = |(code, count, stem, detail): &(Code, u64, &str, &str)| {
        let new = if *code == Code::Locked { 3 } else { 0 };
        let examples = names(stem, *count).take(EXAMPLES_MAX).enumerate().map(|(n, path)| KnownExample {
            path,
            detail: (*detail).into(),
            is_new: (n as u64) < new,
            since: Some(at(if (n as u64) < new { 0 } else { -9 })),
            last_good: (n % 2 == 0).then(|| at(-10)),
        });
        KnownCause { code: *code, new, still: count - new, examples: examples.collect() }
    };
    let history = History { fixed: 3, causes: causes.iter().map(known).collect(), ..history() };
    (report, history)
}

/// Three weeks of earlier runs.
pub fn history() -> History {
    let past = (1..=20).map(|day: u64| PastRun {
        started: at(day.cast_signed() - 21),
        duration_ms: 60_000 * (2 + day % 5),
        copied_bytes: (1 + day % 7) << 28,
    });
    History {
        last_good: Some(at(-1)),
        unusual: vec!["it copied 5.0 GiB, far more than the usual 100.0 MiB".into()],
        past: past.collect(),
        ..History::default()
    }
}

/// Deletions are held.
pub fn held() -> RunReport {
    let mut report = complete();
    report.outcome = Outcome::Held;
    report.target = "/srv/it's a mirror".into();
    report.counts =
        Counts { source_files: 10, source_folders: 1, source_bytes: 999, unchanged: 10, held: 40, ..Counts::default() };
    report.held_because = vec!["40 of 50 files would be deleted, more than 25%".into()];
    report.held_kinds = vec![HoldKind::TooMany];
    report.held_examples = vec![path("docs/a.txt")];
    report.held_plan = Some("0123456789ab".into());
    report
}

/// The source could not be reached.
pub fn failed() -> RunReport {
    let mut report = complete();
    (report.run, report.outcome, report.counts, report.free_bytes) = (0, Outcome::Failed, Counts::default(), None);
    report.causes = vec![cause(Code::Unreachable, 1, &[("", "fileserver:445: connection refused")])];
    report
}

/// Everything that a report can hold, with hostile text wherever text comes from outside.
pub fn hostile() -> (RunReport, History) {
    let (mut report, mut history) = many_problems();
    report.source = HOSTILE.into();
    report.target = HOSTILE.into();
    report.counts = Counts { held: 40, metadata_kept: 7, metadata_lost: 2, folders_deleted: 3, ..first().counts };
    report.held_kinds = HoldKind::ALL.to_vec();
    report.held_because = HoldKind::ALL.iter().map(|kind| format!("{kind:?} {HOSTILE}")).collect();
    report.held_examples = vec![path(HOSTILE.trim_end_matches('/')), path("a")];
    report.held_plan = Some(HOSTILE.into());
    report.remarks = vec![HOSTILE.into()];
    report.causes[0] = cause(Code::AccessDenied, 3, &[(HOSTILE, HOSTILE)]);
    history.unusual = vec![HOSTILE.into()];
    for cause in &mut history.causes {
        cause.examples.iter_mut().for_each(|it| (it.path, it.detail) = (HOSTILE.into(), HOSTILE.into()));
    }
    (report, history)
}

/// The document of a held plan.
pub fn plan(zone: &TimeZone) -> Document {
    let because = ["the source is empty, the mirror has 1234 files".to_owned()];
    let plan = Plan {
        id: "0123456789ab",
        state: 12,
        target: "/srv/mirror",
        because: &because,
        kinds: &[HoldKind::SourceEmpty],
        files: 1_234,
        bytes: 5 << 20,
        more: 1_233,
    };
    let (folder, file) = (path("docs"), path("docs/a.txt"));
    let entry = |path, kind| PlanEntry { path, kind, size_bytes: 2048, write_time: at(0) };
    octo_report::held::document(&plan, [entry(&folder, Kind::Folder), entry(&file, Kind::File)], zone)
}

/// A run that is told without a server, in UTC.
pub fn by_sync(report: &RunReport) -> Document {
    run::document(&RunFacts { report, made_by: BY_SYNC, history: None }, &TimeZone::UTC)
}

/// A run of a job.
pub fn by_job(report: &RunReport, history: &History, zone: &TimeZone) -> Document {
    run::document(&RunFacts { report, made_by: BY_JOB, history: Some(history) }, zone)
}

/// A usual morning: a few problems, one of them new. For the picture in the README.
pub fn morning() -> (RunReport, History) {
    let mut report = complete();
    report.outcome = Outcome::Warnings;
    (report.source, report.target) = ("//fs1/data".into(), "/srv/mirrors/fs1".into());
    (report.started, report.duration_ms) = (at(0), 1_345_000);
    report.counts.copied_bytes = 41 << 30;
    report.counts.metadata_kept = 162;
    let ledgers = ["Accounting/ledger-2026.mdb", "Accounting/payroll.mdb"];
    report.causes = vec![
        cause(Code::Locked, 2, &ledgers.map(|path| (path, "sharing violation"))),
        cause(Code::AccessDenied, 1, &[("Users/j.doe/Private", "opening")]),
    ];
    let known = |path: &str, detail: &str, new: bool| KnownExample {
        path: path.into(),
        detail: detail.into(),
        is_new: new,
        since: Some(at(if new { 0 } else { -6 })),
        last_good: Some(at(if new { -1 } else { -7 })),
    };
    let locked = vec![known(ledgers[0], "sharing violation", true), known(ledgers[1], "sharing violation", false)];
    let denied = vec![known("Users/j.doe/Private", "opening", false)];
    let past = history().past.split_off(13);
    let causes = vec![
        KnownCause { code: Code::Locked, new: 1, still: 1, examples: locked },
        KnownCause { code: Code::AccessDenied, new: 0, still: 1, examples: denied },
    ];
    (report, History { causes, fixed: 4, past, unusual: Vec::new(), ..history() })
}

/// All of them, by name.
pub fn all() -> Vec<(&'static str, Document)> {
    let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let quiet = History { unusual: Vec::new(), ..history() };
    let mut dry = complete();
    dry.dry_run = true;
    let mut problems = many_problems().0;
    problems.causes.truncate(3);
    let ((many, of_many), (evil, of_evil), (usual, of_usual)) = (many_problems(), hostile(), morning());
    vec![
        ("complete", by_sync(&complete())),
        ("dry", by_sync(&dry)),
        ("held", by_sync(&held())),
        ("failed", by_sync(&failed())),
        ("problems", by_sync(&problems)),
        ("plan", plan(&TimeZone::UTC)),
        ("job-morning", by_job(&usual, &of_usual, &zone)),
        ("job-complete", by_job(&complete(), &quiet, &zone)),
        ("job-first", by_job(&first(), &History::default(), &zone)),
        ("job-held", by_job(&held(), &quiet, &zone)),
        ("job-failed", by_job(&failed(), &quiet, &zone)),
        ("job-problems", by_job(&many, &of_many, &zone)),
        ("job-hostile", by_job(&evil, &of_evil, &zone)),
        ("message", Document::message("a test", "Mail from octoBackup arrives here.")),
    ]
}
