//! What has to hold after a power cut, asked of the disk and of the real program.

use super::filesystem::Filesystem;
use super::scenario::Step;
use super::shell::{attempt, end};
use super::tree::{self, Tree};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The manual's way back to an earlier state.
const MANUAL: &str = include_str!("../../../../docs/manual/restore.md");
/// Deletions wait for approval.
const HELD: i32 = 4;

/// The program, on a machine that has just been started.
pub(super) struct Machine<'a> {
    pub program: &'a Path,
    /// Home of the user and other things that no power cut loses here.
    pub folder: PathBuf,
}

/// How the program ended.
pub(super) struct Ran {
    pub code: Option<i32>,
    pub said: String,
}

impl Ran {
    pub fn ends(&self, code: i32) -> Result<(), String> {
        if self.code == Some(code) {
            return Ok(());
        }
        Err(format!("the program ended with {:?} and not with {code}: {}", self.code, self.said))
    }

    /// The plan that waits, as the program names it.
    pub fn plan(&self) -> Option<String> {
        let (_, after) = self.said.split_once("--approve ")?;
        Some(after.chars().take_while(char::is_ascii_hexdigit).collect())
    }
}

/// Binds `$1` over `$2` and `$3` over `$4`, and becomes the rest.
const BOUND: &str = r#"mount --bind "$1" "$2" && mount --bind "$3" "$4" && shift 4 && exec "$@""#;

impl Machine<'_> {
    /// The program with a boot id of its own: the real one is that of a machine that was never off. It sees the first of two
    /// folders at the place of the second. It does not outlive who starts it.
    pub fn command(
        &self,
        boot: usize,
        disk: Option<(&Path, &Path)>,
        args: &[&std::ffi::OsStr],
    ) -> Result<Command, String> {
        let boot_id = self.folder.join("boot_id");
        fs::write(&boot_id, format!("00000000-0000-4000-8000-{boot:012x}\n")).map_err(|e| e.to_string())?;
        // Without another place, a bind that changes nothing: one of a folder would hide what is mounted in it.
        let (from, to) = disk.unwrap_or((&boot_id, &boot_id));
        let mut command = Command::new("unshare");
        command.args(["--mount", "setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", BOUND, "sh"]);
        command.arg(&boot_id).arg("/proc/sys/kernel/random/boot_id").args([from, to]).arg(self.program).args(args);
        command.env("OCTOBACKUP_TEST_HOME", self.folder.join("home")).env_remove("HOME").env("TZ", "UTC");
        Ok(command)
    }

    /// Runs it to its end.
    pub fn run(&self, boot: usize, args: &[&std::ffi::OsStr]) -> Result<Ran, String> {
        let mut command = self.command(boot, None, args)?;
        let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
        let said = [output.stdout, output.stderr].concat();
        Ok(Ran { code: output.status.code(), said: String::from_utf8_lossy(&said).into_owned() })
    }

    pub fn sync(&self, boot: usize, source: &Path, mirror: &Path, options: &[&str]) -> Result<Ran, String> {
        let mut args: Vec<&std::ffi::OsStr> = vec!["sync".as_ref(), source.as_ref(), mirror.as_ref()];
        args.extend(options.iter().map(|option| std::ffi::OsStr::new(*option)));
        self.run(boot, &args)
    }

    pub fn approve(&self, boot: usize, mirror: &Path) -> Result<Ran, String> {
        let shown = self.run(boot, &["held".as_ref(), mirror.as_ref()])?;
        let plan = shown.plan().ok_or_else(|| format!("nothing is held: {}", shown.said))?;
        self.run(boot, &["held".as_ref(), mirror.as_ref(), "--approve".as_ref(), plan.as_ref()])
    }
}

/// One recorded step, as far as the cuts have to know it.
pub(super) struct Recorded<'a> {
    pub step: &'a Step,
    pub filesystem: Filesystem,
    pub source: &'a Path,
    /// The mirror before the step and after it, and the source.
    pub before: Tree,
    pub after: Tree,
    pub wanted: Tree,
    /// The number of the step's run.
    pub run: u64,
    /// So many entries were in the log when the program said that it was done.
    pub acknowledged: usize,
}

/// The disk of one cut.
pub(super) struct Cut<'a> {
    pub image: &'a Path,
    pub mount: &'a Path,
    /// Entries of the log before the cut.
    pub entries: usize,
}

