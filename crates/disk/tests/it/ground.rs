//! Folders, filesystems and short words for the tests.

#[cfg(target_os = "linux")]
use octo_core::Source;
use octo_core::{Code, Entry, Error, ListSink, Listed, Meta, RelPath, Target, Timestamp};
use octo_disk::{DiskOptions, DiskTarget};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
#[cfg(target_os = "linux")]
use std::process::Command;
use tempfile::TempDir;

pub fn p(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

/// Some moment, exact to 100 ns.
pub const MOMENT: Timestamp = Timestamp(16_000_000_001_234_567);

pub fn temp() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub fn open(path: &Path) -> DiskTarget {
    DiskTarget::open(path, DiskOptions { create: true, ..DiskOptions::default() }).unwrap()
}

/// A target in a fresh folder with a canary outside of it.
pub struct Yard {
    pub target: DiskTarget,
    pub root: PathBuf,
    /// A folder beside the root, with `canary` in it.
    pub outside: PathBuf,
    pub _temp: TempDir,
}

pub const CANARY: &str = "do not touch";

pub fn yard() -> Yard {
    let temp = temp();
    let (root, outside) = (temp.path().join("mirror"), temp.path().join("outside"));
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("canary"), CANARY).unwrap();
    Yard { target: open(&root), root, outside, _temp: temp }
}

impl Yard {
    /// What is outside, with contents and times: to be compared before and after.
    pub fn outside_state(&self) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
        let entries = std::fs::read_dir(&self.outside).unwrap().map(|entry| entry.unwrap());
        let state = |path: PathBuf| {
            let meta = path.symlink_metadata().unwrap();
            let content = if meta.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            (path, (content, meta.modified().unwrap()))
        };
        entries.map(|entry| state(entry.path())).chain([state(self.outside.clone())]).collect()
    }
}

/// Keeps what a listing says.
#[derive(Default)]
pub struct Kept {
    pub entries: BTreeMap<Vec<u8>, Meta>,
    pub problems: Vec<Error>,
}

impl ListSink for Kept {
    fn entry(&mut self, entry: Entry) -> ControlFlow<()> {
        let twice = self.entries.insert(entry.name.as_bytes().to_vec(), entry.meta);
        assert!(twice.is_none(), "{:?} was listed twice", entry.name);
        ControlFlow::Continue(())
    }

    fn problem(&mut self, _: &[u8], error: Error) {
        self.problems.push(error);
    }

    fn restart(&mut self) {
        *self = Kept::default();
    }
}

impl Kept {
    pub fn names(&self) -> Vec<String> {
        self.entries.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }
}

pub fn list_target(target: &dyn Target, folder: &str) -> Kept {
    let mut kept = Kept::default();
    assert_eq!(target.list(&p(folder), &mut kept), Listed::Complete);
    kept
}

#[cfg(target_os = "linux")]
pub fn list_source(source: &dyn Source, folder: &str) -> (Kept, Listed) {
    let mut kept = Kept::default();
    let listed = source.list(&p(folder), &mut kept);
    (kept, listed)
}

pub fn code<T>(result: Result<T, Error>) -> Code {
    match result {
        Ok(_) => panic!("it worked, and should not have"),
        Err(error) => error.code,
    }
}

pub fn write_file(target: &dyn Target, path: &str, content: &[u8]) {
    target.create_file(&p(path)).unwrap().write_at(0, content).unwrap();
}

pub fn make_reserved(target: &dyn Target) {
    for folder in [".octobackup", ".octobackup/tmp"] {
        target.make_folder(&p(folder)).unwrap();
    }
}

#[cfg(target_os = "linux")]
/// Runs a tool of the system, or says which package has it.
pub fn run(package: &str, program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program} ({error}): apt-get install {package}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{program} {arguments:?} failed (are you root?): {said}");
}

#[cfg(target_os = "linux")]
/// Gives this thread mounts of its own: they are invisible to others and end with the thread, whatever happens.
pub fn own_mounts() {
    #[expect(unsafe_code, reason = "mounts of this thread only; no file descriptor is concerned")]
    let own = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNS) };
    own.expect("a mount namespace needs root");
    run("mount", "mount", &["--make-rprivate", "/"]);
}

#[cfg(target_os = "linux")]
/// Something mounted at a path, until it is dropped: after all that is opened below it, before the folder is removed.
pub struct Mounted(PathBuf);

#[cfg(target_os = "linux")]
pub fn mount(arguments: &[&str], path: &Path) -> Mounted {
    run("mount", "mount", &[arguments, &[path.to_str().unwrap()]].concat());
    Mounted(path.to_path_buf())
}

#[cfg(target_os = "linux")]
impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a failed test may still have files open. A loop device goes with its mount.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
/// A small filesystem in a file, mounted for this thread.
pub struct Disk {
    pub path: PathBuf,
    // Dropped in this order.
    _mounted: Mounted,
    _temp: TempDir,
}

#[cfg(target_os = "linux")]
impl Disk {
    /// `make` and `mount` are each a package, a program of it, and its options; `mount` gets image and folder at the end.
    pub fn new(megabytes: u64, make: (&str, &str, &[&str]), mount: (&str, &str, &[&str])) -> Disk {
        own_mounts();
        let temp = temp();
        let (image, path) = (temp.path().join("image"), temp.path().join("disk"));
        std::fs::create_dir(&path).unwrap();
        std::fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        let (image, folder) = (image.to_str().unwrap(), path.to_str().unwrap());
        run(make.0, make.1, &[make.2, &[image]].concat());
        run(mount.0, mount.1, &[mount.2, &[image, folder]].concat());
        Disk { _mounted: Mounted(path.clone()), path, _temp: temp }
    }

    pub fn ext4(megabytes: u64, options: &[&str]) -> Disk {
        Disk::new(megabytes, ("e2fsprogs", "mkfs.ext4", &[&["-q", "-F", "-m", "0"], options].concat()), LOOP)
    }
}

#[cfg(target_os = "linux")]
/// Mounts an image through the kernel.
pub const LOOP: (&str, &str, &[&str]) = ("mount", "mount", &["-o", "loop"]);
