//! The last part: a server of its own, with the share as a job on a schedule.

use crate::Result;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A server under way; it ends with this.
pub struct Served<'a> {
    program: &'a Path,
    folder: &'a Path,
    child: Child,
    log: BufReader<ChildStdout>,
    /// Where its API answers.
    pub url: String,
}

impl<'a> Served<'a> {
    /// Once it answers.
    pub fn start(program: &'a Path, folder: &'a Path) -> Result<Served<'a>> {
        let config = folder.join("octobackup.toml");
        let (data, socket) = (folder.join("data"), socket(folder));
        let text = format!("data_dir = {data:?}\nsocket = {socket:?}\n[http]\nlisten = \"127.0.0.1:0\"\n");
        std::fs::write(&config, text)?;
        println!("$ octobackup serve --config octobackup.toml");
        let mut child = Command::new(program)
            .args([OsStr::new("serve"), OsStr::new("--config"), config.as_os_str()])
            .env_remove("CREDENTIALS_DIRECTORY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let log = BufReader::new(child.stdout.take().ok_or("the server has no output")?);
        let mut served = Served { program, folder, child, log, url: String::new() };
        while served.url.is_empty() {
            let mut line = String::new();
            if served.log.read_line(&mut line)? == 0 {
                return Err("the server ended before it answered".into());
            }
            print!("{line}");
            served.url = line.split_once("answers at ").map(|(_, url)| url.trim().to_owned()).unwrap_or_default();
        }
        Ok(served)
    }

    /// A command of its command line, as a person types it.
    pub fn ask(&self, args: &[&str]) -> Result<()> {
        println!("$ octobackup {}", args.join(" "));
        let status = Command::new(self.program)
            .args(args)
            .current_dir(self.folder)
            .env("OCTOBACKUP_SOCKET", socket(self.folder))
            .status()?;
        if status.success() { Ok(()) } else { Err(format!("octobackup {}: {status}", args[0]).into()) }
    }

    /// A password in a file that only its owner may read.
    pub fn password(&self, password: &str) -> Result<()> {
        let file = self.folder.join("password");
        std::fs::write(&file, password)?;
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600))?;
        Ok(())
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("socket")
}
