//! The server of the real program, on a disk that had its power cut or is recorded, and who asks it.

use super::check::{Machine, Ran};
use super::shell::attempt;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing here takes longer.
const LONGEST: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(50);
/// Refused as things are: the job runs already, by the server's own doing.
const CONFLICT: i32 = 6;

/// A server under way; it does not outlive the proof.
pub(super) struct Running<'a> {
    machine: &'a Machine<'a>,
    child: Child,
}

impl<'a> Running<'a> {
    /// On the disk at `disk`, which the program sees at `place`.
    pub fn start(machine: &'a Machine<'a>, boot: usize, disk: &Path, place: &Path) -> Result<Running<'a>, String> {
        let config = machine.folder.join("octobackup.toml");
        let (data, socket) = (place.join("server"), machine.folder.join("server.socket"));
        let text = format!(
            "data_dir = {data:?}\nsocket = {socket:?}\nhttp.listen = \"none\"\nagents.listen = \"127.0.0.1:0\"\n"
        );
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

    fn socket(&self) -> PathBuf {
        self.machine.folder.join("server.socket")
    }

    pub fn ask(&self, args: &[&str]) -> Result<Ran, String> {
        let mut command = Command::new(self.machine.program);
        command.args(args).env("OCTOBACKUP_SOCKET", self.socket()).env("TZ", "UTC");
        command.env("OCTOBACKUP_TEST_HOME", self.machine.folder.join("home")).env_remove("HOME");
        let output = command.output().map_err(|e| e.to_string())?;
        let said = [output.stdout, output.stderr].concat();
        Ok(Ran { code: output.status.code(), said: String::from_utf8_lossy(&said).into_owned() })
    }

    /// What it says to a command that ends with `code`.
    pub fn does(&self, args: &[&str], code: i32) -> Result<String, String> {
        let ran = self.ask(args)?;
        ran.ends(code).map_err(|why| format!("{args:?}: {why}"))?;
        Ok(ran.said)
    }

    /// As a browser does.
    pub fn log_on(&self, user: &str, password: &str) -> Result<(), String> {
        let body = format!("{{\"user\": \"{user}\", \"password\": \"{password}\"}}");
        let posted = || -> io::Result<String> {
            let mut stream = UnixStream::connect(self.socket())?;
            write!(
                stream,
                "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = posted().map_err(|e| format!("logging on: {e}"))?;
        if answer.starts_with("HTTP/1.1 201") { Ok(()) } else { Err(format!("logging on: {answer}")) }
    }

    /// A run of the job to its end, by which its mirror equals the source. The server may itself be at the run that the power
    /// interrupted, and deletions may be held again.
    pub fn mirrors(&self, job: &str, ends: i32) -> Result<(), String> {
        let begun = Instant::now();
        let mut plan: Option<String> = None;
        loop {
            let ran = match &plan {
                None => self.ask(&["run", job])?,
                Some(plan) => self.ask(&["run", job, "--approve", plan])?,
            };
            match ran.code {
                Some(CONFLICT) if begun.elapsed() < LONGEST => {
                    plan = None;
                    std::thread::sleep(POLL);
                }
                Some(_) if plan.is_none() && ran.plan().is_some() => plan = ran.plan(),
                _ => return ran.ends(ends).map_err(|why| format!("the job's run: {why}")),
            }
        }
    }

    /// Until `is_so`; what `again` does in between may help.
    pub fn wait_until(
        &self,
        is_so: impl Fn() -> Result<bool, String>,
        again: impl Fn() -> Result<(), String>,
        what: &str,
    ) -> Result<(), String> {
        let begun = Instant::now();
        while !is_so()? {
            if begun.elapsed() > LONGEST {
                return Err(format!("{what} did not come: {}", self.ask(&["notify", "outbox"])?.said));
            }
            again()?;
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// As an administrator stops it.
    pub fn stop(mut self) -> Result<(), String> {
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
