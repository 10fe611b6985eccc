//! How long a program takes, how much of the processors, and how much memory it needs at most.

use crate::Result;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(2);
/// What the kernel counts processor time in for `/proc`, on all that Linux runs on.
const TICKS_PER_SEC: f64 = 100.0;

/// One run, or the median of several.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub seconds: f64,
    /// In the program and in the kernel for it, its helpers included; without the server's.
    pub processor_seconds: f64,
    /// In the server meanwhile.
    pub server_seconds: f64,
    /// Of the started process; rsync's helpers are not in it.
    pub peak_bytes: u64,
}

/// Runs the command, for which the process `server` works too. If it copied to `copied_to`, the time ends when that
/// filesystem has it on the disk.
pub fn run(command: &mut Command, server: u32, copied_to: Option<&Path>) -> Result<Measured> {
    let server_before = used_by_all(server)?;
    let begun = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let (status, stat) = (format!("/proc/{}/status", child.id()), format!("/proc/{}/stat", child.id()));
    // The kernel keeps the peak, so that looking now and then misses only what grows in the very last moment.
    let mut peak_bytes = 0;
    let processor_seconds = loop {
        peak_bytes = peak(&status).unwrap_or(0).max(peak_bytes);
        match used(&stat)? {
            Some(seconds) => break seconds,
            None => std::thread::sleep(LOOK_EVERY),
        }
    };
    let ended = child.wait()?;
    if !ended.success() {
        return Err(format!("{:?}: {ended}", command.get_program()).into());
    }
    if let Some(target) = copied_to
        && !Command::new("sync").arg("-f").arg(target).status()?.success()
    {
        return Err("sync failed".into());
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Measured { seconds, processor_seconds, server_seconds: used_by_all(server)? - server_before, peak_bytes })
}

fn peak(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The processor time of a process that has ended and waits to be waited for; `None` while it runs.
fn used(stat: &str) -> Result<Option<f64>> {
    let process = process(&std::fs::read_to_string(stat)?)?;
    Ok(process.has_ended.then_some(process.own_seconds + process.children_seconds))
}

/// The processor time of a process that runs, and of its children, those of today and those it has waited for.
fn used_by_all(pid: u32) -> Result<f64> {
    let mut seconds = 0.0;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        // Not a process, or one that has just gone.
        let Ok(text) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let process = process(&text)?;
        if process.parent == pid || entry.file_name().to_str() == Some(&pid.to_string()) {
            seconds += process.own_seconds + process.children_seconds;
        }
    }
    Ok(seconds)
}

struct Process {
    has_ended: bool,
    parent: u32,
    own_seconds: f64,
    /// Of those that it has waited for.
    children_seconds: f64,
}

fn process(stat: &str) -> Result<Process> {
    // The name, in brackets, may hold anything. Behind it: the state, the parent, and from the twelfth on four times.
    let (_, fields) = stat.rsplit_once(')').ok_or("an odd line in /proc")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let at = |position: usize| fields.get(position).copied().ok_or("a short line in /proc");
    let seconds = |position| -> Result<f64> { Ok(at(position)?.parse::<f64>()? / TICKS_PER_SEC) };
    Ok(Process {
        has_ended: at(0)? == "Z",
        parent: at(1)?.parse()?,
        own_seconds: seconds(11)? + seconds(12)?,
        children_seconds: seconds(13)? + seconds(14)?,
    })
}

/// The run with the median time, and the largest peak of all.
pub fn median(mut runs: Vec<Measured>) -> Option<Measured> {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let peak_bytes = runs.iter().map(|it| it.peak_bytes).max().unwrap_or(0);
    runs.get(runs.len() / 2).map(|middle| Measured { peak_bytes, ..*middle })
}
