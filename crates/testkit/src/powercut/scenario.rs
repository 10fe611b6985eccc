//! What the program does while its disk is recorded: a mirror's life, step by step.

use super::shell::end;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// One step: the source changes, then the program runs once.
pub struct Step {
    /// In words.
    pub name: &'static str,
    /// What becomes of the source.
    pub change: fn(&Source) -> io::Result<()>,
    /// Options of `sync`; `None` approves what is held instead.
    pub options: Option<&'static [&'static str]>,
    /// The code the program ends with.
    pub ends: i32,
}

/// All steps, each on the disk that the one before left.
pub const STEPS: &[Step] = &[
    Step { name: "first run", change: Source::fill, options: Some(&[]), ends: 0 },
    Step { name: "changes of every kind", change: Source::change, options: Some(FREELY), ends: 0 },
    Step { name: "held deletions", change: Source::lose_most, options: Some(&[]), ends: 4 },
    Step { name: "approval", change: |_| Ok(()), options: None, ends: 0 },
    Step { name: "a few changes", change: Source::change_a_few, options: Some(FREELY), ends: 0 },
    Step { name: "prune", change: Source::change_a_few, options: Some(PRUNING), ends: 0 },
];

const FREELY: &[&str] = &["--max-delete", "100%"];
const PRUNING: &[&str] = &["--max-delete", "100%", "--keep-versions", "1s"];
/// Names that a record or a shell could stumble over.
const ODD: &[&[u8]] = &[b"100%", b"two\nlines", b"\xff\xfe", b" spaces ", b"-rf"];

/// The tree that is mirrored.
pub struct Source {
    /// Its folder.
    pub root: PathBuf,
    files: usize,
}

impl Source {
    /// About so many files.
    pub fn new(root: PathBuf, files: usize) -> Source {
        Source { root, files }
    }

    /// Changes it as a step says.
    pub fn apply(&self, step: &str, change: fn(&Source) -> io::Result<()>) {
        change(self).unwrap_or_else(|e| end(&format!("the source of {step}: {e}")));
    }

    fn file(&self, number: usize) -> PathBuf {
        self.root.join(format!("folder{:02}/sub{}/file{number:04}", number % 20, number % 3))
    }

    /// Those of the files that a step means: every `of`-th, from `from` on.
    fn every(&self, of: usize, from: usize) -> impl Iterator<Item = PathBuf> {
        (from..self.files).step_by(of).map(|number| self.file(number))
    }

    pub(super) fn fill(&self) -> io::Result<()> {
        for number in 0..self.files {
            let size = match number % 100 {
                0 => 0,
                1 => 300_000,
                2 => 40_000,
                _ => 20 + number % 3000,
            };
            write(&self.file(number), number, size)?;
        }
        for (number, name) in ODD.iter().enumerate() {
            write(&self.root.join("odd").join(OsStr::from_bytes(name)), number, 100)?;
        }
        // Above the size from which each file is synced before its rename.
        write(&self.root.join("large"), 7, 9 << 20)?;
        holed(&self.root.join("holes"), 1)?;
        fs::create_dir_all(self.root.join("empty/in/empty"))?;
        symlink("large", self.root.join("link"))
    }

    pub(super) fn change(&self) -> io::Result<()> {
        for (number, path) in self.every(10, 3).enumerate() {
            write(&path, number + 5000, 30 + number % 5000)?;
        }
        self.every(20, 4).try_for_each(fs::remove_file)?;
        for (number, path) in self.every(20, 5).enumerate() {
            fs::rename(path, self.root.join(format!("empty/moved{number}")))?;
        }
        fs::rename(self.root.join("folder19"), self.root.join("folder renamed"))?;
        for path in self.every(20, 6) {
            fs::set_permissions(path, Permissions::from_mode(0o640))?;
        }
        for path in self.every(self.files / 4, 7) {
            fs::remove_file(&path)?;
            write(&path.join("in"), 1, 200)?;
        }
        fs::remove_dir_all(self.root.join("folder00/sub0"))?;
        write(&self.root.join("folder00/sub0"), 2, 300)?;
        for number in 0..self.files / 20 {
            write(&self.root.join(format!("new/file{number}")), number, 500 + number)?;
        }
        write(&self.root.join("large"), 8, 10 << 20)?;
        holed(&self.root.join("holes"), 2)?;
        fs::remove_file(self.root.join("link"))?;
        symlink("new", self.root.join("link"))
    }

    /// And something that is not copied, which is a problem.
    pub(super) fn change_and_hold_a_socket(&self) -> io::Result<()> {
        self.change()?;
        UnixListener::bind(self.root.join("socket")).map(drop)
    }

    pub(super) fn lose_most_and_the_socket(&self) -> io::Result<()> {
        fs::remove_file(self.root.join("socket"))?;
        self.lose_most()
    }

    fn lose_most(&self) -> io::Result<()> {
        (1..16).try_for_each(|number| fs::remove_dir_all(self.root.join(format!("folder{number:02}"))))?;
        write(&self.root.join("new/beside the loss"), 3, 1000)
    }

    pub(super) fn change_a_few(&self) -> io::Result<()> {
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        for number in 0..self.files / 40 {
            write(&self.root.join(format!("new/file{number}")), number + seconds as usize % 1000, 700 + number)?;
        }
        for number in 0..self.files / 80 {
            let path = self.root.join(format!("empty/moved{number}"));
            if path.exists() { fs::remove_file(path)? } else { write(&path, number, 90)? }
        }
        Ok(())
    }
}

/// A file of which most takes no space.
fn holed(path: &Path, seed: usize) -> io::Result<()> {
    let content = [u8::try_from(seed).unwrap_or(0); 4096];
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    file.set_len(3 << 20)?;
    file.write_all_at(&content, (1 << 20) * seed as u64)
}

/// Content that tells file and state apart; each state of a file has a time of its own.
fn write(path: &Path, seed: usize, size: usize) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let before = fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let line = format!("{seed} of {}\n", path.file_name().unwrap_or_default().display());
    let content: Vec<u8> = line.bytes().cycle().take(size).collect();
    fs::write(path, content)?;
    match before {
        Some(before) => File::options().write(true).open(path)?.set_modified(before + Duration::from_secs(60)),
        None => Ok(()),
    }
}
