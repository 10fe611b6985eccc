//! Power cuts on real filesystems: the real program works on a disk whose every write is recorded; then the power is cut after each
//! of them, with a random part of what was not flushed lost, and the next run has to make everything right by itself.
//!
//! What a cut is: everything written before the last flush is there. Of what was written since, blocks of 4 KiB, any part.

mod check;
mod filesystem;
mod recorder;
mod rows;
mod scenario;
mod server;
mod serving;
mod shell;
mod sink;
mod tree;
mod write_log;

pub use filesystem::Filesystem;
pub use scenario::{STEPS, Source, Step};

use check::{Cut, Machine, Recorded};
use recorder::Recorder;
use server::{LIVES, Tables};
use shell::{end, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use write_log::{Replay, WriteLog};

/// Files in the source of the server's job.
const SERVED_FILES: usize = 60;

/// How much is proven.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// Files in the source.
    pub files: usize,
    /// Where the cuts are.
    pub cuts: CutsAt,
    /// Disks checked at the same time.
    pub workers: usize,
    /// Which parts are lost.
    pub seed: u64,
}

/// Where the power is cut.
#[derive(Clone, Copy, Debug)]
pub enum CutsAt {
    /// So many times, over all steps, spread over each step's log.
    Spread(usize),
    /// After every entry of every log, so many times; each time another part of what was pending there is lost.
    Each(usize),
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
    let disk = Disk { program, filesystem, memory: &memory, image: &image, amount, failed };
    for step in STEPS {
        source.apply(step.name, step.change);
        let (recorded, base, log) = disk.record(|recorder| disk.mirror(recorder, &source.root, step));
        let check = |machine: &Machine<'_>, cut: &Cut<'_>| check::check(&recorded, machine, cut);
        proof.add(Cuts { name: step.name, disk: &disk, base: &base, log: &log, check: &check }.try_all(), tell);
    }
    let served = Source::new(memory.folder("served"), SERVED_FILES);
    let mut tables = Tables::new();
    for life in LIVES {
        served.apply(life.name, life.change);
        let (lived, base, log) = disk.record(|recorder| {
            let place = memory.folder("recorded/mount");
            server::record(&disk.machine(), recorder, filesystem, &place, &served.root, life)
        });
        tables.add(&lived);
        let check = |machine: &Machine<'_>, cut: &Cut<'_>| lived.check(machine, cut);
        proof.add(Cuts { name: life.name, disk: &disk, base: &base, log: &log, check: &check }.try_all(), tell);
    }
    if let Some(empty) = tables.empty() {
        tell(&format!("FAILED {empty}"));
        proof.failures.push(empty);
    }
    proof
}

impl Proof {
    /// Of one step more, which is reported.
    fn add(&mut self, (name, step): (String, Proof), tell: &dyn Fn(&str)) {
        let Proof { entries, cuts, torn, failures } = step;
        tell(&format!(
            "{name}: {entries} entries, {cuts} cuts, {torn} torn names put right, {} failures",
            failures.len()
        ));
        failures.iter().for_each(|failure| tell(&format!("FAILED {failure}")));
        self.entries += entries;
        self.cuts += cuts;
        self.torn += torn;
        self.failures.extend(failures);
    }
}

/// The disk on which everything happens, and what is to be proven on it.
struct Disk<'a> {
    program: &'a Path,
    filesystem: Filesystem,
    memory: &'a Memory,
    image: &'a Path,
    amount: Amount,
    failed: Option<&'a Path>,
}

