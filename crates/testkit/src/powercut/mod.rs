//! Power cuts on real filesystems: the real program works on a disk whose every write is recorded; then the power is cut after each
//! of them, with a random part of what was not flushed lost, and the next run has to make everything right by itself.
//!
//! What a cut is: everything written before the last flush is there. Of what was written since, blocks of 4 KiB, any part.

mod check;
mod filesystem;
mod recorder;
mod scenario;
mod shell;
mod tree;
mod write_log;

pub use filesystem::Filesystem;

use check::{Cut, Machine, Recorded};
use recorder::Recorder;
use scenario::{STEPS, Source, Step};
use shell::{end, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use write_log::{Replay, WriteLog};

/// How much is proven.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Files in the source.
    pub files: usize,
    /// Cuts on the filesystem, over all steps. With more cuts than entries every entry is tried, and the rest are other parts of
    /// what was pending there.
    pub cuts: usize,
    /// Disks checked at the same time.
    pub workers: usize,
    /// Which parts are lost.
    pub seed: u64,
}

/// What was proven on one filesystem.
#[derive(Default, Debug)]
pub struct Proof {
    /// Entries in the logs of all steps.
    pub entries: usize,
    /// Cuts that were tried.
    pub cuts: usize,
    /// Names that were torn before the next run copied them again, over all cuts.
    pub torn: usize,
    /// What did not hold.
    pub failures: Vec<String>,
}

/// A folder in memory for images; unmounted when dropped.
struct Memory {
    folder: tempfile::TempDir,
}

impl Memory {
    fn new() -> Memory {
        let folder = tempfile::tempdir().unwrap_or_else(|e| end(&e.to_string()));
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=6g,mode=0700", "none"]).arg(folder.path()));
        Memory { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap_or_else(|e| end(&e.to_string()));
        path
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = shell::attempt(Command::new("umount").arg("--lazy").arg(self.folder.path()));
    }
}

/// Lets `program` work on `filesystem` and cuts its power. `failed` keeps the disks of cuts that did not hold; `tell` hears
/// of each step.
pub fn prove(
    program: &Path,
    filesystem: Filesystem,
    amount: Amount,
    failed: Option<&Path>,
    tell: &dyn Fn(&str),
) -> Proof {
    let memory = Memory::new();
    let image = memory.path("image");
    fs::File::create(&image)
        .and_then(|file| file.set_len(filesystem.image_bytes()))
        .unwrap_or_else(|e| end(&e.to_string()));
    filesystem.make(&image);
    let source = Source::new(memory.folder("source"), amount.files);
    let mut proof = Proof::default();
    for step in STEPS {
        source.apply(step);
        let base = fs::read(&image).unwrap_or_else(|e| end(&e.to_string()));
        let (recorded, log) = record(program, filesystem, &memory, &image, &source.root, step);
        let whole = Replay::new(&log, base.clone());
        let written = fs::read(&image).map_err(|e| e.to_string());
        written.and_then(|image| whole.ends_as(&image)).unwrap_or_else(|e| end(&e));
        let cuts = Cuts { recorded: &recorded, log: &log, base: &base, amount, failed, program, memory: &memory };
        let of_step = cuts.try_all();
        tell(&format!(
            "{}, {}: {} entries, {} cuts, {} torn names put right, {} failures",
            filesystem.name(),
            step.name,
            of_step.entries,
            of_step.cuts,
            of_step.torn,
            of_step.failures.len()
        ));
        proof.entries += of_step.entries;
        proof.cuts += of_step.cuts;
        proof.torn += of_step.torn;
        proof.failures.extend(of_step.failures);
    }
    proof
}

fn record<'a>(
    program: &Path,
    filesystem: Filesystem,
    memory: &Memory,
    image: &Path,
    source: &'a Path,
    step: &'a Step,
) -> (Recorded<'a>, WriteLog) {
    let machine = Machine { program, folder: memory.folder("recorded") };
    let place = memory.folder("recorded/mount");
    let mirror = place.join("mirror");
    let read = |path: &Path| tree::read(path).unwrap_or_else(|e| end(&e));
    let recorder = Recorder::start(&machine.folder, image);
    let mount = recorder.mount(filesystem, &place);
    let before = read(&mirror);
    let run = next_run(&mirror);
    let ran = match step.options {
        Some(options) => machine.sync(0, source, &mirror, options),
        None => machine.approve(0, &mirror),
    };
    let ran = ran.unwrap_or_else(|e| end(&e));
    if ran.code != Some(step.ends) {
        end(&format!("{}: the program ended with {:?}: {}", step.name, ran.code, ran.said));
    }
    let acknowledged = recorder.entries();
    let (after, wanted) = (read(&mirror), read(source));
    drop(mount);
    let log = recorder.finish();
    let log = WriteLog::read(&log).unwrap_or_else(|e| end(&format!("the log of writes: {e}")));
    (Recorded { step, filesystem, source, before, after, wanted, run, acknowledged }, log)
}

