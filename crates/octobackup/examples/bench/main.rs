//! The benchmark behind `cargo xtask bench`: the same work by octoBackup and by its rivals, side by side in one run,
//! against a private Samba and an agent on this machine. It prints tables and asserts no time. Everything it makes goes with it.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

mod agents;
mod clock;
mod enumerate;
mod rows;
mod trees;
mod who;

use clock::Measured;
use octo_testkit::samba::{Samba, SambaOptions};
use std::error::Error;
use std::path::PathBuf;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What was asked for: `bench OCTOBACKUP RCLONE [--quick] [--large] [--runs N] [ROW...]`.
pub struct Asked {
    program: PathBuf,
    rclone: PathBuf,
    /// One run, and a tenth of the files.
    quick: bool,
    /// A million files too.
    large: bool,
    runs: usize,
    /// For the row of `cargo xtask scale`.
    files: usize,
    rows: Vec<String>,
}

/// One line of a table.
pub struct Line {
    row: String,
    /// Ours first.
    results: Vec<(&'static str, Measured)>,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some((enumerate::WORD, rest)) = args.split_first().map(|(word, rest)| (word.as_str(), rest)) {
        return enumerate::run(rest);
    }
    let asked = asked(args.into_iter())?;
    // Kept until the tables are printed: millions of files take minutes to delete.
    let folder = tempfile::Builder::new().prefix("octo-bench-").tempdir()?;
    agents::measure(&asked, &folder.path().join("agents"))?;
    if !asked.rows.is_empty() && asked.rows.iter().all(|row| agents::NAMES.contains(&row.as_str())) {
        return Ok(());
    }
    // It demands of everybody what the rows promise.
    let samba = Samba::start(SambaOptions::default().global("server signing = mandatory"));
    let lines = rows::measure(&asked, folder.path(), &samba)?;
    println!("\nmedians of {}, all on loopback, {} cores", asked.runs, std::thread::available_parallelism()?);
    let (alone, beside): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.results.len() < 2);
    print_table("octoBackup is", &beside);
    print_table("", &alone);
    Ok(())
}

fn print_table(compared: &str, lines: &[&Line]) {
    if lines.is_empty() {
        return;
    }
    println!("\n| work | who | time | processor | server | peak memory | {compared} |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for line in lines {
        let ours = line.results.first().map_or(0.0, |(_, it)| it.seconds);
        for (position, (who, it)) in line.results.iter().enumerate() {
            let ratio = if position == 0 { String::new() } else { format!("{:.2} times as fast", it.seconds / ours) };
            let row = if position == 0 { line.row.as_str() } else { "" };
            let (time, processor, server) = (it.seconds, it.processor_seconds, it.server_seconds);
            let megabytes = it.peak_bytes as f64 / 1e6;
            println!(
                "| {row} | {who} | {time:.2} s | {processor:.2} s | {server:.2} s | {megabytes:.0} MB | {ratio} |"
            );
        }
    }
}

fn asked(args: impl Iterator<Item = String>) -> Result<Asked> {
    const USAGE: &str = "usage: bench OCTOBACKUP RCLONE [--quick] [--large] [--runs N] [--files N] [ROW...]";
    let mut args = args;
    let (program, rclone) = (args.next().ok_or(USAGE)?.into(), args.next().ok_or(USAGE)?.into());
    let mut asked = Asked { program, rclone, quick: false, large: false, runs: 0, files: 10_000_000, rows: Vec::new() };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => asked.quick = true,
            "--large" => asked.large = true,
            "--files" => asked.files = args.next().ok_or(USAGE)?.parse()?,
            "--runs" => asked.runs = args.next().ok_or(USAGE)?.parse()?,
            row if rows::NAMES.contains(&row) || agents::NAMES.contains(&row) => asked.rows.push(arg),
            _ => {
                return Err(format!("{arg}: {USAGE}\nrows: {}", [rows::NAMES, agents::NAMES].concat().join(" ")).into());
            }
        }
    }
    if asked.runs == 0 {
        asked.runs = if asked.quick { 1 } else { 3 };
    }
    Ok(asked)
}
