//! The rows of the tables: what is there, and what is measured of it.
//!
//! Trees and targets stay until the end, large files excepted: ext4 goes out of the way of the inodes of files that were
//! deleted a moment ago, and whoever makes many files next would pay for it.

use crate::clock::{self, Measured};
use crate::who::{self, Field, SHARE, Who};
use crate::{Asked, Line, Result, trees};
use octo_testkit::proxy::{Proxy, Trouble};
use octo_testkit::samba::Samba;
use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What may be asked for by name.
pub const NAMES: &[&str] =
    &["small", "rust", "large", "latency", "local", "many", "million", "one-folder", "encrypted", "growth"];
/// These take many minutes, and are measured when they are named or `--large` was given.
const ONLY_LARGE: &[&str] = &["million"];

const ALL: &[Who] = &[Who::Octo, Who::Rclone, Who::Smbclient];
const SYNCING: &[Who] = &[Who::Octo, Who::Rclone];
const LISTING: &[Who] = &[Who::Octo, Who::Rclone, Who::Enumeration];

struct Bench<'a> {
    field: Field<'a>,
    /// The server's process.
    server: u32,
    share: PathBuf,
    targets: &'a Path,
    lines: Vec<Line>,
}

/// Measures what was asked for, or everything, with targets in this folder.
pub fn measure(asked: &Asked, folder: &Path, samba: &Samba) -> Result<Vec<Line>> {
    let (state, targets) = (folder.join("state"), folder.join("targets"));
    fs::create_dir_all(&state)?;
    fs::create_dir_all(&targets)?;
    let disguised = who::disguise(asked)?;
    let myself = std::env::current_exe()?;
    let field = Field { asked, myself, disguised, host: samba.addr(), port: Samba::OTHER_PORT, state: &state };
    let server = samba.pid().ok_or("the server does not run")?;
    let mut bench = Bench { field, server, share: samba.share_path(SHARE), targets: &targets, lines: Vec::new() };
    let by_default = |name: &str| asked.rows.is_empty() && (asked.large || !ONLY_LARGE.contains(&name));
    for name in NAMES.iter().filter(|name| by_default(name) || asked.rows.iter().any(|row| row == *name)) {
        println!("measuring: {name}");
        bench.row(name)?;
        // The next row is not to be slowed down by what this one has left to write.
        Command::new("sync").status()?;
    }
    Ok(bench.lines)
}