/// The number of the next run, from the mirror's marker.
fn next_run(mirror: &Path) -> u64 {
    let marker = fs::read_to_string(mirror.join(".octobackup/marker.toml")).unwrap_or_default();
    let number = marker.lines().find_map(|line| line.strip_prefix("next_run = ")?.parse().ok());
    number.unwrap_or(1)
}

/// The cuts of one step.
struct Cuts<'a> {
    recorded: &'a Recorded<'a>,
    log: &'a WriteLog,
    base: &'a [u8],
    amount: Amount,
    failed: Option<&'a Path>,
    program: &'a Path,
    memory: &'a Memory,
}

impl Cuts<'_> {
    fn try_all(&self) -> Proof {
        let wanted = self.amount.cuts.div_ceil(STEPS.len());
        let next = AtomicUsize::new(0);
        let proof = Mutex::new(Proof { entries: self.log.len(), ..Proof::default() });
        std::thread::scope(|scope| {
            for worker in 0..self.amount.workers {
                let (next, proof) = (&next, &proof);
                scope.spawn(move || self.work(worker, wanted, next, proof));
            }
        });
        proof.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, worker: usize, wanted: usize, next: &AtomicUsize, proof: &Mutex<Proof>) {
        let machine = Machine { program: self.program, folder: self.memory.folder(&format!("worker{worker}")) };
        let mount = self.memory.folder(&format!("worker{worker}/mount"));
        let mut replay = Replay::new(self.log, self.base.to_vec());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= wanted {
                return;
            }
            // Spread over the log, in its order; the last is after its last entry.
            let entries = (number + 1) * self.log.len() / wanted;
            replay.advance(entries);
            let part = self.amount.seed.wrapping_mul(1_000_003).wrapping_add(number as u64);
            // A new file each time: the loop device of the last one may still be there, and remember its blocks.
            let image = machine.folder.join(format!("image{number}"));
            let written = replay.write_to(&image, |entry, block| is_kept(part, entry, block));
            written.unwrap_or_else(|e| end(&e.to_string()));
            let cut = Cut { image: &image, mount: &mount, entries };
            let copy = self.failed.map(|folder| (folder, fs::read(&image)));
            let checked = check::check(self.recorded, &machine, &cut);
            let _ = fs::remove_file(&image);
            let mut proof = proof.lock().unwrap_or_else(PoisonError::into_inner);
            proof.cuts += 1;
            match checked {
                Ok(torn) => proof.torn += torn,
                Err(error) => {
                    let pending = replay.pending();
                    let what = format!(
                        "{}, {}: power cut after entry {entries} of {}, {pending} pending, part {part}: {error}",
                        self.recorded.filesystem.name(),
                        self.recorded.step.name,
                        self.log.len()
                    );
                    if let Some((folder, Ok(disk))) = copy {
                        let _ = fs::write(folder.join(format!("{}-{number}.img", self.recorded.step.name)), disk);
                    }
                    proof.failures.push(what);
                }
            }
        }
    }
}

/// Which blocks of what is pending survive. Every fourth cut keeps all, every fourth drops whole entries only.
fn is_kept(part: u64, entry: usize, block: usize) -> bool {
    let block = match part % 4 {
        0 => return true,
        1 => 0,
        _ => block as u64,
    };
    mix(mix(part) ^ mix(entry as u64 + 1) ^ block.wrapping_mul(0x9e37_79b9_7f4a_7c15)) & 1 == 0
}

/// SplitMix64's finish.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
