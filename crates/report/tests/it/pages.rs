//! Pages as a browser shows them.

use crate::samples::{BY_JOB, all, history, hostile, path};
use octo_report::{RunFacts, TimeZone, html, run};

/// Each page in a frame as wide as a phone; beside it, the pages are measured by one script. How wide each would like to be.
fn widths_on_a_phone(pages: &[String]) -> Vec<u32> {
    let folder = tempfile::tempdir().unwrap();
    let frame = |page: &String| {
        let page = page.replace('&', "&amp;").replace('"', "&quot;");
        format!("<iframe style=\"width:390px;height:800px;border:0\" srcdoc=\"{page}\"></iframe>")
    };
    let measure = "<script>onload=()=>{document.body.textContent=[...document.querySelectorAll('iframe')]\
                   .map(f=>f.contentDocument.documentElement.scrollWidth).join(' ')}</script>";
    let all = folder.path().join("all.html");
    let frames: String = pages.iter().map(frame).collect();
    std::fs::write(&all, format!("<!doctype html><meta charset=\"utf-8\"><body>{measure}{frames}")).unwrap();
    let mut browser = std::process::Command::new("chromium");
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=10000"]);
    browser.arg(format!("--user-data-dir={}", folder.path().join("profile").display())).env("HOME", folder.path());
    let shown = browser.arg(format!("file://{}", all.display())).output().expect("chromium (Debian package chromium)");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let body = shown.split_once("<body>").and_then(|(_, rest)| rest.split_once('<')).expect(&shown).0;
    body.split_whitespace().map(|width| width.parse().expect(&shown)).collect()
}

#[test]
fn no_page_is_wider_than_a_phone() {
    let name = "a_folder_whose_name_has_no_space_".repeat(7);
    let long = format!("{name}/{name}/{name}/file");
    let (mut report, mut known) = hostile();
    (report.source, report.target) = (format!("//fs1/{long}"), format!("/srv/{long}"));
    report.held_because[0].clone_from(&long);
    report.held_examples = vec![path(&long)];
    report.remarks = vec![long.clone()];
    report.causes[0].examples[0].path = path(&long);
    known.causes[0].examples[0].path.clone_from(&long);
    known.past = history().past;
    if let Some(run) = known.past.last_mut() {
        (run.duration_ms, run.copied_bytes) = (400 * 3_600_000, 1_023 << 40);
    }
    let zone = TimeZone::posix("<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45").unwrap();
    let widest = run::document(&RunFacts { report: &report, made_by: BY_JOB, history: Some(&known) }, &zone);
    let mut pages: Vec<String> = all().iter().map(|(_, document)| html::render(document)).collect();
    pages.push(html::render(&widest));
    pages.push("<!doctype html><p style=\"width:900px\">too wide</p>".to_owned());
    let mut widths = widths_on_a_phone(&pages);
    assert_eq!(widths.len(), pages.len());
    assert!(widths.pop() >= Some(900), "what is too wide is seen");
    assert!(widths.iter().all(|width| *width <= 390), "{widths:?}");
}

#[test]
fn a_page_knows_small_screens_and_dark_ones() {
    for (name, document) in all() {
        let page = html::render(&document);
        assert!(page.contains("name=\"viewport\"") && page.contains("prefers-color-scheme:dark"), "{name}");
    }
}
