//! `octobackup doctor`: what will work, what will not, and what to do about it, before the first run.
//!
//! Effects are in `gather` and `walk`; what they found is data (`facts`); what it means is a pure function (`findings`).

mod facts;
mod findings;
#[cfg(test)]
mod findings_tests;
mod gather;
mod walk;
#[cfg(test)]
mod walk_tests;

use crate::args::DoctorArgs;
use crate::listeners::print;
use facts::Facts;
use findings::{Finding, Verdict};
use octo_core::Error;
use octo_core::printable::printable;
use serde_json::json;
use std::fmt::Write;

/// The width of the text; longer lines are broken between words.
const WIDTH: usize = 100;

/// Looks, and says what was found.
pub fn run(args: &DoctorArgs) -> Result<u8, Error> {
    let facts = gather::gather(args)?;
    let findings = findings::findings(&facts);
    let verdict = findings.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
    if args.json {
        print(&as_json(&facts, &findings, verdict));
    } else {
        print(as_text(&facts, &findings, verdict).trim_end());
    }
    Ok(verdict.exit_code())
}

fn as_json(facts: &Facts, findings: &[Finding], verdict: Verdict) -> String {
    let seen = facts.seen.as_ref().ok();
    let escaped: Vec<_> = seen.into_iter().flat_map(|seen| &seen.escaped.first).collect();
    json!({
        "source": facts.source,
        "target": facts.target,
        "verdict": verdict,
        "findings": findings,
        "looked_at": seen.map(|seen| json!({
            "entries": seen.entries, "folders": seen.folders, "bytes": seen.bytes, "is_all": seen.limit.is_none(),
        })),
        "escaped_names": seen.map(|seen| seen.escaped.count),
        "escaped_examples": escaped,
    })
    .to_string()
}

fn as_text(facts: &Facts, findings: &[Finding], verdict: Verdict) -> String {
    let mut out = String::new();
    let headline = match verdict {
        Verdict::Ok | Verdict::Note => "all is fine",
        Verdict::Look => "there is something to look at",
        Verdict::Failed => "a run would FAIL",
    };
    let target = facts.target.as_deref().map(|target| format!(" -> {}", printable(target))).unwrap_or_default();
    let _ = writeln!(out, "octoBackup doctor: {headline}\n  {}{target}\n", printable(&facts.source));
    for finding in findings {
        let mark = match finding.verdict {
            Verdict::Ok => "ok",
            Verdict::Note => "note",
            Verdict::Look => "LOOK",
            Verdict::Failed => "FAILED",
        };
        paragraph(&mut out, &format!("  {mark:<7} {:<18} ", finding.topic.replace('-', " ")), &finding.says);
        if !finding.advice.is_empty() {
            paragraph(&mut out, &" ".repeat(29), &finding.advice);
        }
    }
    out
}

/// Text after a heading, broken between words and indented as wide as the heading.
fn paragraph(out: &mut String, heading: &str, text: &str) {
    let indent = heading.chars().count();
    out.push_str(heading);
    let mut at = indent;
    for word in text.split(' ') {
        let len = word.chars().count();
        if at > indent && at + 1 + len > WIDTH {
            let _ = write!(out, "\n{}", " ".repeat(indent));
            at = indent;
        } else if at > indent {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += len;
    }
    out.push('\n');
}
