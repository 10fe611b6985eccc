//! The demonstration behind `cargo xtask demo`: a private Samba with a sample share, mirrored by the real program,
//! changed, and mirrored again; then a server does the same on a schedule. Everything lies in temporary folders and goes
//! with them.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![expect(clippy::print_stdout, reason = "a program for a terminal")]

mod sample;
mod served;

use octo_testkit::samba::{Samba, SambaOptions};
use served::Served;
use std::error::Error;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Entries of the share that nobody may read without SeBackupPrivilege.
const DENIED: [&str; 3] = ["Personnel/salaries.csv", "Board/minutes.txt", "Board"];

fn main() -> Result<()> {
    let program = std::env::args_os().nth(1).ok_or("usage: demo OCTOBACKUP")?;
    say("A private Samba with a sample share");
    let samba = Samba::start(SambaOptions::default());
    let share = samba.share_path("data");
    sample::fill(&share)?;
    let folder = tempfile::Builder::new().prefix("octo-demo-").tempdir()?;
    // Through the server: it keeps a creation time only for files that were made through it, and without one that
    // stays the same a renamed file is copied, to be on the safe side.
    std::fs::write(folder.path().join("image"), "octoBackup ".repeat(2_000_000))?;
    person(&samba, &format!("put {} \"disk image.bin\"", folder.path().join("image").display()))?;
    DENIED.iter().for_each(|path| samba.deny(path));
    println!("{} files and folders at {}", sample::files(&share)?.len(), url(&samba, "backupop"));
    println!("only SeBackupPrivilege reads {}", DENIED.join(", "));

    let demo = Demo { program: program.into(), samba, folder };
    say("Without the privilege: an ordinary account");
    demo.sync("plain", "mirror-of-plain", 1)?;
    demo.show_denied("mirror-of-plain")?;

    say("With the privilege: the first run");
    demo.sync("backupop", "mirror", 0)?;
    demo.show_denied("mirror")?;
    demo.compare(&share, "mirror")?;

    say("The share changes");
    sample::change(&share)?;
    println!("renamed: disk image.bin -> Archive/old disk image.bin");
    person(&demo.samba, r#"rename "disk image.bin" "Archive\old disk image.bin""#)?;

    say("The second run");
    demo.sync("backupop", "mirror", 0)?;
    demo.compare(&share, "mirror")?;

    say("The mirror, in short");
    demo.show_tree("mirror")?;
    demo.show_tree("mirror/.octobackup/versions")?;

    say("A server, with the share as a job");
    demo.serve(&share)?;
    say("Done: the servers are stopped, and everything is removed");
    Ok(())
}

struct Demo {
    program: PathBuf,
    // Dropped in this order: first the server, then what was made of it.
    samba: Samba,
    folder: tempfile::TempDir,
}

impl Demo {
    /// Runs the program as a person would, and demands the exit code.
    fn sync(&self, user: &str, mirror: &str, code: i32) -> Result<()> {
        let source = url(&self.samba, user);
        println!("$ octobackup sync {source} {mirror}");
        let status = Command::new(&self.program)
            .args(["sync", &source])
            .arg(mirror)
            .current_dir(self.folder.path())
            .env("OCTOBACKUP_PASSWORD", Samba::password(user))
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .status()?;
        println!("(exit code {})", status.code().map_or_else(|| "none".to_owned(), |code| code.to_string()));
        if status.code() != Some(code) {
            return Err(format!("exit code {code} was expected").into());
        }
        Ok(())
    }

    /// The job is scheduled and run once. For a person at a terminal the server stays until Enter is pressed.
    fn serve(&self, share: &Path) -> Result<()> {
        let served = Served::start(&self.program, self.folder.path())?;
        let source = format!("//{}:{}/data", self.samba.addr(), Samba::OTHER_PORT);
        let target = self.folder.path().join("mirror-of-the-server").display().to_string();
        served.password(&Samba::password("backupop"))?;
        served.ask(&["credential", "set", "demo", "backupop", "--password-file", "password"])?;
        let job = ["job", "add", "demo", &source, &target, "--credential", "demo", "--schedule", "daily 22:00"];
        served.ask(&job)?;
        served.ask(&["run", "demo"])?;
        self.compare(share, "mirror-of-the-server")?;
        served.ask(&["schedule", "--count", "3"])?;
        served.ask(&["report", "1"])?;
        println!("\nThe server answers at {}, and to the command line by way of", served.url);
        println!("    OCTOBACKUP_SOCKET={}/socket {} job list", self.folder.path().display(), self.program.display());
        if std::io::stdin().is_terminal() {
            println!("Press Enter to stop it.");
            std::io::stdin().read_line(&mut String::new())?;
        }
        Ok(())
    }

    /// Which of the denied files the mirror has.
    fn show_denied(&self, mirror: &str) -> Result<()> {
        for path in DENIED {
            let copy = self.folder.path().join(mirror).join(path);
            if copy.is_dir() {
                continue;
            }
            if copy.exists() {
                let text = std::fs::read_to_string(copy)?;
                println!("read with backup intent: {path}: {:?}", text.lines().next().unwrap_or_default());
            } else {
                println!("not in {mirror}: {path}");
            }
        }
        Ok(())
    }

    /// The proof, independent of the program: same names, same bytes, same last write times.
    fn compare(&self, share: &Path, mirror: &str) -> Result<()> {
        let (wanted, found) = (sample::files(share)?, sample::files(&self.folder.path().join(mirror))?);
        if let Some((path, _)) = wanted.iter().find(|(path, file)| found.get(*path) != Some(*file)) {
            return Err(format!("{} is not in the mirror as it is in the share", path.display()).into());
        }
        if let Some(path) = found.keys().find(|path| !wanted.contains_key(*path)) {
            return Err(format!("{} is in the mirror and not in the share", path.display()).into());
        }
        println!("compared byte for byte: {} files and folders, the mirror equals the share", wanted.len());
        Ok(())
    }

    /// Two levels of a folder of the demonstration.
    fn show_tree(&self, folder: &str) -> Result<()> {
        println!("{folder}");
        let root = self.folder.path().join(folder);
        for name in sample::names(&root)? {
            let path = root.join(&name);
            let below = if path.is_dir() { sample::names(&path)? } else { Vec::new() };
            match below.as_slice() {
                [] => println!("  {name}"),
                [.., last] => println!("  {name}/ ({}, the last is {last})", below.len()),
            }
        }
        Ok(())
    }
}

fn url(samba: &Samba, user: &str) -> String {
    format!("smb://{user}@{}:{}/data", samba.addr(), Samba::OTHER_PORT)
}

/// What somebody else does over the network, in the words of smbclient.
fn person(samba: &Samba, words: &str) -> Result<()> {
    let share = format!("//{}/data", samba.addr());
    let account = format!("admin%{}", Samba::password("admin"));
    let output = Command::new("smbclient").args([&share, "-U", &account, "-c", words]).output()?;
    if !output.status.success() {
        return Err(format!("smbclient: {words}: {}", String::from_utf8_lossy(&output.stdout)).into());
    }
    Ok(())
}

fn say(text: &str) {
    println!("\n== {text}");
}
