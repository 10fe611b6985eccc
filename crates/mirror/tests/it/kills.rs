//! The process is killed at random moments, in every phase of a run, again and again on the same mirror: in the end it
//! equals the source, and no name was ever half written.

use crate::crash::{assert_whole, options};
use crate::pair::{Pair, assert_same, tree};
use crate::support::mirror_watched;
use octo_core::{Event, Monitor, Outcome, Phase};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Tells a child process what to do: source, mirror.
const ORDER: &str = "OCTO_KILL_ORDER";
const KILLS_MAX: u64 = 400;
const PHASES: [&str; 5] = ["Check", "Copy", "Finish", "Delete", "Settle"];

/// Tells the parent which phase has begun.
struct Tell;

impl Monitor for Tell {
    #[expect(clippy::print_stdout, reason = "a child process tells its parent")]
    fn event(&self, event: &Event<'_>) {
        if let Event::Phase(phase) = event {
            let phase: Phase = *phase;
            println!("\nphase {phase:?}");
        }
    }
}

/// Not a promise of its own: what a child process of the test below does.
#[test]
#[ignore = "started by other tests, in a process of its own"]
fn child() {
    let order = octo_testkit::child::order(ORDER);
    let (source, target) = order.split_once('\n').unwrap();
    let source = LocalSource::open(Path::new(source)).unwrap();
    let target = DiskTarget::open(Path::new(target), DiskOptions::default()).unwrap();
    mirror_watched(&source, &target, &options(), &Tell);
}

/// Changes a third of the files, and renames and deletes others; what changes depends on the round.
fn next_state(pair: &Pair, round: u64) {
    for i in 0..60 {
        let name = |n: u64| format!("{}/{:02}", n % 6, n);
        if (i + round).is_multiple_of(3) {
            pair.write(&name(i), format!("{i} in round {round}").as_bytes(), 1_000_000 + round);
            #[cfg(unix)]
            pair.chmod(&name(i), 0o600 + u32::try_from(round % 64).unwrap());
        } else if (i + round) % 7 == 1 {
            let _ = fs::remove_file(pair.source.join(name(i)));
        } else if (i + round) % 11 == 2 {
            let _ = fs::rename(pair.source.join(name(i)), pair.source.join(name(i + 100)));
        }
    }
}

/// Starts a run and kills it a moment after `phase` has begun. The last phase that it reached.
fn kill_in(pair: &Pair, phase: &str, delay: Duration) -> Option<String> {
    let mut child = octo_testkit::child::test("kills::child")
        .env(ORDER, format!("{}\n{}", pair.source.display(), pair.target.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reached = None;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let begun = lines.by_ref().filter_map(|line| Some(line.strip_prefix("phase ")?.to_owned()));
    for now in begun {
        let is_it = now == phase;
        reached = Some(now);
        if is_it {
            std::thread::sleep(delay);
            break;
        }
    }
    child.kill().unwrap();
    let rest = lines.filter_map(|line| Some(line.strip_prefix("phase ")?.to_owned()));
    let last = rest.last().or(reached);
    let status = child.wait().unwrap();
    // A run that ended before the signal came was not killed in any phase.
    last.filter(|_| !status.success())
}

#[test]
fn killed_at_random_moments_in_every_phase_the_mirror_gets_there_in_the_end() {
    let pair = Pair::new();
    next_state(&pair, 0);
    pair.run(&options());
    let mut hits: BTreeMap<String, u32> = BTreeMap::new();
    let mut random = 0x2545_F491_4F6C_DD1Du64;
    for kill in 1..=KILLS_MAX {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let before = tree(&pair.target);
        next_state(&pair, kill);
        let phase = PHASES[usize::try_from(kill).unwrap() % PHASES.len()];
        if let Some(hit) = kill_in(&pair, phase, Duration::from_micros(random % 4000)) {
            *hits.entry(hit).or_default() += 1;
        }
        assert_whole(&tree(&pair.target), [&before, &tree(&pair.source)], kill);
        if kill >= 40 && PHASES.iter().all(|phase| hits.get(*phase).is_some_and(|n| *n >= 3)) {
            break;
        }
    }
    assert!(PHASES.iter().all(|phase| hits.contains_key(*phase)), "not every phase was hit: {hits:?}");
    let report = pair.run(&options());
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
    assert_same(&tree(&pair.target), &tree(&pair.source), "after all kills");
    #[cfg(unix)]
    pair.assert_modes_recorded("after all kills");
}
