//! docs/manual/problems.md: all problem codes with their meaning and what to do, made from the codes and the advice of reports.
//! A test fails when the page differs from what is made here.

use octo_core::advice::{Place, advice};
use octo_core::error::Retry;
use octo_core::{Code, error};

/// A source of each kind, by which advice may differ.
const SOURCES: &[(&str, &str)] =
    &[("Share", "//HOST/SHARE"), ("Agent", "agent://NAME/"), ("Folder on Windows", r"D:\"), ("Other folder", "/")];

/// The page, in Markdown.
pub fn problem_page() -> String {
    let mut page = "# Problem codes\n\nEach problem has a code that never changes its meaning. Reports, the API and metrics use the \
                    same codes. What to do is written here for a job of the server; `octobackup sync` names its own options.\n"
        .to_owned();
    for (heading, intro, stops_run) in [
        ("One entry", "The run goes on; everything else is copied.", false),
        ("The whole run", "The run ends with it. Nothing is deleted after such an error.", true),
    ] {
        page.push_str(&format!("\n## {heading}\n\n{intro}\n\n| code | meaning | tried again | what to do |\n"));
        page.push_str("| --- | --- | --- | --- |\n");
        for code in Code::ALL.iter().copied().filter(|code| code.stops_run() == stops_run) {
            let (title, steps) = (code.title().replace('|', "\\|"), steps(code).replace('|', "\\|"));
            page.push_str(&format!("| `{code}` | {title} | {} | {steps} |\n", tried_again(code)));
        }
    }
    page
}

fn tried_again(code: error::Code) -> &'static str {
    match code.retry() {
        Retry::Never => "no",
        Retry::AtEndOfRun => "at the end of the run",
        Retry::NextRun => "in the next run",
    }
}

/// What to do; by kind of source where that differs.
fn steps(code: Code) -> String {
    let mut texts: Vec<(String, Vec<&str>)> = Vec::new();
    for (kind, source) in SOURCES {
        let text = advice(code, source, Place::Job("NAME"));
        match texts.iter_mut().find(|(known, _)| *known == text) {
            Some((_, kinds)) => kinds.push(kind),
            None => texts.push((text, vec![kind])),
        }
    }
    match &texts[..] {
        [(text, _)] => text.clone(),
        texts => {
            let parts: Vec<String> =
                texts.iter().map(|(text, kinds)| format!("{}: {text}", kinds.join(", "))).collect();
            parts.join("<br>")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_problem_codes_is_what_the_program_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/manual/problems.md");
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        let how = "cargo run -p octo-report --example problems > docs/manual/problems.md";
        assert!(kept == problem_page(), "docs/manual/problems.md is not what the program says; write it again: {how}");
    }
}
