//! `octobackup verify`: reads a mirror again and says what is not as it was copied.

use crate::args::verify::VerifyArgs;
use crate::exit;
use crate::listeners::print;
use crate::progress::Progress;
use crate::stop::{self, SignsOfLife};
use octo_core::advice::{Place, advice};
use octo_core::numbers::{size, thousands};
use octo_core::printable::{counted, printable};
use octo_core::{Error, Event, Problem, RelPath};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::{VerifyCounts, VerifyOptions, VerifyReport, VerifyWatch};
use octo_server::clock::SystemClock;
use octo_server::events;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Verifies.
pub fn run(args: &VerifyArgs) -> Result<u8, Error> {
    let path = crate::history::folder(&args.target)?;
    let target = DiskTarget::open(&path, DiskOptions::default())?;
    let alive = Arc::new(SignsOfLife::default());
    let cancel = stop::on_signals_of(&alive)?;
    let options = VerifyOptions {
        sample: args.sample,
        older_than: args.older_than.map(Duration::from_secs),
        record: args.record,
        repair: args.repair,
    };
    let progress = if args.json || args.quiet { None } else { Progress::on_terminal() };
    let watch = Watch { progress, json: args.json, alive };
    let begun = Instant::now();
    let verified = octo_mirror::verify(&target, &options, &watch, &SystemClock::new(), &cancel);
    if let Some(progress) = &watch.progress {
        progress.end();
    }
    let report = verified?;
    if args.json {
        print(&events::tagged("verified", serde_json::to_value(&report)).to_string());
    } else if !args.quiet || !report.is_good() {
        print(&text(&report, &path.display().to_string(), begun.elapsed()));
    }
    Ok(match &report {
        report if report.cancelled => exit::CANCELLED,
        report if report.is_good() => exit::COMPLETE,
        _ => exit::PROBLEMS,
    })
}

struct Watch {
    progress: Option<Progress>,
    json: bool,
    alive: Arc<SignsOfLife>,
}

impl VerifyWatch for Watch {
    fn problem(&self, problem: &Problem) {
        self.alive.event(&Event::Problem(problem));
        if self.json {
            return print(&events::as_json(&Event::Problem(problem)).to_string());
        }
        let line = printable(&format!("{}: {}", problem.path, said(problem)));
        match &self.progress {
            Some(progress) => progress.aside(|| print(&line)),
            None => print(&line),
        }
    }

    fn progress(&self, counts: &VerifyCounts, current: &RelPath) {
        self.alive.happened();
        if let Some(progress) = &self.progress {
            let (files, read) = (thousands(counts.files), size(counts.read_bytes));
            let problems = match counts.problems {
                0 => String::new(),
                n => format!(", {}", counted(n, "problem", "problems")),
            };
            progress.waits(printable(&format!("verifying: {files} files, {read} read{problems}, {current}")));
        }
    }
}

fn said(problem: &Problem) -> String {
    match problem.detail.as_str() {
        "" => problem.code.title().to_owned(),
        detail => format!("{}: {detail}", problem.code.title()),
    }
}

/// What was found, by cause, with what to do.
fn text(report: &VerifyReport, mirror: &str, took: Duration) -> String {
    let counts = &report.counts;
    let took = octo_core::numbers::duration(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    let stopped = if report.cancelled { "Stopped. " } else { "" };
    let mut lines = vec![format!(
        "{stopped}Verified {mirror}: {} of {} files intact, {} read in {took}.",
        thousands(counts.intact),
        thousands(counts.files),
        size(counts.read_bytes)
    )];
    let mut also = |count: u64, words: &str| {
        if count > 0 {
            lines.push(format!("  {} {words}", thousands(count)));
        }
    };
    also(counts.passed_over, "not read this time (--sample, --older-than)");
    also(counts.recorded, "had no recorded hash and have one now");
    also(counts.repaired, "were damaged and are repaired from another good copy in the mirror");
    also(counts.copied_next, "are damaged; the next run compares them with the source and copies them again");
    also(counts.unrecorded, "without a recorded hash; they were not verified. To record their hashes: --record");
    also(report.damaged_records, "damaged records of hashes; they are lost. To record the hashes again: --record");
    lines.extend(report.unrecorded_examples.iter().map(|path| printable(&format!("    no recorded hash: {path}"))));
    if let Some(oldest) = report.oldest_checked {
        lines.push(format!("The file that was not verified for longest was last known to be right at {oldest} UTC."));
    }
    for cause in &report.causes {
        lines.push(format!("{}: {}", cause.code.title(), counted(cause.count, "file", "files")));
        lines.extend(cause.examples.iter().map(|problem| printable(&format!("    {}", problem.path))));
        if cause.count > cause.examples.len() as u64 {
            lines.push("    ...".to_owned());
        }
        lines.push(format!("  {}", advice(cause.code, "", Place::Sync)));
    }
    lines.join("\n")
}
