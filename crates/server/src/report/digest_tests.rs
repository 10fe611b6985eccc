//! What the digest says of a job, and to whom it is overdue.

use super::*;

fn slot() -> NotRun {
    NotRun { due_at: Moment(1_785_877_200), why: "the server was <down>".into() }
}

pub(in crate::report) fn job(name: &str, light: Light) -> DigestJob {
    DigestJob {
        name: name.into(),
        light,
        why: String::new(),
        cause: if light == Light::Failed { "full <disk>".into() } else { String::new() },
        next_step: if light == Light::Failed { "free space".into() } else { String::new() },
        last: None,
        runs: 0,
        last_good_at: None,
        not_run: if light == Light::NotRun { vec![slot()] } else { Vec::new() },
    }
}

#[test]
fn a_backup_is_too_old_by_its_schedule_or_by_a_limit() {
    let at = |hours: i64| Moment(1_000_000 + hours * 3600);
    let table = [
        (MaxAge::Auto, 23, 9, false),
        (MaxAge::Auto, 25, 1, false),
        (MaxAge::Auto, 25, 2, true),
        (MaxAge::Auto, 24 * 400, 0, false),
        (MaxAge::Secs(48 * 3600), 48, 99, false),
        (MaxAge::Secs(48 * 3600), 49, 0, true),
        (MaxAge::Secs(48 * 3600), -5, 0, false),
        (MaxAge::Secs(u64::MAX), 1_000_000, 9, false),
        (MaxAge::Unlimited, 1_000_000, 9, false),
    ];
    for (max_age, hours, slots, wanted) in table {
        assert_eq!(is_overdue(max_age, at(0), slots, at(hours)), wanted, "{max_age:?} {hours} {slots}");
    }
}

#[test]
fn the_worst_is_what_counts() {
    let light =
        |last, is_overdue, is_paused, is_behind, ran| Standing { is_overdue, is_paused, last, ran, is_behind }.light();
    assert_eq!(light(Some(Ended::Succeeded), true, true, false, true), Light::Overdue);
    for ended in [Ended::Failed, Ended::Cancelled, Ended::Interrupted] {
        // However long ago, and whether or not it is paused since.
        for (is_paused, ran) in [(false, true), (false, false), (true, false)] {
            assert_eq!(light(Some(ended), false, is_paused, false, ran), Light::Failed);
        }
    }
    for ended in [Ended::Held, Ended::Warnings] {
        assert_eq!(light(Some(ended), false, false, false, false), Light::Attention);
        assert_eq!(light(Some(ended), false, true, false, false), Light::Attention);
        assert_eq!(light(Some(ended), false, false, true, true), Light::NotRun);
    }
    assert_eq!(light(Some(Ended::Succeeded), false, false, false, true), Light::Good);
    assert_eq!(light(Some(Ended::Succeeded), false, false, false, false), Light::Idle);
    assert_eq!(light(Some(Ended::Succeeded), false, false, true, true), Light::NotRun);
    assert_eq!(light(Some(Ended::Succeeded), false, true, true, true), Light::Paused);
    assert_eq!(light(None, false, false, true, false), Light::NotRun);
    assert_eq!(light(None, false, true, true, false), Light::Paused);
    assert_eq!(light(None, false, false, false, false), Light::Idle);
}

#[test]
fn the_page_names_every_job_under_its_heading_and_shows_text_as_text() {
    let digest = Digest {
        since: Moment(1_785_800_000),
        until: Moment(1_785_886_400),
        jobs: vec![job("fs1", Light::Overdue), job("fs2", Light::NotRun), job("fs3", Light::Good)],
    };
    assert_eq!(digest.subject(), "octoBackup: 2 of 3 jobs need attention");
    let zone = crate::schedule::zone("Europe/Berlin").unwrap();
    let told = text(&digest, &zone);
    let place = |words: &str| told.find(words).unwrap_or_else(|| panic!("no {words} in {told}"));
    assert!(
        place("NO GOOD BACKUP") < place("fs1")
            && place("fs1") < place("DID NOT RUN")
            && place("fs2") < place("Complete")
    );
    assert!(told.contains("2026-08-04 23:00 CEST did not run"), "{told}");
    assert!(told.contains("there never was a good backup"));
    let page = html(&digest, &zone);
    let failed = Digest { jobs: vec![job("fs1", Light::Failed)], ..digest.clone() };
    assert!(text(&failed, &zone).contains("    Why: full <disk>\n    What to do: free space\n"));
    assert!(html(&failed, &zone).contains("<b>Why:</b> full &lt;disk&gt;<br><b>What to do:</b> free space"));
    assert!(page.contains("name=\"viewport\"") && page.contains("prefers-color-scheme:dark"));
    assert!(page.contains("&lt;down&gt;") && !page.contains("<down>") && !page.contains("<script"));
    let well = Digest { jobs: vec![job("fs3", Light::Good), job("fs4", Light::Paused)], ..digest };
    assert_eq!(well.subject(), "octoBackup: all is well (2 jobs)");
}
