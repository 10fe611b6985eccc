//! What reads bytes that others may have written, one name each, as the fuzz targets and the run over their corpus call it:
//! settings and files of people, requests, and what lies in the data directory. Not an interface: only there in tests and
//! with the feature `fuzzing`.

mod world;

use crate::config::Config;
use crate::moment::Moment;
use crate::notify::{MailServer, Recipient};
use crate::run_log;
use octo_core::RunReport;
use octo_core::address::is_share_address;
use octo_disk::Protected;
use octo_job::mirror_spec::MirrorSpec;
use octo_job::schedule::{Hours, Schedule, TimeZone, Window, next_slots, zone};
use octo_job::units;
use octo_job::{JobSpec, JobsFile, Policy};
use octo_mirror::{HeldEntry, HeldPlan};
use octo_report::{Document, MadeBy, RunFacts, html, run, text};
use serde::de::DeserializeOwned;
use world::World;

/// A parser that must take any bytes.
pub type Parser = fn(&[u8]);

/// Every parser, by the name of its corpus.
pub const PARSERS: &[(&str, Parser)] = &[
    // `octobackup.toml`.
    ("config", |bytes| {
        let Some(Ok(config)) = as_text(bytes, Config::parse) else { return };
        config.protect(&mut Protected::default());
    }),
    ("jobs_file", |bytes| {
        let Some(Ok(file)) = as_text(bytes, JobsFile::parse) else { return };
        let again = file.to_text().map(|text| JobsFile::parse(&text));
        assert_eq!(again, Ok(Ok(file.clone())), "what is exported is read again");
        file.jobs.iter().for_each(|job| check_job(&job.over(None)));
        let _ = file.defaults.as_ref().map(check_policy);
    }),
    ("job", |bytes| {
        let Some(job) = as_json::<JobSpec>(bytes) else { return };
        check_job(&job);
    }),
    // What a job's run is made of, as the mirror keeps it.
    ("mirror_spec", |bytes| {
        let Some(Ok(mirror_spec)) = as_text(bytes, MirrorSpec::from_text) else { return };
        let _ = (
            mirror_spec.filter(),
            mirror_spec.acknowledged(),
            mirror_spec.connection.check(&mirror_spec.origin),
            mirror_spec.origin.label(),
        );
        let again = mirror_spec.to_text().and_then(|text| MirrorSpec::from_text(&text));
        assert_eq!(again.map_err(|e| e.to_string()), Ok(mirror_spec), "what is kept is read again");
    }),
    // A line with a time zone, one with a moment, one with a schedule, windows, hours.
    ("schedule", |bytes| {
        as_text(bytes, schedule);
    }),
    ("units", |bytes| {
        as_text(bytes, |text| {
            let _ = (units::bytes(text), units::duration_secs(text), units::wait_secs(text), units::shift_secs(text));
            let _ = (units::max_delete(text), units::modes(text), is_share_address(text));
        });
    }),
    ("recipient", |bytes| {
        let _ =
            as_json::<Recipient>(bytes).map(|recipient| (crate::notify::check(&recipient), recipient.way().is_some()));
        let _ = as_json::<MailServer>(bytes).map(|server| (crate::notify::check_server(&server), server.port()));
    }),
    // A run's report, shown.
    ("report", |bytes| {
        let Some(report) = as_json::<RunReport>(bytes) else { return };
        for made_by in [MadeBy::Sync { keeps_versions: true }, MadeBy::Job { job: "fs1", run: 7 }] {
            show(&run::document(&RunFacts { report: &report, made_by, history: None }, &TimeZone::UTC));
        }
        let _ = octo_job::schedule::retry_after_secs(&report, 0, 3, 60);
    }),
    // A held plan, shown.
    ("held_plan", |bytes| {
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let Some(mut plan) = lines.next().and_then(as_json::<HeldPlan>) else { return };
        plan.entries = lines.filter_map(as_json::<HeldEntry>).collect();
        show(&crate::report::held_document(&plan, "/srv/mirror", &TimeZone::UTC));
    }),
    ("run_log", |bytes| {
        let world = World::empty();
        world.write("logs/1.jsonl", bytes);
        let mut after = 0;
        while let Ok(part) = run_log::read(&world.folder(), 1, after, 3) {
            assert!(part.next >= after && part.next <= bytes.len() as u64, "a log is read forward");
            if part.next == after {
                break;
            }
            after = part.next;
        }
    }),
    // Requests to the API, with and without authentication.
    ("api", world::requests),
    // Cells of the database that somebody wrote, and all that shows them.
    ("rows", world::rows),
];

/// In every rendering.
fn show(document: &Document) {
    assert!(!text::render(document).contains('\u{1b}'), "no text commands a terminal");
    assert!(html::render(document).ends_with("</body></html>"), "a page is whole");
}

fn as_text<T>(bytes: &[u8], parse: impl FnOnce(&str) -> T) -> Option<T> {
    std::str::from_utf8(bytes).ok().map(parse)
}

fn as_json<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

fn check_job(job: &JobSpec) {
    let _ = (job.host(), job.local_source(), job.agent());
    let _ = job.check(&Policy::built_in(), None);
    let _ = check_policy(&job.policy);
}

