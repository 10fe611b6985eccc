//! A server whose data directory loses its power: its first start with the first job, and a day later in its life.

use super::check::{Cut, Machine, integrity};
use super::filesystem::Filesystem;
use super::recorder::Recorder;
use super::shell::{Mount, attempt, end};
use super::tree;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing here takes longer.
const LONGEST: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);
/// Refused as things are: the job runs already, by the server's own doing.
const CONFLICT: i32 = 6;

/// What a server does while it is recorded.
pub(super) struct Life {
    pub name: &'static str,
    /// What is done, in order. Words that begin with `@` stand for a folder.
    commands: &'static [&'static [&'static str]],
}

pub(super) const LIVES: &[Life] = &[
    Life { name: "server, first start", commands: &[&["job", "add", "demo", "@source", "@mirror"], &["run", "demo"]] },
    Life {
        name: "server, second start",
        commands: &[
            &["job", "edit", "demo", "--schedule", "daily 22:00"],
            &["notify", "mail-server", "127.0.0.1:2525", "--from", "backup@example.org"],
            &["run", "demo"],
            &["runs", "demo"],
        ],
    },
];

/// What was recorded of it.
pub(super) struct Served<'a> {
    pub life: &'a Life,
    pub filesystem: Filesystem,
    /// Where the program believes its disk to be.
    pub place: PathBuf,
    pub source: PathBuf,
    /// So many entries were in the log when each command had said that it was done.
    pub acknowledged: Vec<usize>,
    /// Whether the job was there before.
    pub has_job: bool,
}

/// A server under way; it does not outlive the proof.
struct Running<'a> {
    machine: &'a Machine<'a>,
    child: Child,
}

impl<'a> Running<'a> {
    /// On the disk at `disk`, which the program sees at `place`.
    fn start(machine: &'a Machine<'a>, boot: usize, disk: &Path, place: &Path) -> Result<Running<'a>, String> {
        let (config, socket) = (machine.folder.join("octobackup.toml"), machine.folder.join("server.socket"));
        let data = place.join("server");
        let text = format!("data_dir = {data:?}\nsocket = {socket:?}\nhttp.listen = \"none\"\n");
        fs::write(&config, text).map_err(|e| e.to_string())?;
        let errors = fs::File::create(machine.folder.join("server.errors")).map_err(|e| e.to_string())?;
        let args: [&OsStr; 3] = ["serve".as_ref(), "--config".as_ref(), config.as_ref()];
        let mut command = machine.command(boot, Some((disk, place)), &args)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().map_err(|e| e.to_string())?;
        let output = child.stdout.take().map(BufReader::new);
        let mut running = Running { machine, child };
        let mut line = String::new();
        let mut output = output.ok_or("no output")?;
        while !line.contains("octobackup serves at ") {
            line.clear();
            if output.read_line(&mut line).map_err(|e| e.to_string())? == 0 {
                let _ = running.child.wait();
                let said = fs::read_to_string(machine.folder.join("server.errors")).unwrap_or_default();
                return Err(format!("the server does not start: {said}"));
            }
        }
        // Somebody has to read its log.
        std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(drop));
        Ok(running)
    }

    fn ask(&self, args: &[&str]) -> Result<(Option<i32>, String), String> {
        let mut command = Command::new(self.machine.program);
        command.args(args).env("OCTOBACKUP_SOCKET", self.machine.folder.join("server.socket")).env("TZ", "UTC");
        command.env("OCTOBACKUP_TEST_HOME", self.machine.folder.join("home")).env_remove("HOME");
        let output = command.output().map_err(|e| e.to_string())?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
    }

    fn does(&self, args: &[&str]) -> Result<String, String> {
        match self.ask(args)? {
            (Some(0), said) => Ok(said),
            (code, said) => Err(format!("{args:?} ended with {code:?}: {said}")),
        }
    }

    /// As an administrator stops it.
    fn stop(mut self) -> Result<(), String> {
        attempt(Command::new("kill").arg(self.child.id().to_string()))?;
        let status = self.child.wait().map_err(|e| e.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}")) }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn mirror(place: &Path) -> PathBuf {
    place.join("served mirror")
}

