//! A server, driven through the real program: jobs, runs, their history, and what is left when it is killed.

use crate::world::{Ran, WAIT_MAX, World, assert_same, tree, until};
use octo_testkit::clock::far_from_now;
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// The page that monitoring reads, of the server of this world.
pub fn metrics(world: &World) -> String {
    let mut stream = UnixStream::connect(world.path("socket")).unwrap();
    stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{head}");
    page.to_owned()
}

/// Nothing here takes longer.
/// A schedule that is due every minute comes within this time.
pub const SLOT_WAIT_MAX: Duration = Duration::from_secs(120);

/// A server of its own for one test; it does not outlive it.
pub struct Server<'a> {
    pub world: &'a World,
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl<'a> Server<'a> {
    /// Once it answers.
    pub fn start(world: &'a World) -> Server<'a> {
        Server::start_with(world, "", &[])
    }

    /// With more settings, and variables in its environment.
    pub fn start_with(world: &'a World, settings: &str, variables: &[(&str, &str)]) -> Server<'a> {
        let config = world.path("octobackup.toml");
        let (data, socket) = (world.path("data"), world.path("socket"));
        // Others use the usual port at the same time.
        let http = if settings.contains("[http]") { "" } else { "http.listen = \"none\"\n" };
        fs::write(&config, format!("data_dir = {data:?}\nsocket = {socket:?}\n{http}{settings}")).unwrap();
        let args = [OsString::from("serve"), "--config".into(), config.into()];
        let mut command = world.program(&args.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        command.envs(variables.iter().copied());
        Server::of(world, &mut command)
    }

    /// By this command.
    pub fn of(world: &'a World, command: &mut Command) -> Server<'a> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut server = Server { world, child, lines };
        server.hears("octobackup serves at ");
        server
    }

    /// What follows these words in its next line.
    pub fn hears(&mut self, words: &str) -> String {
        self.line().trim_end().split_once(words).expect(words).1.to_owned()
    }

    /// Its next line.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line
    }

    pub fn ask(&self, args: &[&str]) -> Ran {
        ask(self.world, args)
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let ran = self.ask(&[args, &["--json"]].concat()).ends(0);
        serde_json::from_str(&ran.stdout).expect(&ran.stdout)
    }

    /// Waits until the newest run of the job is as it should be.
    #[track_caller]
    pub fn newest_run(&self, is_right: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let runs = self.json(&["runs", "--limit", "1"]);
            if is_right(&runs[0]) {
                return runs[0].clone();
            }
            assert!(begun.elapsed() < WAIT_MAX, "still {runs}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What monitoring reads.
    pub fn metrics(&self) -> String {
        metrics(self.world)
    }

    /// As the power switch does.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As an administrator does.
    pub fn terminate(mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(world: &World, args: &[&str]) -> Ran {
    let args: Vec<OsString> = args.iter().map(Into::into).collect();
    let mut command = world.program(&args.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    crate::world::finish(command.env("OCTOBACKUP_SOCKET", world.path("socket")).spawn().unwrap())
}

pub fn add(server: &Server<'_>, options: &[&str]) -> Ran {
    let world = server.world;
    let (src, dst) = (world.src().display().to_string(), world.dst().display().to_string());
    server.ask(&[&["job", "add", "demo", &src, &dst], options].concat())
}

/// Much to copy, slowly.
pub fn add_slow(server: &Server<'_>) {
    for n in 0..12_u8 {
        fs::write(server.world.src().join(format!("f{n:02}")), vec![n; 1 << 20]).unwrap();
    }
    add(server, &["--set", "bandwidth=2MiB"]).ends(0);
}

/// The run is in the middle of its files.
pub fn in_the_middle(server: &Server<'_>) {
    until("the first file", || server.world.dst().join("f00").exists());
}

#[test]
fn a_job_is_added_run_and_found_in_the_history() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &["--schedule", &far_from_now(), "--set", "time_zone=Europe/Berlin"]).ends(0).says("Europe/Berlin");
    server.ask(&["run", "demo"]).ends(0).says("complete");
    world.assert_mirrored();
    let runs = server.json(&["runs", "demo"]);
    assert_eq!((&runs[0]["outcome"], &runs[0]["reason"]), (&"succeeded".into(), &"manual".into()));
    assert_eq!(runs[0]["copied_files"], 4);
    server.ask(&["report", &runs[0]["id"].to_string()]).ends(0).says("complete");
    let job = server.json(&["job", "show", "demo"]);
    assert!(job["target_id"].is_string() && job["next_slot"].is_string());
    assert_eq!(server.ask(&["schedule", "--count", "1"]).ends(0).says("demo").stdout.matches(" UTC").count(), 2);
    server.ask(&["schedule"]).ends(0).says("DUE (UTC)");
    server.ask(&["job", "list"]).ends(0).says("succeeded");
}

#[test]
fn a_dry_run_changes_nothing() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &[]).ends(0);
    server.ask(&["run", "demo", "--dry-run"]).ends(0).says("nothing was changed");
    assert!(!world.dst().exists());
}

#[test]
fn what_the_server_knows_survives_its_death() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &[]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    server.kill();
    let server = Server::start(&world);
    assert_eq!(server.json(&["job", "show", "demo"])["last_run"]["outcome"], "succeeded");
    // A disk that is not mounted is noticed, although the user's own memory of mirrors knows nothing.
    fs::rename(world.dst(), world.path("unmounted")).unwrap();
    server.ask(&["run", "demo"]).ends(3).says("not mounted");
}

#[test]
fn a_server_that_is_killed_in_mid_run_says_so_and_goes_on() {
    let world = World::new();
    let server = Server::start(&world);
    add_slow(&server);
    server.ask(&["run", "demo", "--no-wait"]).ends(0);
    in_the_middle(&server);
    server.kill();
    assert!(tree(&world.dst()).keys().filter(|path| !path.starts_with(".octobackup")).count() < 12);
    let server = Server::start(&world);
    let run = server.newest_run(|run| run["state"] == "finished" && run["reason"] == "recovery");
    assert_eq!(run["outcome"], "succeeded");
    assert_eq!(server.json(&["runs"])[1]["outcome"], "interrupted");
    server.ask(&["log", "1"]).ends(0).says("+ f00").says("error: ended: interrupted");
    server.ask(&["log", "2", "--follow"]).ends(0).says("run 2 of demo begins").says("ended: succeeded");
    assert_same(&world.mirror(), &tree(&world.src()));
}

#[test]
fn a_server_that_is_stopped_ends_its_runs_cleanly_and_goes_on() {
    let world = World::new();
    let server = Server::start(&world);
    add_slow(&server);
    server.ask(&["run", "demo", "--no-wait"]).ends(0);
    in_the_middle(&server);
    assert_eq!(server.terminate(), 0);
    assert!(!world.dst().join(".octobackup/run.open").exists(), "the run was not ended cleanly");
    let server = Server::start(&world);
    server.newest_run(|run| run["state"] == "finished" && run["reason"] == "recovery");
    assert_eq!(server.json(&["runs"])[1]["outcome"], "interrupted");
    assert_same(&world.mirror(), &tree(&world.src()));
}

#[test]
fn a_run_is_cancelled_and_its_job_can_only_then_be_removed() {
    let world = World::new();
    let server = Server::start(&world);
    add_slow(&server);
    server.ask(&["run", "demo", "--no-wait"]).ends(0);
    in_the_middle(&server);
    server.ask(&["job", "remove", "demo"]).ends(6).says("cancel it first");
    server.ask(&["run", "demo"]).ends(6).says("is running");
    let id = server.newest_run(|run| run["state"] == "running")["id"].to_string();
    server.ask(&["cancel", &id]).ends(0);
    assert_eq!(server.newest_run(|run| run["state"] == "finished")["outcome"], "cancelled");
    server.ask(&["report", &id]).ends(130).says("cancelled");
    server.ask(&["cancel", &id]).ends(6).says("ended already");
    server.ask(&["job", "remove", "demo"]).ends(0);
    server.ask(&["job", "show", "demo"]).ends(5).says("no job demo");
    assert_eq!(server.json(&["runs"])[0]["job"], "demo", "the history stays");
}

#[test]
fn bad_input_names_the_field_and_changes_nothing() {
    let world = World::with_files();
    let server = Server::start(&world);
    let (src, dst) = (world.src().display().to_string(), world.dst().display().to_string());
    for (args, words) in [
        (&["a b", &src, &dst][..], &["name", "letters"][..]),
        (&["x", "relative", &dst], &["source", "//HOST/SHARE"]),
        (&["x", &src, "relative"], &["target", "absolute"]),
        (&["x", &src, &src], &["target", "contain each other"]),
        (&["x", "//h/s", &dst, "--credential", "none"], &["credential", "octobackup credential set"]),
        (&["x", "//h/s", &dst], &["credential", "account"]),
        (&["x", &src, &dst, "--schedule", "sometimes"], &["schedule", "daily 22:00"]),
        (&["x", &src, &dst, "--set", "bandwidth=fast"], &["policy.bandwidth", "KiB"]),
        (&["x", &src, &dst, "--set", "bandwith=1M"], &["--set", "bandwith"]),
        (&["x", &src, &dst, "--set", "time_zone=Mars"], &["policy.time_zone", "Europe/Berlin"]),
        (&["x", &src, &dst, "--exclude", "[z-a]{"], &["policy.rules"]),
    ] {
        let ran = server.ask(&[&["job", "add"], args].concat()).ends(2);
        words.iter().for_each(|word| assert!(ran.stderr.contains(word), "no {word} in {}", ran.stderr));
    }
    assert_eq!(server.json(&["job", "list"]).as_array().map(Vec::len), Some(0));
    add(&server, &[]).ends(0);
    add(&server, &[]).ends(6).says("already");
    let inside = format!("{dst}/inside");
    server.ask(&["job", "add", "y", &src, &inside]).ends(2).says("target of job demo");
}

#[test]
fn an_edit_changes_only_what_is_given_and_no_edit_is_lost() {
    let world = World::with_files();
    let server = Server::start(&world);
    let schedule = far_from_now();
    add(&server, &["--set", "retries=1", "--schedule", &schedule]).ends(0);
    server.ask(&["job", "edit", "demo", "--set", "bandwidth=5M"]).ends(0);
    let job = server.json(&["job", "show", "demo"]);
    let setting = |name: &str| (job["settings"][name]["value"].clone(), job["settings"][name]["from"].clone());
    assert_eq!(setting("bandwidth"), ("5M".into(), "job".into()));
    assert_eq!(setting("retries"), (1.into(), "job".into()));
    assert_eq!(setting("keep_versions"), ("30d".into(), "built-in".into()));
    assert_eq!((&job["revision"], &job["spec"]["schedule"]), (&2.into(), &schedule.into()));
    server.ask(&["job", "edit", "demo", "--unset", "bandwidth", "--schedule", "never"]).ends(0);
    let job = server.json(&["job", "show", "demo"]);
    assert!(job["spec"]["schedule"].is_null() && job["spec"]["policy"]["bandwidth"].is_null());
    server.ask(&["job", "pause", "demo"]).ends(0);
    server.ask(&["job", "list"]).ends(0).says("paused");
}

#[test]
fn a_password_goes_in_and_never_comes_out() {
    let world = World::with_files();
    let server = Server::start(&world);
    let file = world.path("pw");
    fs::write(&file, "Hunter2-Secret\n").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let file = file.display().to_string();
    server.ask(&["credential", "set", "corp", "CORP\\backup", "--password-file", &file]).ends(0);
    let listed = server.ask(&["credential", "list", "--json"]).ends(0).says("CORP");
    assert!(!listed.stdout.contains("Hunter2"));
    server
        .ask(&["job", "add", "fs", "//127.0.0.1:9/d$", &world.dst().display().to_string(), "--credential", "corp"])
        .ends(0);
    server.ask(&["credential", "remove", "corp"]).ends(6).says("fs uses");
    server.ask(&["run", "fs"]).ends(3).says("cannot be reached");
    // The cause may pass: the next try waits.
    let retry = server.newest_run(|run| run["reason"] == "retry");
    assert_eq!((&retry["state"], &retry["attempt"]), (&"queued".into(), &1.into()));
    server.terminate();
    for (path, (content, _)) in tree(&world.path("data")) {
        let content = content.unwrap_or_default();
        assert!(!content.windows(7).any(|part| part == b"Hunter2"), "{} has it", path.display());
        let mode = fs::metadata(world.path("data").join(&path)).unwrap().permissions().mode() & 0o077;
        assert!(mode == 0 || path.to_string_lossy().starts_with("octobackup.db"), "{} has {mode:o}", path.display());
    }
}

#[test]
fn a_schedule_fires_and_every_slot_has_its_record() {
    let world = World::with_files();
    let server = Server::start(&world);
    // Due every minute: the longest wait that a real clock demands of this test.
    add(&server, &["--schedule", "* * * * *"]).ends(0);
    let begun = Instant::now();
    let run = loop {
        let slots = server.json(&["job", "slots", "demo"]);
        if let Some(run) = slots[0]["run"].as_i64() {
            assert_eq!(slots[0]["fate"], "run");
            break run;
        }
        assert!(begun.elapsed() < SLOT_WAIT_MAX, "no slot: {slots}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let ended = server.newest_run(|newest| newest["state"] == "finished");
    assert!(ended["id"].as_i64() >= Some(run) && ended["reason"] == "schedule", "{ended}");
    world.assert_mirrored();
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let world = World::with_files();
    let server = Server::start(&world);
    let config = world.path("octobackup.toml").display().to_string();
    server.ask(&["serve", "--config", &config]).ends(6).says("another octobackup serves");
    server.ask(&["job", "list"]).ends(0);
}

#[test]
fn without_a_server_the_command_line_says_what_to_do() {
    let world = World::new();
    ask(&world, &["job", "list"]).ends(3).says("octobackup serve");
}

#[test]
fn a_share_is_mirrored_on_a_schedule_with_a_stored_password() {
    let samba = crate::share::samba();
    let world = World::new();
    let server = Server::start(&world);
    let file = world.path("pw");
    fs::write(&file, "pw-backupop\n").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    server.ask(&["credential", "set", "op", "backupop", "--password-file", &file.display().to_string()]).ends(0);
    let (source, target) = (format!("//{}/data", samba.addr()), world.dst().display().to_string());
    let job = ["job", "add", "fs", &source, &target, "--credential", "op", "--schedule", "* * * * *"];
    server.ask(&job).ends(0);
    let begun = Instant::now();
    while server.json(&["job", "slots", "fs"])[0]["run"].is_null() {
        assert!(begun.elapsed() < SLOT_WAIT_MAX, "no slot came");
        std::thread::sleep(Duration::from_millis(100));
    }
    let run = server.newest_run(|run| run["state"] == "finished");
    assert_eq!((&run["reason"], &run["outcome"]), (&"schedule".into(), &"succeeded".into()));
    // What the account may only read with its backup privilege is there too.
    assert_eq!(fs::read(world.dst().join("secret/inner.txt")).unwrap(), b"inner");
    // Another password, and the run says so and is not tried again.
    fs::write(&file, "wrong\n").unwrap();
    server.ask(&["credential", "set", "op", "backupop", "--password-file", &file.display().to_string()]).ends(0);
    server.ask(&["job", "edit", "fs", "--schedule", "never"]).ends(0);
    server.newest_run(|run| run["state"] == "finished");
    server.ask(&["run", "fs"]).ends(3).says("refused the user name or password");
    assert_eq!(server.json(&["runs", "--limit", "1"])[0]["reason"], "manual");
}

#[test]
fn a_report_says_what_is_new_and_is_a_page_too() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &[]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    let pipe = world.src().join("a<b>");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
    server.ask(&["run", "demo"]).ends(1).says("(1 new)").says("last run without it");
    let id = server.json(&["runs"])[0]["id"].to_string();
    let page = server.ask(&["report", &id, "--html", "--time-zone", "Europe/Berlin"]).ends(1).stdout;
    assert!(page.starts_with("<!doctype html>") && page.contains("a&#60;b&#62;") && !page.contains("a<b>"));
    server.ask(&["report", &id, "--time-zone", "Mars"]).ends(2).says("Europe/Berlin");
}
