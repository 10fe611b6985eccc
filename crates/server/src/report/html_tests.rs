//! The page as a mail client gets it. The expected page is in `tests/expected`; UPDATE_EXPECTED=1 writes it anew.

use super::*;
use crate::launch::blank_report;
use crate::moment::Moment;
use crate::report::SummaryExample;
use crate::run::{Reason, Run, State};
use crate::run_overrides::RunOverrides;
use octo_core::{Code, Outcome, Timestamp};

const AT: i64 = 1_785_877_205; // 4 August 2026, 21:00:05 UTC

fn told() -> RunSummary {
    let mut report = blank_report("//fs1/d$", "/srv/<fs1>", false, Timestamp::from_unix(AT, 0));
    report.outcome = Outcome::Warnings;
    report.duration_ms = 185_000;
    report.counts.source_files = 12_345;
    report.counts.source_bytes = 3 << 40;
    report.counts.created = 10;
    report.counts.copied_bytes = 5 << 30;
    report.free_bytes = Some(800 << 30);
    let run = Run {
        id: 7,
        job_id: 1,
        job: "fs1".into(),
        reason: Reason::Schedule,
        attempt: 0,
        once: RunOverrides::default(),
        asked_by: "schedule".into(),
        state: State::Finished,
        outcome: Some(Ended::Warnings),
        ignores_blackouts: false,
        queued_at: Moment(AT),
        not_before: Moment(AT),
        started_at: Some(Moment(AT)),
        finished_at: Some(Moment(AT + 185)),
        duration_ms: 185_000,
        copied_files: 10,
        copied_bytes: 5 << 30,
        deleted_files: 0,
        problems: 2,
    };
    let example = |path: &str, is_new| SummaryExample {
        path: path.into(),
        detail: "<script>alert('x')</script>".into(),
        is_new,
        since_at: Some(Moment(AT - if is_new { 0 } else { 9 * 86_400 })),
        last_good_at: Some(Moment(AT - 10 * 86_400)),
    };
    let cause = SummaryCause {
        code: Code::Locked,
        title: Code::Locked.title().into(),
        advice: octo_core::advice::advice(Code::Locked, "//fs1/data", octo_core::advice::Place::Job("fs1")),
        count: 2,
        new: 1,
        still: 1,
        examples: vec![example("a & b/\u{1b}[2Jnew.mdb", true), example("\"ledger\".mdb", false)],
    };
    let past = (1..4).map(|day| Past {
        started_at: Moment(AT - day * 86_400),
        duration_ms: 60_000 * day.unsigned_abs(),
        copied_bytes: 1 << 30,
    });
    RunSummary {
        run,
        report,
        causes: vec![cause],
        mended: 3,
        last_good_at: None,
        unusual: vec!["it copied 5.0 GiB, far more than the usual 100.0 MiB".into()],
        past: past.collect(),
    }
}

#[test]
fn a_page_is_as_expected_in_two_zones() {
    for (zone, name) in [("UTC", "page-utc.html"), ("America/New_York", "page-new-york.html")] {
        let page = page(&told(), &crate::schedule::zone(zone).unwrap());
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expected").join(name);
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&file, &page).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(page == expected, "{name} differs; it is now:\n{page}");
    }
}

#[test]
fn held_deletions_are_named_with_what_to_do_about_each_reason() {
    use octo_core::guard::HoldKind;
    let mut told = told();
    let report = &mut told.report;
    report.held_kinds = HoldKind::ALL.to_vec();
    report.held_because = report.held_kinds.iter().map(|kind| format!("reason {kind:?}")).collect();
    report.held_examples = vec![octo_core::RelPath::parse(b"docs/<b>.txt").unwrap()];
    report.held_plan = Some("0123456789ab".into());
    let page = page(&told, &TimeZone::UTC);
    for kind in HoldKind::ALL {
        let both = format!("<li>reason {kind:?}<br><b>What to do:</b> {}", escaped(kind.remedy()));
        assert!(page.contains(&both), "{kind:?}: {page}");
    }
    for words in [
        "docs/&lt;b&gt;.txt",
        "octobackup run fs1 --approve 0123456789ab",
        "octobackup run fs1 --release-brake",
        "octobackup job dismiss fs1 0123456789ab",
        "name=\"viewport\"",
        "prefers-color-scheme:dark",
        "Blue bars: how long",
    ] {
        assert!(page.contains(words), "no {words}: {page}");
    }
}

