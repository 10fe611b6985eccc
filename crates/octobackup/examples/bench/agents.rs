//! The rows of the agent, beside rsync as a daemon: both over loopback, ours encrypted, rsync's not.
//!
//! Ours is a real server with a real agent, and a run is measured from the command that asks for it to its end.

use crate::{Asked, Result, trees};
use octo_testkit::proxy::{Proxy, Trouble};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What may be asked for by name.
pub const NAMES: &[&str] =
    &["agent-small", "agent-rust", "agent-large", "agent-latency", "agent-one-folder", "agent-million", SCALE];
const ONLY_LARGE: &[&str] = &["agent-million"];
/// What `cargo xtask scale` asks for, and nobody else gets.
const SCALE: &str = "agent-scale";
const LOOK_EVERY: Duration = Duration::from_millis(5);
const WAIT_MAX: Duration = Duration::from_secs(30);

/// One run, or the median of several.
#[derive(Clone, Copy)]
struct Measured {
    seconds: f64,
    /// Of all processes on this side together: ours the server, rsync's the client.
    here_bytes: u64,
    /// Of those on the other: the agent, the daemon.
    there_bytes: u64,
}

struct Line {
    row: String,
    ours: Measured,
    /// None where nobody is beside us.
    theirs: Option<Measured>,
}

/// A process that goes with the benchmark.
struct Helper(Child);

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Bench<'a> {
    asked: &'a Asked,
    folder: &'a Path,
    server: Helper,
    agent: Helper,
    daemon: Helper,
    daemon_at: SocketAddr,
    /// Jobs and targets made so far.
    made: usize,
    lines: Vec<Line>,
}

/// Whether it was asked for, by its name or by no name at all.
fn is_asked(asked: &Asked, name: &str) -> bool {
    let by_default = asked.rows.is_empty() && name != SCALE && (asked.large || !ONLY_LARGE.contains(&name));
    by_default || asked.rows.iter().any(|row| row == name)
}