/// Checks everything; tells how many names were torn before the program put them right.
pub(super) fn check(recorded: &Recorded<'_>, machine: &Machine<'_>, cut: &Cut<'_>) -> Result<usize, String> {
    let _mount = recorded.filesystem.mount_after_cut(cut.image, cut.mount)?;
    let mirror = cut.mount.join("mirror");
    let _ = fs::remove_dir_all(machine.folder.join("home"));

    let found = tree::read(&mirror)?;
    let torn = names_hold(recorded, &found)?;
    if cut.entries >= recorded.acknowledged
        && let Some(difference) = tree::difference(&found, &recorded.after)
    {
        return Err(format!("after the program said that it was done: {difference}"));
    }
    let options = recorded.step.options.unwrap_or(&[]);
    let ran = machine.sync(1, recorded.source, &mirror, options)?;
    if ran.code == Some(HELD) && (recorded.step.ends == HELD || recorded.step.options.is_none()) {
        machine.approve(1, &mirror)?.ends(0)?;
    } else {
        ran.ends(0)?;
    }
    if let Some(difference) = tree::difference(&tree::read(&mirror)?, &recorded.wanted) {
        return Err(format!("after the next run: {difference}"));
    }
    records_are_whole(&mirror)?;
    earlier_state_comes_back(recorded, machine, &mirror)?;
    Ok(torn)
}

/// Every name is there that was there before and after, and no name is there that was in neither state. Counts those whose
/// content is neither: they were never synced, and the next run copies them again.
fn names_hold(recorded: &Recorded<'_>, found: &Tree) -> Result<usize, String> {
    let mut torn = 0;
    for (path, node) in found {
        let states = [recorded.before.get(path), recorded.after.get(path)];
        if states.iter().all(Option::is_none) {
            return Err(format!("{path:?} is in neither state"));
        }
        torn += usize::from(!states.iter().flatten().any(|state| state.content == node.content));
    }
    for (path, node) in &recorded.before {
        let stays = recorded.after.get(path).is_some_and(|after| after.kind == node.kind);
        if stays && !found.contains_key(path) {
            return Err(format!("{path:?} disappeared"));
        }
        if stays && recorded.after[path] == *node && found[path].content != node.content {
            return Err(format!("{path:?} was not to change and has other content"));
        }
    }
    Ok(torn)
}

fn records_are_whole(mirror: &Path) -> Result<(), String> {
    let records = mirror.join(".octobackup/meta/meta.db");
    if records.exists() { integrity(&records) } else { Ok(()) }
}

/// What SQLite itself says of a database.
pub(super) fn integrity(database: &Path) -> Result<(), String> {
    let output = attempt(Command::new("sqlite3").arg(database).arg("PRAGMA integrity_check"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if said.trim() == "ok" { Ok(()) } else { Err(format!("{} is damaged: {said}", database.display())) }
}

/// The first run from `run` on that has a version: one that was cut before it changed anything has none.
fn first_version(mirror: &Path, run: u64) -> u64 {
    let Ok(versions) = fs::read_dir(mirror.join(".octobackup/versions")) else { return run };
    let numbers = versions.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(|number| *number >= run).min().unwrap_or(run)
}

/// By the script that the manual prints, on a copy.
fn earlier_state_comes_back(recorded: &Recorded<'_>, machine: &Machine<'_>, mirror: &Path) -> Result<(), String> {
    let Some(script) = MANUAL.split("```").find(|block| block.contains("import json")) else {
        end("the manual has no script");
    };
    let copy = machine.folder.join("restored");
    let _ = fs::remove_dir_all(&copy);
    attempt(Command::new("cp").arg("-a").args([mirror, &copy]))?;
    fs::remove_dir_all(copy.join(".octobackup")).map_err(|e| e.to_string())?;
    let mut python = Command::new("python3");
    let run = first_version(mirror, recorded.run).to_string();
    attempt(python.args(["-c", script]).arg(mirror).arg(&run).arg(&copy))
        .map_err(|e| e.replace(script, "(the script)"))?;
    match tree::difference(&tree::read(&copy)?, &recorded.before) {
        Some(difference) => Err(format!("the state before the run: {difference}")),
        None => Ok(()),
    }
}