#[test]
fn a_hostile_name_is_only_text() {
    let page = page(&told(), &TimeZone::UTC);
    assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains("<fs1>"));
    assert!(page.contains("a &amp; b/") && page.contains("&quot;ledger&quot;"));
    assert!(!page.contains("http"), "a report fetches nothing from elsewhere");
}

/// How wide a browser shows each page on a screen of 390 pixels.
fn widths_on_a_phone(pages: &[String]) -> Vec<u64> {
    let folder = tempfile::tempdir().unwrap();
    let attribute = |page: &String| page.replace('&', "&amp;").replace('"', "&quot;");
    let frame = |page| format!("<iframe style=\"width:390px;border:0\" srcdoc=\"{}\"></iframe>", attribute(page));
    let measure = "<script>onload = () => document.body.textContent = [...document.querySelectorAll('iframe')]\
                   .map(it => it.contentDocument.documentElement.scrollWidth).join(' ')</script>";
    let all = folder.path().join("all.html");
    let frames: String = pages.iter().map(frame).collect();
    std::fs::write(&all, format!("<!doctype html><meta charset=\"utf-8\"><body>{measure}{frames}")).unwrap();
    let mut browser = std::process::Command::new("chromium");
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=10000"]);
    browser.arg(format!("--user-data-dir={}", folder.path().join("profile").display())).env("HOME", folder.path());
    let shown = browser.arg(format!("file://{}", all.display())).output().unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let body = shown.split_once("<body>").and_then(|(_, rest)| rest.split_once('<')).expect(&shown).0;
    body.split_whitespace().map(|width| width.parse().expect(&shown)).collect()
}

#[test]
fn no_page_is_wider_than_a_phone() {
    let name = "a_folder_whose_name_has_no_space_".repeat(7);
    let path = format!("{name}/{name}/{name}/file");
    let mut told = told();
    told.run.job = "j".repeat(64);
    (told.report.source, told.report.target) = (format!("//fs1/{path}"), format!("/srv/{path}"));
    told.report.held_because = vec![path.clone()];
    told.report.held_kinds = vec![octo_core::guard::HoldKind::ALL[0]];
    told.report.held_examples = vec![octo_core::RelPath::parse(path.as_bytes()).unwrap()];
    told.report.held_plan = Some("0123456789ab".into());
    told.report.remarks = vec![path.clone()];
    told.causes[0].examples[0].path.clone_from(&path);
    told.causes[0].advice = format!("octobackup job edit fs1 --acknowledge {path}");
    told.past[0].duration_ms = 400 * 3_600_000;
    told.past[0].copied_bytes = 1_023 << 40;
    let job = crate::report::digest::tests::job(&told.run.job, crate::report::digest::Light::Failed);
    let digest = crate::report::digest::Digest {
        since: Moment(AT),
        until: Moment(AT),
        jobs: vec![crate::report::digest::DigestJob { cause: path.clone(), next_step: path, ..job }],
    };
    let zone = crate::schedule::zone("America/New_York").unwrap();
    let too_wide = document("too wide", "<p style=\"width:900px\">x</p>");
    let pages = [page(&told, &zone), crate::report::digest::html(&digest, &zone), too_wide];
    let widths = widths_on_a_phone(&pages);
    let is_right = matches!(widths[..], [report, digest, wide] if report <= 390 && digest <= 390 && wide >= 900);
    assert!(is_right, "the report, the digest, and a page that is too wide: {widths:?}");
}
