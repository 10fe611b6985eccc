//! A source on a mount that does not answer: cancelling waits for none.

use crate::server::Server;
use crate::world::{Ran, WAIT_MAX, World, finish, until};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// A filesystem whose program can be made to answer nothing. Unmounted with the test.
struct Hanging {
    at: PathBuf,
    program: Child,
}

impl Hanging {
    fn mount(world: &World) -> Hanging {
        let (disk, at) = (world.path("disk"), world.src());
        fs::File::create(&disk).unwrap().set_len(16 << 20).unwrap();
        assert!(Command::new("mkfs.ntfs").args(["-q", "-F"]).arg(&disk).status().unwrap().success());
        let outside = fs::metadata(&at).unwrap().dev();
        let program = Command::new("ntfs-3g").args(["-o", "no_detach"]).args([&disk, &at]).spawn().unwrap();
        let mount = Hanging { at, program };
        until("the mount", || fs::metadata(&mount.at).unwrap().dev() != outside);
        mount
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.program), signal).unwrap();
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A run that is in the middle of a file: much more is to come, slowly.
fn begin_large(world: &World) {
    for name in ["a", "b"] {
        fs::write(world.src().join(name), vec![7; 4 << 20]).unwrap();
    }
}

const SLOWLY: &str = "512KiB";

/// Some of a file's content has come.
fn has_begun(world: &World) -> bool {
    fn is_in(folder: &Path) -> bool {
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| is_in(&entry.path()) || entry.metadata().is_ok_and(|meta| meta.is_file() && meta.blocks() > 0))
    }
    is_in(&world.dst().join(".octobackup/tmp"))
}

/// The program says that it was cancelled while its disk hangs. Only then the disk goes on: a question that it had taken and did not
/// answer keeps a program from ending even if it is killed, as the kernel waits for that answer alone.
fn ends_while_it_hangs(mut child: Child, mount: &Hanging) -> Ran {
    let mut output = child.stdout.take().unwrap();
    let (said, hears) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(len @ 1..) = output.read(&mut piece) {
            let _ = said.send(piece[..len].to_vec());
        }
    });
    let mut stdout = Vec::new();
    while !String::from_utf8_lossy(&stdout).contains("cancelled; the next run continues") {
        stdout.extend(hears.recv_timeout(WAIT_MAX).expect("it says that it was cancelled"));
    }
    mount.signal(Signal::CONT);
    let ran = finish(child).ends(130);
    hears.iter().for_each(|piece| stdout.extend(piece));
    Ran { stdout: String::from_utf8(stdout).unwrap(), ..ran }
}

/// Whether the program waits in a thread that asks the disk.
fn is_asking(child: &Child) -> bool {
    let threads = fs::read_dir(format!("/proc/{}/task", child.id())).into_iter().flatten().flatten();
    threads.into_iter().any(|it| fs::read(it.path().join("comm")).is_ok_and(|name| name == b"disk\n"))
}

#[test]
fn a_source_that_hangs_from_the_beginning_keeps_nobody_from_cancelling() {
    let world = World::new();
    let mount = Hanging::mount(&world);
    fs::write(world.src().join("file"), "content").unwrap();
    mount.signal(Signal::STOP);
    let (source, target) = (world.src(), world.dst());
    let child = world.program(&[OsStr::new("sync"), source.as_os_str(), target.as_os_str()]).spawn().unwrap();
    until("a question to the disk", || is_asking(&child));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ran = ends_while_it_hangs(child, &mount);
    assert!(!ran.stderr.contains("does not answer"), "it waited for the disk: {}", ran.stderr);
    mount.signal(Signal::CONT);
    world.sync(&[]).ends(0);
    world.assert_mirrored();
}

#[test]
fn a_source_that_hangs_in_the_middle_keeps_nobody_from_cancelling_and_the_report_is_there() {
    let world = World::new();
    let mount = Hanging::mount(&world);
    begin_large(&world);
    let (source, target) = (world.src(), world.dst());
    let [sync, slowly, rate] = ["sync", "--bandwidth", SLOWLY].map(OsStr::new);
    let child = world.program(&[sync, source.as_os_str(), target.as_os_str(), slowly, rate]).spawn().unwrap();
    until("a file that has begun", || has_begun(&world));
    mount.signal(Signal::STOP);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ran = ends_while_it_hangs(child, &mount);
    assert!(
        ran.stdout.contains("cancelled; the next run continues") && !ran.stderr.contains("does not answer"),
        "{}{}",
        ran.stdout,
        ran.stderr
    );
    mount.signal(Signal::CONT);
    world.sync(&[]).ends(0);
    world.assert_mirrored();
}

#[test]
fn a_job_whose_source_hangs_in_the_middle_is_cancelled_and_its_disk_runs_the_next() {
    let world = World::new();
    let mount = Hanging::mount(&world);
    begin_large(&world);
    let server = Server::start(&world);
    let (source, target) = (world.src().display().to_string(), world.dst().display().to_string());
    server.ask(&["job", "add", "demo", &source, &target, "--set", &format!("bandwidth={SLOWLY}")]).ends(0);
    server.ask(&["run", "demo", "--no-wait"]).ends(0);
    until("a file that has begun", || has_begun(&world));
    mount.signal(Signal::STOP);
    server.ask(&["cancel", "1"]).ends(0);
    let run = server.newest_run(|run| run["state"] == "finished");
    assert_eq!(run["outcome"], "cancelled", "{run}");
    mount.signal(Signal::CONT);
    server.ask(&["job", "edit", "demo", "--unset", "bandwidth"]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    world.assert_mirrored();
}
