//! A log that is written all the time, on a share and at an agent: its beginning is copied if that is wanted.

use crate::agent::{Machine, add, listening, source};
use crate::world::{Ran, WAIT_MAX, World, finish};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Slow enough that more is written while it is read.
const SLOW: &str = "2MiB";

/// Appends lines to a file until it is dropped.
struct Writer(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Writer {
    fn new(path: &Path) -> Writer {
        fs::write(path, "a line from before\n".repeat(60_000)).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (mut file, stopped) = (fs::File::options().append(true).open(path).unwrap(), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for n in 0.. {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                writeln!(file, "line {n}").unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Writer(stop, Some(thread))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
        self.1.take().map(JoinHandle::join);
    }
}

#[track_caller]
fn assert_beginning(copy: &Path, log: &Path) {
    let (copy, log) = (fs::read(copy).unwrap(), fs::read(log).unwrap());
    assert!(copy.len() > 1_000_000 && copy.len() < log.len() && log.starts_with(&copy), "{} bytes", copy.len());
}

/// Runs until one was under way while a line was written, which says so: a busy machine may read all of the log between two lines.
#[track_caller]
fn until_it_says(words: &str, code: i32, mut run: impl FnMut() -> Ran) {
    let begun = Instant::now();
    loop {
        let ran = run();
        if ran.stdout.contains(words) {
            ran.ends(code);
            return;
        }
        assert!(begun.elapsed() < WAIT_MAX, "{}", ran.ends(0).stdout);
    }
}

#[test]
fn the_beginning_of_a_log_on_a_share_is_copied() {
    let (samba, world) = (Samba::start(SambaOptions::new()), World::new());
    let log = samba.share_path("plainfs").join("log");
    let _writer = Writer::new(&log);
    let source = format!("//{}/plainfs", samba.addr());
    let sync = |dst: &Path, options: &[&str]| {
        let mut args = vec!["sync".as_ref(), source.as_ref(), dst.as_os_str(), "--user".as_ref(), "plain".as_ref()];
        args.extend(["--bandwidth", SLOW].iter().chain(options).map(std::ffi::OsStr::new));
        finish(world.program(&args).env("OCTOBACKUP_PASSWORD", "pw-plain").spawn().unwrap())
    };
    let mut dst = world.dst();
    let mut mirrors = 0;
    until_it_says("changed while it was read", 1, || {
        mirrors += 1;
        dst = world.path(&format!("mirror{mirrors}"));
        sync(&dst, &[])
    });
    assert!(!dst.join("log").exists());
    until_it_says("copied as far as it went", 0, || sync(&dst, &["--live-files", "copy"]));
    assert_beginning(&dst.join("log"), &log);
}

#[test]
fn the_beginning_of_a_log_of_an_agent_is_copied_where_the_job_says_so() {
    let world = World::with_files();
    let (server, address) = listening(&world);
    let mut machine = Machine::new(&world, &world.src());
    machine.join(&server, &address);
    let log = world.src().join("log");
    let _writer = Writer::new(&log);
    let bandwidth = format!("bandwidth={SLOW}");
    add(&server, &source(&world.src()), &["--set", "live_files=copy", "--set", &bandwidth]);
    until_it_says("copied as far as it went", 0, || server.ask(&["run", "demo"]));
    assert_beginning(&world.dst().join("log"), &log);
}