impl Bench<'_> {
    fn row(&mut self, name: &str) -> Result<()> {
        let source = self.share.join(name);
        let less = if self.field.asked.quick { 10 } else { 1 };
        match name {
            "small" => {
                trees::files(&source, 20, 20_000 / less, 4096)?;
                let row = format!("first copy, {} x 4 KiB", 20_000 / less);
                self.first(&row, name, ALL)?;
                self.first(&format!("{row}, metadata too"), name, &[Who::OctoFull])?;
            }
            "rust" => {
                trees::rust(&source)?;
                self.first("first copy, Rust source tree", name, ALL)?;
                self.unchanged("unchanged, Rust source tree", name, SYNCING)?;
            }
            "large" => {
                trees::large(&source, 2048 / less as u64)?;
                self.first(&format!("first copy, one file of {} MiB", 2048 / less), name, ALL)?;
            }
            "latency" => self.latency(name, less)?,
            "local" => self.local(name)?,
            "many" => {
                trees::files(&source, 2000 / less, 200_000 / less, 16)?;
                let row = format!("unchanged, {} files in {} folders", 200_000 / less, 2000 / less);
                self.unchanged(&row, name, LISTING)?;
            }
            "million" => {
                trees::files(&source, 10_000 / less, 1_000_000 / less, 16)?;
                let row = format!("unchanged, {} files in {} folders", 1_000_000 / less, 10_000 / less);
                self.unchanged(&row, name, LISTING)?;
            }
            "one-folder" => {
                trees::files(&source, 1, 500_000 / less, 16)?;
                self.unchanged(&format!("unchanged, {} files in one folder", 500_000 / less), name, LISTING)?;
            }
            "encrypted" => {
                trees::files(&source.join("small"), 20, 20_000 / less, 4096)?;
                trees::large(&source.join("large"), 2048 / less as u64)?;
                for part in ["small", "large"] {
                    self.first(&format!("encrypted: {part}"), &format!("{name}/{part}"), &[Who::OctoEncrypted])?;
                }
            }
            _ => self.growth(name, less)?,
        }
        Ok(())
    }

    /// 10 ms in each direction.
    fn latency(&mut self, name: &str, less: usize) -> Result<()> {
        let source = self.share.join(name);
        trees::files(&source.join("files"), 20, 2000 / less, 4096)?;
        trees::files(&source.join("folders"), 2000 / less, 2000 / less, 16)?;
        let upstream = (self.field.host.as_str(), self.field.port).to_socket_addrs()?.next().ok_or("no address")?;
        let proxy = Proxy::start(upstream)?;
        proxy.set(Trouble::delay(Duration::from_millis(10)), Trouble::delay(Duration::from_millis(10)));
        let straight = self.serve(proxy.addr());
        self.first(&format!("20 ms: first copy, {} x 4 KiB", 2000 / less), "latency/files", SYNCING)?;
        self.unchanged(&format!("20 ms: unchanged, {} folders", 2000 / less), "latency/folders", SYNCING)?;
        self.serve(straight);
        Ok(())
    }

    /// The share is read there from now on; where it was read before.
    fn serve(&mut self, at: SocketAddr) -> SocketAddr {
        let before = SocketAddr::new(self.field.host.parse().unwrap_or(at.ip()), self.field.port);
        (self.field.host, self.field.port) = (at.ip().to_string(), at.port());
        before
    }

    fn local(&mut self, name: &str) -> Result<()> {
        let source = self.share.join(name);
        trees::rust(&source)?;
        let both = [Who::Octo, Who::Rsync];
        self.copied("local: first copy, Rust source tree", &both, |field, who, to| field.local(who, &source, to))?;
        self.settled("local: unchanged, Rust source tree", &both, &source, |field, who, to| {
            field.local(who, &source, to)
        })
    }

    fn growth(&mut self, name: &str, less: usize) -> Result<()> {
        let largest = if self.field.asked.large { 1_000_000 } else { 100_000 };
        for files in [10_000, 100_000, 1_000_000].into_iter().filter(|files| *files <= largest).map(|it| it / less) {
            let folder = format!("{name}/{files}");
            trees::files(&self.share.join(&folder), files / 100, files, 16)?;
            self.first(&format!("growth: first copy, {files} files"), &folder, &[Who::Octo])?;
            self.unchanged(&format!("growth: unchanged, {files} files"), &folder, &[Who::Octo])?;
        }
        Ok(())
    }

    fn first(&mut self, row: &str, folder: &str, who: &[Who]) -> Result<()> {
        self.copied(row, who, |field, who, target| field.over_smb(who, folder, target))
    }

    fn unchanged(&mut self, row: &str, folder: &str, who: &[Who]) -> Result<()> {
        let source = self.share.join(folder);
        self.settled(row, who, &source, |field, who, target| field.over_smb(who, folder, target))
    }

    /// Each run into a new target; the rivals take turns, so that a noise of the machine does not hit one of them only.
    fn copied(&mut self, row: &str, who: &[Who], command: impl Fn(&Field, Who, &Path) -> Command) -> Result<()> {
        let mut runs = vec![Vec::new(); who.len()];
        for _ in 0..self.field.asked.runs {
            for (who, runs) in who.iter().zip(&mut runs) {
                let target = self.empty_target()?;
                runs.push(clock::run(&mut command(&self.field, *who, &target), self.server, Some(&target))?);
                trees::remove_large(&target)?;
                Command::new("sync").arg("-f").arg(self.targets).status()?;
            }
        }
        self.note(row, who, runs);
        Ok(())
    }

    /// Targets in which everything is already. Ours has made its own; for the others a copy of the source will do.
    fn settled(
        &mut self,
        row: &str,
        who: &[Who],
        source: &Path,
        command: impl Fn(&Field, Who, &Path) -> Command,
    ) -> Result<()> {
        let mut runs = vec![Vec::new(); who.len()];
        let mut targets = Vec::new();
        for who in who {
            let target = self.empty_target()?;
            if *who == Who::Enumeration {
                // It has no target.
            } else if *who == Who::Octo {
                clock::run(&mut command(&self.field, *who, &target), self.server, Some(&target))?;
            } else {
                fs::remove_dir(&target)?;
                trees::copy(source, &target)?;
            }
            targets.push(target);
        }
        Command::new("sync").status()?;
        for _ in 0..self.field.asked.runs {
            for ((who, target), runs) in who.iter().zip(&targets).zip(&mut runs) {
                runs.push(clock::run(&mut command(&self.field, *who, target), self.server, None)?);
            }
        }
        self.note(row, who, runs);
        Ok(())
    }

    /// Never the same name twice: the program remembers the mirrors that it has made.
    fn empty_target(&self) -> Result<PathBuf> {
        Ok(tempfile::Builder::new().tempdir_in(self.targets)?.keep())
    }

    fn note(&mut self, row: &str, who: &[Who], runs: Vec<Vec<Measured>>) {
        let median = |(who, runs): (&Who, _)| Some((who.name(), clock::median(runs)?));
        let results: Vec<_> = who.iter().zip(runs).filter_map(median).collect();
        for (name, it) in &results {
            let (processor, server) = (it.processor_seconds, it.server_seconds);
            println!("  {row}: {name}: {:.2} s, processor {processor:.2} s, server {server:.2} s", it.seconds);
        }
        self.lines.push(Line { row: row.to_owned(), results });
    }
}