/// Lets the server live on the recorded disk.
pub(super) fn record<'a>(
    machine: &Machine<'_>,
    recorder: &Recorder,
    filesystem: Filesystem,
    place: &Path,
    source: &Path,
    life: &'a Life,
) -> Served<'a> {
    let mount = recorder.mount(filesystem, place);
    let has_job = place.join("server").exists();
    let (source_text, mirror_text) = (source.display().to_string(), mirror(place).display().to_string());
    let word = |word: &&'static str| match *word {
        "@source" => source_text.clone(),
        "@mirror" => mirror_text.clone(),
        word => word.to_owned(),
    };
    let lived = Running::start(machine, 0, place, place).and_then(|server| {
        let mut acknowledged = Vec::new();
        for command in life.commands {
            let words: Vec<String> = command.iter().map(word).collect();
            server.does(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
            acknowledged.push(recorder.entries());
        }
        server.stop().map(|()| acknowledged)
    });
    let acknowledged = lived.unwrap_or_else(|error| end(&format!("{}: {error}", life.name)));
    drop(mount);
    Served { life, filesystem, place: place.to_owned(), source: source.to_owned(), acknowledged, has_job }
}

impl Served<'_> {
    /// Checks everything: the server starts by itself, has what it said it has, and its job ends well.
    pub fn check(&self, machine: &Machine<'_>, cut: &Cut<'_>) -> Result<usize, String> {
        let options = format!("loop,{}", self.filesystem.mount_options());
        let _mount = Mount::new(cut.image, &options, cut.mount)?;
        let server = Running::start(machine, 1, cut.mount, &self.place)?;
        let is_done = |command: &str| {
            let position = self.life.commands.iter().position(|words| words.join(" ").starts_with(command));
            position.is_some_and(|n| cut.entries >= self.acknowledged[n])
        };
        let (code, said) = server.ask(&["job", "show", "demo"])?;
        if code != Some(0) {
            if self.has_job || is_done("job add") {
                return Err(format!("the job is lost: {said}"));
            }
            let (source, mirror) = (self.source.display().to_string(), mirror(&self.place).display().to_string());
            server.does(&["job", "add", "demo", &source, &mirror])?;
        }
        if is_done("job edit") && !said.contains("22:00") {
            return Err(format!("the edit of the job is lost: {said}"));
        }
        if is_done("notify") && !server.does(&["notify", "mail-server"])?.contains("2525") {
            return Err("the mail server is lost".to_owned());
        }
        if is_done("run demo") && !server.does(&["runs", "demo"])?.contains("succeeded") {
            return Err("the run is lost".to_owned());
        }
        run_ends_well(&server)?;
        let (_, said) = server.ask(&["self-check"])?;
        for part in ["database", "key", "data directory", "mirror of demo"] {
            if !said.lines().any(|line| line.starts_with("ok ") && line.contains(part)) {
                return Err(format!("self-check does not find the {part} in order: {said}"));
            }
        }
        server.stop()?;
        let (found, wanted) = (tree::read(&mirror(cut.mount))?, tree::read(&self.source)?);
        if let Some(difference) = tree::difference(&found, &wanted) {
            return Err(format!("after the server's run: {difference}"));
        }
        for database in databases(&cut.mount.join("server"))? {
            integrity(&database)?;
        }
        Ok(0)
    }
}

/// The server may itself be at the run that the power interrupted.
fn run_ends_well(server: &Running<'_>) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        match server.ask(&["run", "demo"])? {
            (Some(0), _) => return Ok(()),
            (Some(CONFLICT), _) if begun.elapsed() < LONGEST => std::thread::sleep(POLL),
            (code, said) => return Err(format!("the job's run ended with {code:?}: {said}")),
        }
    }
}

fn databases(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(|path| path.extension().is_some_and(|it| it == "db")).collect())
}
