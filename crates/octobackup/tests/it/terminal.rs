//! What a person sees at a terminal while a run of the server goes on.

use crate::server::{Server, add};
use crate::world::{WAIT_MAX, World};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A command on a terminal of its own, which writes down all that it shows.
struct Terminal {
    child: Child,
    shown: PathBuf,
}

impl Terminal {
    fn start(world: &World, name: &str, command: &str) -> Terminal {
        let shown = world.path(name);
        let command =
            format!("{} {command} --socket {}", env!("CARGO_BIN_EXE_octobackup"), world.path("socket").display());
        let mut script = Command::new("script");
        script.args(["--quiet", "--flush", "--return", "--command", &command]).arg(&shown).env("TERM", "xterm");
        let child = script.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        Terminal { child, shown }
    }

    /// Waits until the words have been shown.
    #[track_caller]
    fn shows(&self, words: &str) {
        let begun = Instant::now();
        loop {
            let shown = String::from_utf8_lossy(&std::fs::read(&self.shown).unwrap_or_default()).into_owned();
            if shown.contains(words) {
                return;
            }
            assert!(begun.elapsed() < WAIT_MAX, "{words}: {shown}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn types(&mut self, keys: &str) {
        self.child.stdin.as_mut().unwrap().write_all(keys.as_bytes()).unwrap();
    }

    fn ends(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_run_shows_its_number_what_it_waits_for_and_its_progress_and_is_left_by_ctrl_c() {
    let world = World::new();
    let server = Server::start_with(&world, "[limits]\nruns_max = 1\n", &[]);
    for n in 0..12_u8 {
        std::fs::write(world.src().join(format!("f{n:02}")), vec![n; 1 << 20]).unwrap();
    }
    add(&server, &["--set", "bandwidth=256KiB"]).ends(0);
    let other = world.path("other").display().to_string();
    let source = world.src().display().to_string();
    server.ask(&["job", "add", "second", &source, &other]).ends(0);
    let first = Terminal::start(&world, "first", "run demo");
    first.shows("run 1, copying: ");
    first.shows(" s left");
    let mut second = Terminal::start(&world, "second", "run second");
    second.shows("run 2, queued; under way: run 1 of demo");
    second.types("\u{3}");
    second.shows("run 2 goes on at the server. To stop it: octobackup cancel 2; to see it: octobackup log -f 2");
    assert_eq!(second.ends(), Some(130));
    let runs = server.json(&["runs"]);
    assert_eq!((&runs[1]["state"], &runs[0]["state"]), (&"running".into(), &"queued".into()), "{runs}");
    assert!(runs[1]["progress"]["counts"].is_object(), "{runs}");
    let log = Terminal::start(&world, "log", "log -f 2");
    log.shows("run 2, queued; under way: run 1 of demo");
    server.ask(&["cancel", "1"]).ends(0);
    log.shows("ended: succeeded");
    assert_eq!((first.ends(), log.ends()), (Some(130), Some(0)));
}

#[test]
fn a_run_that_is_tried_again_says_when() {
    let world = World::with_files();
    let server = Server::start(&world);
    let target = world.path("nothing").display().to_string();
    let secret = world.path("secret");
    std::fs::write(&secret, "x").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    server.ask(&["credential", "set", "c", "u", "--password-file", &secret.display().to_string()]).ends(0);
    // Nothing listens there.
    server.ask(&["job", "add", "down", "//127.0.0.1:9/x", &target, "--credential", "c"]).ends(0);
    server.ask(&["run", "down"]).ends(3).says("Run 2 tries again at ").says("octobackup cancel 2");
    // What was taken out of the queue never started, whenever it was due.
    server.ask(&["cancel", "2"]).ends(0);
    let runs = server.ask(&["runs"]).ends(0).stdout;
    assert!(runs.lines().nth(1).is_some_and(|line| line.contains("cancelled  never")), "{runs}");
}
