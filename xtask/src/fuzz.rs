//! `cargo xtask fuzz`: every parser under libFuzzer, on all processors. What lies in `fuzz/corpus` is where it begins; the tests
//! show the same files to the same parsers, so what is kept there stays tested.

use crate::{apt, shell};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Builds the targets. Its flags for the compiler are what makes coverage counters.
const CARGO_FUZZ: &str = "0.13.2";
/// Where it builds them for, and with which allocator and linker.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";
/// How long all parsers together are fuzzed unless told otherwise.
const MINUTES: u64 = 60;
/// A parser that takes more has no limit.
const MEMORY_MIB_MAX: u32 = 1024;
/// An input that takes longer hangs. Long, as the machine may be busy.
const INPUT_SECONDS_MAX: u32 = 20;
/// The largest input tried.
const INPUT_BYTES_MAX: u32 = 8 << 10;
/// What `--keep` leaves of a parser's corpus at the most.
const KEPT_BYTES_MAX: u64 = 16 << 10;

/// What the command line says.
struct Wanted {
    minutes: u64,
    target: Option<String>,
    keep: bool,
}

/// A parser, by its crate and its name: its corpus is `fuzz/corpus/<room>/<name>`.
struct Parser {
    room: String,
    name: String,
}

/// What became of it.
struct Outcome {
    executions: u64,
    coverage: u64,
    corpus: usize,
    seconds: u64,
    /// The input that it could not take, or what else went wrong.
    crash: Option<String>,
}

/// Builds the targets, fuzzes every parser for its share of the time, and fails if one crashed.
pub fn run(args: &[String]) -> Result<()> {
    let wanted = wanted(args)?;
    let parsers: VecDeque<Parser> = parsers()?.into_iter().filter(|it| it.is_meant(wanted.target.as_deref())).collect();
    ensure!(!parsers.is_empty(), "no parser is called {}", wanted.target.unwrap_or_default());
    apt::provide()?;
    let cargo_fuzz = provide()?;
    let rooms: BTreeSet<&str> = parsers.iter().map(|it| it.room.as_str()).collect();
    // The same for each, so that what they share is built once.
    let features = rooms.iter().copied().collect::<Vec<_>>().join(",");
    for room in rooms {
        // No sanitizer: the code is safe Rust. The pinned compiler lets us have the counters.
        let mut build = Command::new(&cargo_fuzz);
        build.args(["build", "--sanitizer", "none", "--codegen-units", "16", "--target", PLATFORM]);
        build.args(["--features", &features, room]);
        shell::run(build.current_dir(shell::root()).env("RUSTC_BOOTSTRAP", "1"))?;
    }
    let at_once = std::thread::available_parallelism().map_or(1, usize::from).min(parsers.len());
    let share = Duration::from_secs(wanted.minutes * 60 * at_once as u64 / parsers.len() as u64);
    println!("{} parsers, {} s each, {at_once} at once", parsers.len(), share.as_secs());
    println!("{:<28} {:>12} {:>9} {:>7} {:>8}", "parser", "executions", "coverage", "corpus", "seconds");
    let (waiting, crashes) = (Mutex::new(parsers), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        let work = || {
            while let Some(parser) = next(&waiting) {
                let outcome = parser.fuzz(share, wanted.keep).unwrap_or_else(Outcome::failed);
                parser.tell(&outcome);
                if outcome.crash.is_some() {
                    crashes.lock().map(|mut all| all.push(parser.title())).ok();
                }
            }
        };
        (0..at_once).for_each(|_| drop(scope.spawn(work)));
    });
    let crashes = crashes.into_inner().unwrap_or_default();
    ensure!(crashes.is_empty(), "crashed: {}", crashes.join(", "));
    Ok(())
}

fn wanted(args: &[String]) -> Result<Wanted> {
    let mut wanted = Wanted { minutes: MINUTES, target: None, keep: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.as_slice().first()) {
            ("--keep", _) => wanted.keep = true,
            ("--minutes", Some(minutes)) => {
                wanted.minutes = minutes.parse().context("--minutes takes a whole number")?;
                args.next();
            }
            ("--target", Some(target)) => wanted.target = args.next().map(|_| target.clone()),
            _ => bail!("usage: cargo xtask fuzz [--minutes N] [--target ROOM[/PARSER]] [--keep]"),
        }
    }
    Ok(wanted)
}

fn next(waiting: &Mutex<VecDeque<Parser>>) -> Option<Parser> {
    waiting.lock().ok()?.pop_front()
}

/// Installs cargo-fuzz in a folder of our own, unless it is there.
fn provide() -> Result<PathBuf> {
    let root = shell::root().join("target/tools");
    let program = root.join("bin/cargo-fuzz");
    let version = Command::new(&program).arg("--version").output();
    if version.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).trim().ends_with(CARGO_FUZZ)) {
        return Ok(program);
    }
    let mut install = shell::cargo();
    install.args(["install", "--quiet", "--locked", "--version", CARGO_FUZZ, "--root"]).arg(root).arg("cargo-fuzz");
    shell::run(&mut install)?;
    Ok(program)
}

