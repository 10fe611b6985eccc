//! The project's chores, from a fresh clone with nothing but Rust: `cargo xtask test`, `demo`, `bench`, `dist`, `docs`, `tidy`.
//!
//! It leans on none of our crates, so that it compiles in seconds and works while they do not. What has to talk to
//! Samba or to the mirror lives in `crates/octobackup/examples` and is only started from here.
#![allow(clippy::disallowed_methods, reason = "chores delete what they made")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

mod apt;
mod bench;
mod deb;
mod demo;
mod dist;
mod docs;
mod fuzz;
mod picture;
mod powercut;
mod python;
mod shell;
mod simulate;
mod suite;
mod tidy;
mod windows;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test [ARGS]  install what the tests need, build the program, run every test (ARGS go to the test runner)
  demo         mirror a private Samba share twice and show what happened
  bench [--quick] [--large] [--runs N] [ROW...]
               measure how fast the program is, beside rclone, smbclient and rsync; takes many minutes
  scale [FILES]
               ten million real files (or FILES) by way of the agent: copied, unchanged, 1% changed; takes 8 KiB of disk and two
               inodes for each
  powercut [--filesystem ext4|xfs|btrfs] [--cuts N] [--files N] [--seed N] [--keep FOLDER]
               cut the power of the real program on real filesystems, 10,000 times on each unless N says otherwise, and check what
               the next run makes of it; --keep keeps the disks of cuts that failed
  simulate [--world mirror|server] [--seed N] [--runs M | --minutes K]
               play worlds that follow from a seed, with several faults in one run, and check each against a model; a seed that
               fails is shrunk and named, and played again by --seed N --runs 1
  fuzz [--minutes N] [--target ROOM[/PARSER]] [--keep]
               every parser of bytes that others may have written under libFuzzer; the minutes, 60 unless told otherwise, are
               shared among the parsers; --keep adds what covers more to the checked-in corpus
  windows [--release | --test]
               build the program for Windows; `--test` runs its tests under Wine
  deb [--test] build the Debian package; `--test` installs it in a fresh system that systemd booted
  dist         make a release: tarball, Debian package, debug symbols, lists of dependencies (CycloneDX), checksums
  docs         build the manual as a book with a search, in target/book
  report-picture
               render a sample report and take its picture for the README (docs/images/report.png), with Debian's chromium
  tidy         check the borders between crates, the paths named in documents, and sizes
  apt          install the Debian packages that tests and demo need, or print the command that does";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let chore = args.next();
    let rest: Vec<String> = args.collect();
    let done = match (chore.as_deref(), rest.is_empty()) {
        (Some("test"), _) => suite::run(&rest),
        (Some("demo"), true) => demo::run(),
        (Some("bench"), _) => bench::run(&rest),
        (Some("deb"), true) => deb::build(),
        (Some("deb"), false) if rest == ["--test"] => deb::test(),
        (Some("dist"), true) => dist::run(),
        (Some("docs"), true) => docs::run(),
        (Some("scale"), _) => bench::scale(&rest),
        (Some("powercut"), _) => powercut::run(&rest),
        (Some("simulate"), _) => simulate::run(&rest),
        (Some("fuzz"), _) => fuzz::run(&rest),
        (Some("report-picture"), true) => picture::run(),
        (Some("tidy"), true) => tidy::run(),
        (Some("windows"), true) => windows::build(false),
        (Some("windows"), false) if rest == ["--release"] => windows::build(true),
        (Some("windows"), false) if rest == ["--test"] => windows::test(),
        (Some("apt"), true) => apt::provide(),
        (Some("help" | "--help" | "-h"), _) => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