/// Measures what was asked for in this folder, and prints it.
pub fn measure(asked: &Asked, folder: &Path) -> Result<()> {
    let names: Vec<_> = NAMES.iter().filter(|name| is_asked(asked, name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    let mut bench = Bench::start(asked, folder)?;
    for name in names {
        println!("measuring: {name}");
        bench.row(name)?;
        Command::new("sync").status()?;
    }
    println!("\n| work | who | time | peak memory here | there | octoBackup is |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    for Line { row, ours, theirs } in &bench.lines {
        let (here, there) = (megabytes(ours.here_bytes), megabytes(ours.there_bytes));
        println!("| {row} | octoBackup | {:.2} s | {here:.0} MB | {there:.0} MB | |", ours.seconds);
        let Some(theirs) = theirs else { continue };
        let (here, there) = (megabytes(theirs.here_bytes), megabytes(theirs.there_bytes));
        let ratio = theirs.seconds / ours.seconds;
        println!("| | rsync | {:.2} s | {here:.0} MB | {there:.0} MB | {ratio:.2} times as fast |", theirs.seconds);
    }
    Ok(())
}

/// A port of loopback that is free now.
fn free() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl<'a> Bench<'a> {
    fn start(asked: &'a Asked, folder: &'a Path) -> Result<Bench<'a>> {
        fs::create_dir_all(folder.join("trees"))?;
        fs::create_dir_all(folder.join("targets"))?;
        let daemon_at = free()?;
        let config = format!(
            "use chroot = no\nlog file = /dev/null\n[trees]\npath = {}\nread only = yes\nuid = root\ngid = root\n",
            folder.join("trees").display()
        );
        fs::write(folder.join("rsyncd.conf"), config)?;
        let mut command = Command::new("rsync");
        command.args(["--daemon", "--no-detach", "--address=127.0.0.1"]).arg(format!("--port={}", daemon_at.port()));
        let daemon = Helper(command.arg("--config").arg(folder.join("rsyncd.conf")).spawn()?);
        let begun = Instant::now();
        while TcpStream::connect(daemon_at).is_err() {
            if begun.elapsed() > WAIT_MAX {
                return Err("rsync's daemon does not answer".into());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        let config = format!(
            "data_dir = {:?}\nsocket = {:?}\nhttp.listen = \"none\"\n[agents]\nlisten = \"127.0.0.1:0\"\n",
            folder.join("data"),
            folder.join("socket")
        );
        fs::write(folder.join("octobackup.toml"), config)?;
        let mut serve = Command::new(&asked.program);
        serve.args(["serve", "--config"]).arg(folder.join("octobackup.toml")).stdout(Stdio::piped());
        let mut server = Helper(serve.env("XDG_STATE_HOME", folder.join("state")).spawn()?);
        let mut lines = BufReader::new(server.0.stdout.take().ok_or("no output of the server")?).lines();
        let at = lines.find_map(|line| Some(line.ok()?.split_once("listens for agents at ")?.1.to_owned()));
        let agents_at: SocketAddr = at.ok_or("the server listens for no agents")?.parse()?;
        // Whatever it says later is read and forgotten, so that it never waits for us.
        std::thread::spawn(move || lines.for_each(drop));
        let agent = agent(asked, folder, "near", agents_at)?;
        Ok(Bench { asked, folder, server, agent, daemon, daemon_at, made: 0, lines: Vec::new() })
    }

    fn row(&mut self, name: &str) -> Result<()> {
        let source = self.folder.join("trees").join(name);
        let less = if self.asked.quick { 10 } else { 1 };
        match name {
            "agent-small" => {
                trees::files(&source, 100, 100_000 / less, 4096)?;
                self.first(&format!("first copy, {} x 4 KiB", 100_000 / less), name, "near")
            }
            "agent-rust" => {
                trees::rust(&source)?;
                self.first("first copy, Rust source tree", name, "near")?;
                self.unchanged("unchanged, Rust source tree", name, "near")
            }
            "agent-large" => {
                trees::large(&source, 4096 / less as u64)?;
                self.first(&format!("first copy, one file of {} MiB", 4096 / less), name, "near")?;
                trees::remove_large(&source)
            }
            "agent-latency" => self.latency(name, less),
            "agent-one-folder" => {
                trees::files(&source, 1, 500_000 / less, 16)?;
                self.unchanged(&format!("unchanged, {} files in one folder", 500_000 / less), name, "near")
            }
            SCALE => self.scale(name),
            _ => {
                trees::files(&source, 10_000 / less, 1_000_000 / less, 16)?;
                let row = format!("unchanged, {} files in {} folders", 1_000_000 / less, 10_000 / less);
                self.unchanged(&row, name, "near")
            }
        }
    }

    /// As many files as were asked for, a hundred in each folder: copied, unchanged, and with one in a hundred changed.
    fn scale(&mut self, name: &str) -> Result<()> {
        let (source, files) = (self.folder.join("trees").join(name), self.asked.files);
        trees::files(&source, (files / 100).max(1), files, 16)?;
        let (job, target) = self.target(name, "near")?;
        for what in ["first copy", "unchanged", "1% changed"] {
            if what == "1% changed" {
                trees::change_one_of_each_folder(&source)?;
            }
            Command::new("sync").status()?;
            let ours = self.ours(&job, &target)?;
            println!("  {what}, {files} files: octoBackup {:.1} s", ours.seconds);
            self.lines.push(Line { row: format!("{what}, {files} files"), ours, theirs: None });
        }
        Ok(())
    }

    /// 10 ms in each direction.
    fn latency(&mut self, name: &str, less: usize) -> Result<()> {
        let source = self.folder.join("trees").join(name);
        trees::files(&source.join("files"), 20, 20_000 / less, 4096)?;
        trees::files(&source.join("folders"), 2000 / less, 20_000 / less, 16)?;
        let slow = || Trouble::delay(Duration::from_millis(10));
        let (to_server, to_daemon) = (Proxy::start(self.agents_at()?)?, Proxy::start(self.daemon_at)?);
        to_server.set(slow(), slow());
        to_daemon.set(slow(), slow());
        let far = agent(self.asked, self.folder, "far", to_server.addr())?;
        let near = (std::mem::replace(&mut self.agent, far), std::mem::replace(&mut self.daemon_at, to_daemon.addr()));
        self.first(&format!("20 ms: first copy, {} x 4 KiB", 20_000 / less), &format!("{name}/files"), "far")?;
        let row = format!("20 ms: unchanged, {} files in {} folders", 20_000 / less, 2000 / less);
        self.unchanged(&row, &format!("{name}/folders"), "far")?;
        (self.agent, self.daemon_at) = near;
        Ok(())
    }

    fn agents_at(&self) -> Result<SocketAddr> {
        Ok(fs::read_to_string(self.folder.join("near.address"))?.parse()?)
    }

    /// A new target, and the job that fills it.
    fn target(&mut self, folder: &str, host: &str) -> Result<(String, PathBuf)> {
        self.made += 1;
        let (job, target) = (format!("job-{}", self.made), self.folder.join("targets").join(self.made.to_string()));
        fs::create_dir(&target)?;
        let source = format!("agent://{host}{}", self.folder.join("trees").join(folder).display());
        done(
            client(self.asked, self.folder).args(["job", "add", &job, &source, "--set", "metadata=basic"]).arg(&target),
        )?;
        Ok((job, target))
    }

    fn ours(&self, job: &str, target: &Path) -> Result<Measured> {
        let mut command = client(self.asked, self.folder);
        run(command.args(["run", job]), target, Some(self.server.0.id()), self.agent.0.id())
    }

    fn theirs(&self, folder: &str, target: &Path) -> Result<Measured> {
        let mut command = Command::new("rsync");
        command.args(["-rt", "--delete"]).arg(format!("rsync://{}/trees/{folder}/", self.daemon_at)).arg(target);
        run(&mut command, target, None, self.daemon.0.id())
    }

    /// Each run into a new target, in turns.
    fn first(&mut self, row: &str, folder: &str, host: &str) -> Result<()> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.asked.runs {
            let (job, target) = self.target(folder, host)?;
            ours.push(self.ours(&job, &target)?);
            trees::remove_large(&target)?;
            let (_, target) = self.target(folder, host)?;
            theirs.push(self.theirs(folder, &target)?);
            trees::remove_large(&target)?;
            Command::new("sync").arg("-f").arg(self.folder).status()?;
        }
        self.note(row, ours, theirs)
    }

    /// Targets in which everything is already.
    fn unchanged(&mut self, row: &str, folder: &str, host: &str) -> Result<()> {
        let (job, our_target) = self.target(folder, host)?;
        self.ours(&job, &our_target)?;
        let (_, their_target) = self.target(folder, host)?;
        fs::remove_dir(&their_target)?;
        trees::copy(&self.folder.join("trees").join(folder), &their_target)?;
        Command::new("sync").status()?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.asked.runs {
            ours.push(self.ours(&job, &our_target)?);
            theirs.push(self.theirs(folder, &their_target)?);
        }
        self.note(row, ours, theirs)
    }

    fn note(&mut self, row: &str, ours: Vec<Measured>, theirs: Vec<Measured>) -> Result<()> {
        let none = "no run was made";
        let (ours, theirs) = (median(ours).ok_or(none)?, median(theirs).ok_or(none)?);
        println!("  {row}: octoBackup {:.2} s, rsync {:.2} s", ours.seconds, theirs.seconds);
        self.lines.push(Line { row: row.to_owned(), ours, theirs: Some(theirs) });
        Ok(())
    }
}

/// The command line, talking to the server of the benchmark.
fn client(asked: &Asked, folder: &Path) -> Command {
    let mut command = Command::new(&asked.program);
    command.env("OCTOBACKUP_SOCKET", folder.join("socket")).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// A paired and connected agent that may read the trees.
fn agent(asked: &Asked, folder: &Path, host: &str, server: SocketAddr) -> Result<Helper> {
    let config = folder.join(format!("{host}.toml"));
    let text = format!("roots = [{:?}]\nstate = {:?}\n", folder.join("trees"), folder.join(host));
    fs::write(&config, text)?;
    fs::write(folder.join(format!("{host}.address")), server.to_string())?;
    let token =
        client(asked, folder).args(["host", "add", host]).stdout(Stdio::piped()).stderr(Stdio::null()).output()?;
    let program = asked.program.with_file_name("octobackup-agent");
    let mut enroll = Command::new(&program);
    enroll.arg("--config").arg(&config).args(["enroll", "--server", &server.to_string()]).stdin(Stdio::piped());
    let mut enroll = enroll.stdout(Stdio::null()).spawn()?;
    enroll.stdin.take().ok_or("no input of the agent")?.write_all(&token.stdout)?;
    if !enroll.wait()?.success() {
        return Err("the agent could not be paired".into());
    }
    Ok(Helper(
        Command::new(&program)
            .arg("--config")
            .arg(&config)
            .arg("run")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?,
    ))
}

fn done(command: &mut Command) -> Result<()> {
    if command.status()?.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}

/// Runs the command until it has ended and the target is on the disk. `here`: the process that works for it on this side,
/// if that is not the command itself; `there`: the one on the other side.
fn run(command: &mut Command, target: &Path, here: Option<u32>, there: u32) -> Result<Measured> {
    for pid in here.into_iter().chain([there]) {
        // The peak begins anew.
        fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
    }
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let here = here.unwrap_or(child.id());
    let (mut here_bytes, mut there_bytes) = (0, 0);
    let ended = loop {
        here_bytes = peaks(here)?.max(here_bytes);
        there_bytes = peaks(there)?.max(there_bytes);
        match child.try_wait()? {
            Some(ended) => break ended,
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    // 1: complete, with remarks.
    if !ended.success() && ended.code() != Some(1) {
        return Err(format!("{:?}: {ended}", command.get_program()).into());
    }
    done(Command::new("sync").arg("-f").arg(target))?;
    Ok(Measured { seconds: begun.elapsed().as_secs_f64(), here_bytes, there_bytes })
}

/// The peaks of a process and of its children together; nothing of one that has ended.
fn peaks(pid: u32) -> Result<u64> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let mut bytes = peak(pid).unwrap_or(0);
    for child in children.split_whitespace() {
        bytes += peaks(child.parse()?)?;
    }
    Ok(bytes)
}

fn peak(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The run with the median time, and the largest peaks of all.
fn median(mut runs: Vec<Measured>) -> Option<Measured> {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let largest = |of: fn(&Measured) -> u64| runs.iter().map(of).max();
    let (here_bytes, there_bytes) = (largest(|it| it.here_bytes)?, largest(|it| it.there_bytes)?);
    runs.get(runs.len() / 2).map(|middle| Measured { here_bytes, there_bytes, ..*middle })
}