impl Disk<'_> {
    fn machine(&self) -> Machine<'_> {
        Machine { program: self.program, folder: self.memory.folder("recorded") }
    }

    /// Records what is done: what it came to, the disk before it, and the log.
    fn record<T>(&self, work: impl FnOnce(&Recorder) -> T) -> (T, Vec<u8>, WriteLog) {
        let read = || fs::read(self.image).unwrap_or_else(|e| end(&e.to_string()));
        let base = read();
        let recorder = Recorder::start(&self.machine().folder, self.image);
        let done = work(&recorder);
        let log = WriteLog::read(&recorder.finish()).unwrap_or_else(|e| end(&format!("the log of writes: {e}")));
        Replay::new(&log, base.clone()).ends_as(&read()).unwrap_or_else(|e| end(&e));
        (done, base, log)
    }

    /// One run of the program alone.
    fn mirror<'a>(&self, recorder: &Recorder, source: &'a Path, step: &'a Step) -> Recorded<'a> {
        let machine = self.machine();
        let place = self.memory.folder("recorded/mount");
        let mirror = place.join("mirror");
        let read = |path: &Path| tree::read(path).unwrap_or_else(|e| end(&e));
        let mount = recorder.mount(self.filesystem, &place);
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
        Recorded { step, filesystem: self.filesystem, source, before, after, wanted, run, acknowledged }
    }
}

/// The number of the next run, from the mirror's marker.
fn next_run(mirror: &Path) -> u64 {
    let marker = fs::read_to_string(mirror.join(".octobackup/marker.toml")).unwrap_or_default();
    let number = marker.lines().find_map(|line| line.strip_prefix("next_run = ")?.parse().ok());
    number.unwrap_or(1)
}

/// Checks one cut; tells how many names were torn before the program put them right.
type Check<'a> = &'a (dyn Fn(&Machine<'_>, &Cut<'_>) -> Result<usize, String> + Sync);

/// The cuts of one step.
struct Cuts<'a> {
    name: &'a str,
    disk: &'a Disk<'a>,
    log: &'a WriteLog,
    base: &'a [u8],
    check: Check<'a>,
}

impl Cuts<'_> {
    fn try_all(&self) -> (String, Proof) {
        let amount = self.disk.amount;
        let wanted = match amount.cuts {
            CutsAt::Spread(cuts) => cuts.div_ceil(STEPS.len() + LIVES.len()),
            CutsAt::Each(times) => times * self.log.len(),
        };
        let next = AtomicUsize::new(0);
        let proof = Mutex::new(Proof { entries: self.log.len(), ..Proof::default() });
        std::thread::scope(|scope| {
            for worker in 0..amount.workers {
                let (next, proof) = (&next, &proof);
                scope.spawn(move || self.work(worker, wanted, next, proof));
            }
        });
        let name = format!("{}, {}", self.disk.filesystem.name(), self.name);
        (name, proof.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn work(&self, worker: usize, wanted: usize, next: &AtomicUsize, proof: &Mutex<Proof>) {
        let memory = self.disk.memory;
        let machine = Machine { program: self.disk.program, folder: memory.folder(&format!("worker{worker}")) };
        let mount = memory.folder(&format!("worker{worker}/mount"));
        let mut replay = Replay::new(self.log, self.base.to_vec());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= wanted {
                return;
            }
            // Spread over the log, in its order; the last is after its last entry.
            let entries = (number + 1) * self.log.len() / wanted;
            replay.advance(entries);
            let part = self.disk.amount.seed.wrapping_mul(1_000_003).wrapping_add(number as u64);
            // A new file each time: the loop device of the last one may still be there, and remember its blocks.
            let image = machine.folder.join(format!("image{number}"));
            let written = replay.write_to(&image, |entry, block| is_kept(part, entry, block));
            written.unwrap_or_else(|e| end(&e.to_string()));
            let copy = self.disk.failed.map(|folder| (folder, fs::read(&image)));
            let checked = (self.check)(&machine, &Cut { image: &image, mount: &mount, entries });
            let _ = fs::remove_file(&image);
            let mut proof = proof.lock().unwrap_or_else(PoisonError::into_inner);
            proof.cuts += 1;
            match checked {
                Ok(torn) => proof.torn += torn,
                Err(error) => {
                    let (of, pending) = (self.log.len(), replay.pending());
                    proof.failures.push(format!(
                        "{}, {}: power cut after entry {entries} of {of}, {pending} pending, part {part}: {error}",
                        self.disk.filesystem.name(),
                        self.name,
                    ));
                    if let Some((folder, Ok(disk))) = copy {
                        let _ = fs::write(folder.join(format!("{}-{number}.img", self.name)), disk);
                    }
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