fn check_policy(policy: &Policy) -> Result<(), crate::ServiceError> {
    policy.check()?;
    policy.explained(&Policy::built_in())?;
    let whole = policy.resolve()?;
    let _ = whole.limits(None);
    whole.bandwidth_at(Moment(1_700_000_000));
    Ok(())
}

fn schedule(text: &str) {
    let mut lines = text.lines();
    let (Some(Ok(zone)), Some(moment), Some(words)) = (lines.next().map(zone), lines.next(), lines.next()) else {
        return;
    };
    let moment = Moment(moment.parse().unwrap_or(1_785_800_000));
    if let Ok(schedule) = Schedule::parse(words) {
        let slots = next_slots(&schedule, &zone, moment, 4);
        assert!(slots.windows(2).all(|pair| pair[0] < pair[1]), "slots are in order");
        assert!(slots.iter().all(|slot| *slot > moment), "slots are to come: {slots:?} after {moment}");
    }
    for line in lines {
        let _ = Window::parse(line).map(|window| window.holds(&zone, moment));
        let _ = Hours::parse(line).map(|hours| Hours::limit_at(&[hours], &zone, moment, None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_testkit::corpus;

    const HELD: &str = "{\"id\":\"0123456789ab\",\"run\":3,\"because\":[\"too many\"],\"kinds\":[],\"files\":1,\"bytes\":5,\"until_read\":false}\n\
         {\"path\":\"a/b\",\"kind\":\"file\",\"size_bytes\":5,\"write_time\":16000000000000000}\n";
    const CONFIG: &str = "data_dir = \"/var/lib/octobackup\"\nsocket = \"/run/octobackup/octobackup.sock\"\nlog = \"json\"\n\
         [http]\nlisten = \"0.0.0.0:443\"\ncertificate = \"/c\"\nkey = \"/k\"\nnames = [\"b.example\"]\n\
         [agents]\nlisten = \"[::]:8735\"\n[limits]\nruns_max = 2\nruns_per_host_max = 1\nruns_per_disk_max = 1\n";
    const JOBS: &str = "[defaults]\nretries = 3\nkeep_versions = \"30d\"\nblackouts = [\"mon..fri 08:00-18:00\"]\n\n[[job]]\nname = \"fs1\"\n\
         source = \"//fs1/data$/folder\"\ntarget = \"/srv/fs1\"\ncredential = \"corp\"\nschedule = \"daily 22:00\"\n\
         [job.policy]\nbandwidth = \"5M\"\nmax_delete = \"10%\"\ntime_zone = \"Europe/Berlin\"\n";

    fn seeds() -> Vec<(&'static str, Vec<Vec<u8>>)> {
        let texts = |all: &[&str]| all.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        let jobs = JobsFile::parse(JOBS).unwrap();
        let job = jobs.jobs[0].over(None);
        let mirror_spec =
            MirrorSpec::new(octo_job::mirror_spec::Origin::local(std::path::Path::new("/data"))).to_text().unwrap();
        let report = world::report();
        let line = "{\"at\":\"2026-08-04T21:00:05Z\",\"level\":\"info\",\"text\":\"looks\"}\n";
        vec![
            ("config", texts(&[CONFIG])),
            ("jobs_file", texts(&[JOBS])),
            ("job", vec![serde_json::to_vec(&job).unwrap()]),
            ("mirror_spec", vec![mirror_spec.into_bytes()]),
            (
                "schedule",
                texts(&[
                    "Europe/Berlin\n1785800000\ndaily 22:00\nmon..fri 08:00-18:00\nsat,sun 22:00-06:00 2M",
                    "UTC\n0\nmon,wed 06:30, 18:30\n22:00-06:00 unlimited",
                    "America/New_York\n-1\ncron 0 */2 * * 1-5\n",
                    "UTC\n250000000000\nevery 15m\n",
                ]),
            ),
            ("units", texts(&["5M", "30d", "+1h", "10%", "0640,0750", "//fs1/share"])),
            (
                "recipient",
                texts(&[
                    "{\"name\":\"ops\",\"mail\":[\"a@example.com\"],\"when\":\"always\",\"time_zone\":\"UTC\"}",
                    "{\"webhook\":\"https://example.com/x\",\"credential\":\"c\",\"jobs\":[\"fs1\"]}",
                    "{\"server\":\"mail.example.com\",\"port\":587,\"security\":\"starttls\",\"from\":\"a@example.com\"}",
                ]),
            ),
            ("report", vec![serde_json::to_vec(&report).unwrap()]),
            ("held_plan", texts(&[HELD])),
            ("run_log", texts(&[line, &line.repeat(9), &format!("{line}cut off")])),
            ("api", world::request_seeds()),
            ("rows", world::row_seeds()),
        ]
    }

    #[test]
    fn whatever_somebody_wrote_is_read_or_refused_and_nothing_panics() {
        for (name, seeds) in seeds() {
            corpus::write_seeds("server", name, &seeds);
        }
        corpus::replay("server", PARSERS);
    }
}
