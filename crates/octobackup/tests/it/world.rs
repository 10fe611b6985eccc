//! A source, a place for a mirror, a user's state folder, and the program.

use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// What comes, comes within this time, on a busy machine too.
pub const WAIT_MAX: Duration = Duration::from_secs(60);

/// Everything a test needs; removed with it.
pub struct World {
    folder: tempfile::TempDir,
}

/// What a finished program said.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// One entry: `None` for a folder, otherwise the content; and its time.
pub type Tree = BTreeMap<PathBuf, (Option<Vec<u8>>, SystemTime)>;

impl World {
    pub fn new() -> World {
        let world = World { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(world.src()).unwrap();
        world
    }

    /// With a few files, folders, an empty folder and an empty file.
    pub fn with_files() -> World {
        let world = World::new();
        fs::create_dir_all(world.src().join("docs/empty")).unwrap();
        for (path, text) in
            [("a.txt", "one"), ("docs/b.txt", "two"), ("docs/zero", ""), ("docs/na\u{ef}ve \u{1f419}", "x")]
        {
            fs::write(world.src().join(path), text).unwrap();
        }
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn src(&self) -> PathBuf {
        self.path("src")
    }

    pub fn dst(&self) -> PathBuf {
        self.path("dst")
    }

    /// The program, with nothing of the machine's own user.
    pub fn program(&self, args: &[&OsStr]) -> Command {
        self.command(Path::new(env!("CARGO_BIN_EXE_octobackup")), args)
    }

    /// The same for another account, which need not reach the folder where it was built.
    #[cfg(unix)]
    pub fn program_as(&self, uid: u32, args: &[&OsStr]) -> Command {
        use std::os::unix::process::CommandExt;
        let copy = self.path("octobackup");
        if !copy.exists() {
            fs::copy(env!("CARGO_BIN_EXE_octobackup"), &copy).unwrap();
        }
        let mut command = self.command(&copy, args);
        command.uid(uid).gid(uid);
        command
    }

    fn command(&self, program: &Path, args: &[&OsStr]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env("OCTOBACKUP_TEST_HOME", self.path("home")).env_remove("OCTOBACKUP_PASSWORD");
        command.env_remove("HOME").env_remove("XDG_STATE_HOME").env("TZ", "UTC");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, args: &[&OsStr]) -> Ran {
        finish(self.program(args).spawn().unwrap())
    }

    /// `sync` from the source to the mirror.
    pub fn sync(&self, options: &[&str]) -> Ran {
        self.sync_from(self.src().as_os_str(), options)
    }

    pub fn sync_from(&self, source: &OsStr, options: &[&str]) -> Ran {
        self.run(&self.sync_args(source, options).iter().map(AsRef::as_ref).collect::<Vec<_>>())
    }

    fn sync_args(&self, source: &OsStr, options: &[&str]) -> Vec<std::ffi::OsString> {
        let options = options.iter().map(Into::into);
        ["sync".into(), source.into(), self.dst().into()].into_iter().chain(options).collect()
    }

    /// `sync`, under way: returns once `event` was seen among its JSON lines.
    pub fn sync_until(&self, options: &[&str], event: &str) -> Under {
        self.sync_from_until(self.src().as_os_str(), options, event)
    }

    /// The same from another source.
    pub fn sync_from_until(&self, source: &OsStr, options: &[&str], event: &str) -> Under {
        let args = self.sync_args(source, &[options, &["--json"]].concat());
        let mut child = self.program(&args.iter().map(AsRef::as_ref).collect::<Vec<_>>()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut seen = String::new();
        while !seen.contains(event) {
            assert!(lines.read_line(&mut seen).unwrap() > 0, "it ended before {event}: {seen}");
        }
        Under { child, lines }
    }

    pub fn held(&self, options: &[&str]) -> Ran {
        let dst = self.dst();
        let options = options.iter().map(OsStr::new);
        self.run(&[OsStr::new("held"), dst.as_os_str()].into_iter().chain(options).collect::<Vec<_>>())
    }

    /// The mirror without what is the program's own.
    pub fn mirror(&self) -> Tree {
        let mut tree = tree(&self.dst());
        tree.retain(|path, _| !path.starts_with(".octobackup"));
        tree
    }

    pub fn assert_mirrored(&self) {
        assert_same(&self.mirror(), &tree(&self.src()));
    }
}

/// A program under way. It does not outlive the test.
pub struct Under {
    pub child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Under {
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; tells its code and its last line.
    pub fn end(mut self) -> (i32, Value) {
        let lines: Vec<String> = self.lines.by_ref().lines().map(Result::unwrap).collect();
        let code = self.child.wait().unwrap().code().unwrap();
        (code, serde_json::from_str(lines.last().unwrap()).unwrap())
    }
}

impl Drop for Under {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for something that will come.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < WAIT_MAX, "{what} did not come true");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn finish(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Ran {
    /// Checks the code, and shows everything if it is another.
    #[track_caller]
    pub fn ends(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, word: &str) -> Ran {
        assert!(
            self.stdout.contains(word) || self.stderr.contains(word),
            "no {word} in {}{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Every line of standard output as JSON.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The last line of `--json`.
    #[track_caller]
    pub fn report(&self) -> Value {
        let report = self.events().pop().unwrap();
        assert_eq!(report["event"], "report");
        report
    }
}

/// Everything below `root`, links as their text.
pub fn tree(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = match () {
                () if meta.is_dir() => None,
                () if meta.is_file() => Some(fs::read(&path).unwrap()),
                () if meta.is_symlink() => Some(fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()),
                () => continue,
            };
            if content.is_none() {
                folders.push(path.clone());
            }
            tree.insert(path.strip_prefix(root).unwrap().to_owned(), (content, meta.modified().unwrap()));
        }
    }
    tree
}

#[track_caller]
pub fn assert_same(one: &Tree, other: &Tree) {
    let names = |tree: &Tree| tree.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(one), names(other));
    for (path, entry) in one {
        // Stamps are kept to 100 ns.
        let nanos = |t: SystemTime| t.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() / 100;
        let (mine, theirs) = (entry, &other[path]);
        assert!(mine.0 == theirs.0, "{} has other content", path.display());
        assert_eq!(nanos(mine.1), nanos(theirs.1), "time of {}", path.display());
    }
}
