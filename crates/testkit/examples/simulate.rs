//! `cargo xtask simulate --world mirror`: plays worlds of the engine. Options: `--seed N`, `--runs M` worlds, `--minutes K`,
//! `--focus case` (names that differ only in case), `retention` (states that go out of the middle) or `everything`; or `--scenario FILE`, one that was kept.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

#[path = "../tests/it/engine.rs"]
mod engine;

use octo_testkit::simulate::{Focus, Plan, play, play_many};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const USAGE: &str = "usage: simulate [--seed N] [--runs M | --minutes K] [--threads T] [--focus everything|case|retention] | --scenario FILE";

fn main() -> ExitCode {
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs() * 1_000_000);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let mut plan = Plan { seed, worlds: 1000, time: None, threads, focus: Focus::Everything };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args.next().unwrap_or_default();
        if arg == "--scenario" {
            return one(&value);
        }
        if arg == "--focus" {
            let Some(focus) = Focus::named(&value) else { return usage() };
            plan.focus = focus;
            continue;
        }
        let Ok(number) = value.parse::<u64>() else { return usage() };
        match arg.as_str() {
            "--seed" => plan.seed = number,
            "--runs" => plan.worlds = number,
            "--minutes" => (plan.worlds, plan.time) = (u64::MAX, Some(Duration::from_secs(60 * number))),
            "--threads" => plan.threads = usize::try_from(number).unwrap_or(1),
            _ => return usage(),
        }
    }
    println!("mirror: seeds from {}", plan.seed);
    let sum = play_many(&plan, engine::ENGINE);
    println!("{sum}");
    if sum.broken.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Plays one that was kept.
fn one(file: &str) -> ExitCode {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
    let scenario = text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    match scenario.map(|scenario| play(&scenario, engine::ENGINE)) {
        Ok(Ok(played)) => println!("{played:#?}"),
        Ok(Err(broken)) => {
            println!("{broken}");
            return ExitCode::FAILURE;
        }
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}
