//! The digest as a document: a section for each job that needs attention, and one row for each of the others.

use octo_api::digest::{Digest, DigestJob, Light};
use octo_core::numbers::{count, duration, size};
use octo_report::{Document, Row, Section, Step, Text, TimeZone, Tone};
use std::fmt::Write;

/// Under which the jobs without trouble stand.
const QUIET: [Light; 3] = [Light::Paused, Light::Idle, Light::Good];

/// The document; times in `zone`.
pub fn document(digest: &Digest, zone: &TimeZone) -> Document {
    let all = count(digest.jobs.len() as u64, "job");
    let worst =
        digest.jobs.iter().map(|job| tone_of(job.light)).find(|tone| *tone == Tone::Bad).unwrap_or(Tone::Attention);
    let (title, tone) = match digest.bad() {
        0 => (format!("all is well ({all})"), Tone::Good),
        1 => (format!("1 of {all} needs attention"), worst),
        number => (format!("{number} of {all} need attention"), worst),
    };
    let needing = digest.jobs.iter().filter(|job| !QUIET.contains(&job.light));
    let mut sections: Vec<Section> = needing.map(|job| of_job(job, zone)).collect();
    for light in QUIET {
        let rows: Vec<Row> = digest.jobs.iter().filter(|job| job.light == light).map(|job| row(job, zone)).collect();
        if !rows.is_empty() {
            let (heading, tone) = (Text::from(heading(light)), Some(tone_of(light)));
            sections.push(Section { heading, tone, rows, ..Section::default() });
        }
    }
    let about = vec![format!("{} to {}", digest.since.local(zone), digest.until.local(zone)).into()];
    Document { title: title.into(), tone, about, sections }
}

fn of_job(job: &DigestJob, zone: &TimeZone) -> Section {
    let mut lines: Vec<Text> = sentences(job, zone).into_iter().map(Text::from).collect();
    if !job.cause.is_empty() {
        lines.push(format!("Why: {}", job.cause).into());
    }
    lines.extend(not_run(job, zone).map(Text::from));
    let steps = if job.next_step.is_empty() { Vec::new() } else { vec![Step::what_to_do(job.next_step.as_str())] };
    let heading = format!("{}: {}", job.name, heading(job.light));
    Section { heading: heading.into(), tone: Some(tone_of(job.light)), lines, steps, ..Section::default() }
}

fn row(job: &DigestJob, zone: &TimeZone) -> Row {
    let mut words = sentences(job, zone);
    words.extend(not_run(job, zone));
    Row::new(&job.name, words.join("; "))
}

fn not_run<'a>(job: &'a DigestJob, zone: &'a TimeZone) -> impl Iterator<Item = String> + 'a {
    job.not_run.iter().map(|slot| format!("{} did not run: {}", slot.due_at.local(zone), slot.why))
}

fn heading(light: Light) -> &'static str {
    match light {
        Light::Overdue => "NO GOOD BACKUP",
        Light::Failed => "FAILED",
        Light::NotRun => "DID NOT RUN",
        Light::Attention => "Needs attention",
        Light::Paused => "Paused",
        Light::Idle => "Not due",
        Light::Good => "Complete",
    }
}

fn tone_of(light: Light) -> Tone {
    match light {
        Light::Overdue | Light::Failed | Light::NotRun => Tone::Bad,
        Light::Attention => Tone::Attention,
        Light::Paused | Light::Idle => Tone::Neutral,
        Light::Good => Tone::Good,
    }
}

fn sentences(job: &DigestJob, zone: &TimeZone) -> Vec<String> {
    let mut parts = Vec::new();
    if !job.why.is_empty() {
        parts.push(job.why.clone());
    }
    if let Some(run) = &job.last {
        let outcome = run.outcome.map(|outcome| outcome.to_string()).unwrap_or_default();
        let mut words = format!("run {} {outcome}", run.id);
        if let Some(at) = run.started_at {
            let _ = write!(words, ", {}", at.local(zone));
        }
        let _ = write!(words, ", took {}", duration(run.duration_ms.max(0).unsigned_abs()));
        let copied = (run.copied_files.max(0).unsigned_abs(), run.copied_bytes.max(0).unsigned_abs());
        if copied.0 > 0 {
            let _ = write!(words, ", {} copied, {}", count(copied.0, "file"), size(copied.1));
        }
        if run.problems > 0 {
            let _ = write!(words, ", {}", count(run.problems.unsigned_abs(), "problem"));
        }
        parts.push(words);
    }
    if job.runs > 1 {
        parts.push(format!("{} runs in this time", job.runs));
    }
    if job.last.is_none() && job.light > Light::NotRun {
        parts.push("it never ran".to_owned());
    }
    if job.light <= Light::NotRun {
        parts.push(match job.last_good_at {
            Some(at) => format!("last good backup: {}", at.local(zone)),
            None => "there is no good backup yet".to_owned(),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::Moment;
    use octo_api::digest::NotRun;
    use octo_report::{html, text};

    fn job(name: &str, light: Light) -> DigestJob {
        let why = if light == Light::Paused { "paused by <anna>".to_owned() } else { String::new() };
        let is_behind = light == Light::NotRun;
        let slot = NotRun { due_at: Moment(1_785_877_200), why: "the server was <down>".into() };
        DigestJob {
            name: name.into(),
            light,
            why,
            cause: if light == Light::Failed { "full <disk>".into() } else { String::new() },
            next_step: if light == Light::Failed { "free space".into() } else { String::new() },
            last: None,
            runs: 0,
            last_good_at: None,
            not_run: is_behind.then_some(slot).into_iter().collect(),
        }
    }

    fn digest(lights: &[Light]) -> Digest {
        let jobs = lights.iter().enumerate().map(|(n, light)| job(&format!("fs{}", n + 1), *light));
        Digest { since: Moment(1_785_800_000), until: Moment(1_785_886_400), jobs: jobs.collect() }
    }

    #[test]
    fn jobs_that_need_attention_have_a_section_and_the_others_a_row() {
        let zone = octo_job::schedule::zone("Europe/Berlin").unwrap();
        let all = [Light::Overdue, Light::Failed, Light::NotRun, Light::Attention];
        let digest = digest(&[&all[..], &QUIET[..], &[Light::Good]].concat());
        let document = document(&digest, &zone);
        assert_eq!(document.subject(), "octoBackup: 4 of 8 jobs need attention");
        let text = text::render(&document);
        for words in [
            "\nfs1: NO GOOD BACKUP\n  there is no good backup yet\n",
            "\nfs2: FAILED\n  there is no good backup yet\n  Why: full <disk>\n  What to do: free space\n",
            "  2026-08-04 23:00 CEST did not run: the server was <down>\n",
            "\nPaused\n  fs5         paused by <anna>; it never ran\n",
            "\nComplete\n  fs7         it never ran\n  fs8         it never ran\n",
        ] {
            assert!(text.contains(words), "no {words:?} in {text}");
        }
        let page = html::render(&document);
        assert!(page.contains("&#60;down&#62;") && !page.contains("<down>"), "{page}");
    }

    #[test]
    fn the_subject_says_how_many_jobs_need_attention() {
        let title = |lights: &[Light]| document(&digest(lights), &TimeZone::UTC).title.to_string();
        assert_eq!(title(&[Light::Good, Light::Paused]), "all is well (2 jobs)");
        assert_eq!(title(&[Light::Attention, Light::Good]), "1 of 2 jobs needs attention");
    }
}