/// Every parser has a corpus: the tests make sure.
fn parsers() -> Result<Vec<Parser>> {
    let mut all = Vec::new();
    for room in names(&shell::root().join("fuzz/corpus"))? {
        for name in names(&shell::root().join("fuzz/corpus").join(&room))? {
            all.push(Parser { room: room.clone(), name });
        }
    }
    Ok(all)
}

fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let names = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    names.map(|name| Ok(name?.file_name().to_string_lossy().into_owned())).collect()
}

impl Parser {
    fn title(&self) -> String {
        format!("{}/{}", self.room, self.name)
    }

    fn is_meant(&self, target: Option<&str>) -> bool {
        target.is_none_or(|target| target == self.room || target == self.title())
    }

    fn corpus(&self) -> PathBuf {
        shell::root().join("fuzz/corpus").join(&self.room).join(&self.name)
    }

    /// A folder of its own below `fuzz`, which is there afterwards.
    fn folder(&self, of: &str) -> Result<PathBuf> {
        let folder = shell::root().join("fuzz").join(of).join(&self.room).join(&self.name);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(folder)
    }

    /// The target's program for this parser.
    fn program(&self) -> Command {
        let program = shell::root().join("fuzz/target").join(PLATFORM).join("release").join(&self.room);
        let mut command = Command::new(program);
        command.env("OCTO_PARSER", &self.name).current_dir(shell::root());
        command
    }

    /// Begins with what is checked in and what was found here before.
    fn fuzz(&self, share: Duration, keep: bool) -> Result<Outcome> {
        let (found, crashes) = (self.folder("target/found")?, self.folder("artifacts")?);
        let log_file = self.folder("target/logs")?.join("log");
        let begun = Instant::now();
        let status = self
            .program()
            .args([&found, &self.corpus()])
            .arg(format!("-max_total_time={}", share.as_secs().max(1)))
            .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"))
            .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg(format!("-artifact_prefix={}/", crashes.display()))
            .arg("-print_final_stats=1")
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log_file)?)
            .status()
            .context("the target could not be started")?;
        let log = String::from_utf8_lossy(&fs::read(&log_file)?).into_owned();
        let number = |before: &str| {
            let text = log.rsplit_once(before).map_or("", |(_, after)| after.trim_start());
            text.split(|c: char| !c.is_ascii_digit()).next().and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        let input = log.rsplit_once("Test unit written to ").and_then(|(_, after)| after.lines().next());
        let crash = (!status.success()).then(|| match input {
            Some(input) => input.to_owned(),
            None => format!("{status}, without an input; see {}", log_file.display()),
        });
        if keep && crash.is_none() {
            self.keep(&found)?;
        }
        Ok(Outcome {
            executions: number("stat::number_of_executed_units:"),
            coverage: number(" cov:"),
            corpus: names(&found)?.union(&names(&self.corpus())?).count(),
            seconds: begun.elapsed().as_secs(),
            crash,
        })
    }

    /// Adds to the checked-in corpus what covers more than it, smallest first, as long as it stays small.
    fn keep(&self, found: &Path) -> Result<()> {
        let merged = self.folder("target/merged")?;
        fs::remove_dir_all(&merged)?;
        fs::create_dir_all(&merged)?;
        let mut merge = self.program();
        merge.args(["-merge=1"]).args([&merged, &self.corpus()]).arg(found);
        ensure!(merge.stderr(Stdio::null()).status()?.success(), "merging failed");
        let there = names(&self.corpus())?;
        let mut room_bytes = KEPT_BYTES_MAX;
        for name in &there {
            room_bytes = room_bytes.saturating_sub(fs::metadata(self.corpus().join(name))?.len());
        }
        let mut new: Vec<(u64, String)> = Vec::new();
        for name in names(&merged)? {
            new.push((fs::metadata(merged.join(&name))?.len(), name));
        }
        new.sort();
        let contents: Vec<Vec<u8>> = there.iter().flat_map(|name| fs::read(self.corpus().join(name))).collect();
        for (size_bytes, name) in new {
            let bytes = fs::read(merged.join(&name))?;
            if size_bytes <= room_bytes && !contents.contains(&bytes) {
                fs::write(self.corpus().join(name), bytes)?;
                room_bytes -= size_bytes;
            }
        }
        Ok(())
    }

    fn tell(&self, outcome: &Outcome) {
        let Outcome { executions, coverage, corpus, seconds, crash } = outcome;
        println!("{:<28} {executions:>12} {coverage:>9} {corpus:>7} {seconds:>8}", self.title());
        if let Some(crash) = crash {
            println!(
                "{} CRASHED: {crash}\n  see it again:     OCTO_PARSER={} fuzz/target/{PLATFORM}/release/{} {crash}\n  \
                 make it a test:   cp {crash} fuzz/corpus/{}/",
                self.title(),
                self.name,
                self.room,
                self.title()
            );
        }
    }
}

impl Outcome {
    fn failed(error: anyhow::Error) -> Outcome {
        Outcome { executions: 0, coverage: 0, corpus: 0, seconds: 0, crash: Some(format!("{error:#}")) }
    }
}
