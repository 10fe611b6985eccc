//! Plays seeded worlds of the server, and says which promise was broken in which: `cargo xtask simulate --world server`.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a program for a person who looks for faults"
)]

#[path = "../tests/it/simulate/mod.rs"]
mod simulate;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const USAGE: &str = "usage: simulate [--seed N] [--runs M | --minutes K]";
/// Worlds, if nobody says another number.
const RUNS: u64 = 1000;

#[derive(Default)]
struct Sum {
    worlds: u64,
    steps: u64,
    tally: BTreeMap<String, u64>,
    failed: BTreeMap<u64, (usize, String)>,
}

fn main() -> ExitCode {
    // What panics is told as what broke.
    std::panic::set_hook(Box::new(|_| {}));
    let mut args = std::env::args().skip(1);
    let (mut seed, mut runs, mut minutes) = (1u64, RUNS, None);
    while let Some(name) = args.next() {
        let number = args.next().and_then(|text| text.parse::<u64>().ok());
        match (name.as_str(), number) {
            ("--seed", Some(number)) => seed = number,
            ("--runs", Some(number)) => runs = number,
            ("--minutes", Some(number)) => minutes = Some(number),
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let end = minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let begun = Instant::now();
    let Some(sum) = play_all(seed, end.map_or(runs, |_| u64::MAX), end) else { return ExitCode::FAILURE };
    tell(seed, &sum, begun.elapsed());
    let Some((failed, (at, what))) = sum.failed.first_key_value() else { return ExitCode::SUCCESS };
    println!("\nseed {failed} fails at step {at}: {what}");
    let short = simulate::shrink::shrink(&simulate::scenario(*failed));
    println!("shrunk: {short:?}");
    if let Some((at, what)) = simulate::play(&short).broken {
        println!("which fails at step {at}: {what}");
    }
    println!("again: cargo xtask simulate --world server --seed {failed} --runs 1");
    ExitCode::FAILURE
}

/// Plays worlds on all cores, beginning with those that broke a promise once, until there are enough, the time is over, or one fails.
fn play_all(first: u64, count: u64, end: Option<Instant>) -> Option<Sum> {
    let (next, stop, sum) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(Sum::default()));
    for (what, scenario) in simulate::kept::all() {
        if let Some((at, broken)) = simulate::play(&scenario).broken {
            println!("a kept world fails at step {at}: {what}: {broken}");
            return None;
        }
    }
    let work = || {
        while !stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth >= count {
                break;
            }
            let seed = first.wrapping_add(nth);
            let mut played = simulate::play(&simulate::scenario(seed));
            if nth == 0 && simulate::play(&simulate::scenario(seed)).digest != played.digest {
                played.broken.get_or_insert((0, "a seed makes two worlds".to_owned()));
            }
            let mut sum = sum.lock().unwrap();
            sum.worlds += 1;
            sum.steps += played.steps;
            played.tally.into_iter().for_each(|(what, times)| *sum.tally.entry(what).or_default() += times);
            if let Some(broken) = played.broken {
                sum.failed.insert(seed, broken);
                stop.store(true, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|threads| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            threads.spawn(work);
        }
    });
    sum.into_inner().ok()
}

fn tell(first: u64, sum: &Sum, took: Duration) {
    let a_minute = 60.0 * sum.worlds as f64 / took.as_secs_f64();
    println!(
        "server: {} worlds from seed {first} in {:.1} s ({a_minute:.0} a minute), {} steps, {} failures",
        sum.worlds,
        took.as_secs_f64(),
        sum.steps,
        sum.failed.len()
    );
    let kinds: Vec<String> = sum.tally.iter().map(|(what, times)| format!("{what} {times}")).collect();
    println!("{}", kinds.join(", "));
}
