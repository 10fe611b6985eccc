//! Server, command line and agent as an administrator meets them: the real programs, paired and put to work.

use crate::server::Server;
use crate::world::{World, until};
use octo_client::Client;
use octo_testkit::samba::{Samba, SambaOptions};
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub const HOST: &str = "files-1";
const LISTENING: &str = "[agents]\nlisten = \"127.0.0.1:0\"\n";

/// A machine with an agent that may read one folder; the agent does not outlive the test.
pub struct Machine {
    /// The program with the arguments that all its commands have.
    program: Vec<OsString>,
    agent: Option<Child>,
}

/// The agent's program, built beside ours.
fn program() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_octobackup")).with_file_name("octobackup-agent");
    assert!(path.exists(), "{} is missing; build it with: cargo build -p octo-agent", path.display());
    path
}

impl Machine {
    pub fn new(world: &World, root: &Path) -> Machine {
        Machine::with(world, vec![program().into()], root, Path::to_owned)
    }

    /// `named`: how that machine names a path of this one.
    pub fn with(world: &World, mut program: Vec<OsString>, root: &Path, named: impl Fn(&Path) -> PathBuf) -> Machine {
        let config = format!("roots = [{:?}]\nstate = {:?}\n", named(root), named(&world.path("agent")));
        fs::write(world.path("agent.toml"), config).unwrap();
        program.extend(["--config".into(), named(&world.path("agent.toml")).into()]);
        Machine { program, agent: None }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Whether the server took the token.
    fn enroll(&self, address: &str, token: &str) -> bool {
        let mut command = self.command();
        let mut child = command.args(["enroll", "--server", address]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
        child.wait().unwrap().success()
    }

    fn start(&mut self) {
        self.agent = Some(self.command().arg("run").spawn().unwrap());
    }

    /// Pairs and starts; returns once the server sees it.
    pub fn join(&mut self, server: &Server<'_>, address: &str) {
        let token = server.ask(&["host", "add", HOST]).ends(0).says("octobackup-agent enroll").stdout;
        assert!(self.enroll(address, &token));
        self.start();
        until("the agent is connected", || server.json(&["host", "show", HOST])["is_connected"] == true);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(agent) = &mut self.agent {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}

pub fn listening(world: &World) -> (Server<'_>, String) {
    let mut server = Server::start_with(world, LISTENING, &[]);
    let address = server.hears("listens for agents at ");
    (server, address)
}

pub fn source(folder: &Path) -> String {
    format!("agent://{HOST}{}", folder.display())
}

pub fn add(server: &Server<'_>, source: &str, options: &[&str]) {
    let target = server.world.dst().display().to_string();
    server.ask(&[&["job", "add", "demo", source, &target], options].concat()).ends(0);
}

#[test]
fn a_machine_is_paired_its_folder_mirrored_and_after_revoking_nothing_is_read() {
    let world = World::with_files();
    let (server, address) = listening(&world);
    let mut machine = Machine::new(&world, &world.src());
    add(&server, &source(&world.src()), &[]);
    server.ask(&["run", "demo"]).ends(2).says("host add files-1");
    machine.join(&server, &address);
    server.ask(&["run", "demo"]).ends(0).says("complete");
    world.assert_mirrored();
    server.ask(&["run", "demo"]).ends(0).says("Unchanged");
    server.ask(&["host", "list"]).ends(0).says("connected").says(env!("CARGO_PKG_VERSION"));
    let host = server.json(&["host", "show", HOST]);
    assert_eq!((&host["state"], &host["jobs"][0]), (&"paired".into(), &"demo".into()));
    assert_eq!(host["roots"][0], world.src().display().to_string());
    assert!(host["last_seen"].is_string() && host["clock_skew_secs"].as_i64().unwrap().abs() < 60, "{host}");

    server.ask(&["host", "revoke", HOST]).ends(0);
    let host = server.json(&["host", "show", HOST]);
    assert_eq!((&host["state"], &host["is_connected"]), (&"revoked".into(), &false.into()));
    assert!(host["last_seen"].is_string());
    fs::write(world.src().join("later"), "not for us any more").unwrap();
    server.ask(&["run", "demo"]).ends(2).says("host add files-1");
    assert!(!world.dst().join("later").exists() && world.dst().join("a.txt").exists());
    let audit = Client::local(&world.path("socket")).unwrap().get::<Value>("/audit").unwrap().to_string();
    assert!(audit.contains("host.add") && audit.contains("host.revoke") && !audit.contains("octo1-"), "{audit}");
}

#[test]
fn a_token_works_once_and_what_is_not_allowed_is_not_read() {
    let world = World::with_files();
    let (server, address) = listening(&world);
    let allowed = world.src().join("docs");
    let mut machine = Machine::new(&world, &allowed);
    let token = server.ask(&["host", "add", HOST]).ends(0).stdout;
    assert!(machine.enroll(&address, &token));
    assert!(!machine.enroll(&address, &token), "a second time");
    let token = token.trim();
    for entry in fs::read_dir(world.path("data/agents")).unwrap() {
        let kept = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!kept.contains(token) && !kept.contains(&token[6..38]), "the secret is not kept");
    }
    machine.start();
    until("the agent is connected", || server.json(&["host", "show", HOST])["is_connected"] == true);
    add(&server, &source(&world.src()), &[]);
    server.ask(&["run", "demo"]).ends(3).says("configuration allows");
    assert!(!world.dst().join("a.txt").exists());
    server.ask(&["host", "add", "a/b"]).ends(2).says("not a name for a host");
    server.ask(&["host", "show", "nobody"]).ends(5).says("nobody");
}

#[test]
fn who_pairs_and_who_is_refused_is_in_the_audit_log_with_host_and_address() {
    let world = World::new();
    let (server, address) = listening(&world);
    let mut machine = Machine::new(&world, &world.path("agent"));
    let client = Client::local(&world.path("socket")).unwrap();
    let rows = |what: &str| -> Vec<(String, String, String)> {
        let audit: Value = client.get("/audit").unwrap();
        assert!(!audit.to_string().contains("octo1-"), "{audit}");
        let rows = audit["items"].as_array().or(audit.as_array()).unwrap().clone();
        let text = |row: &serde_json::Value, field: &str| row[field].as_str().unwrap().to_owned();
        let rows = rows.iter().filter(|row| row["what"] == what);
        rows.map(|row| (text(row, "who"), text(row, "about"), text(row, "detail"))).collect()
    };
    let token = server.ask(&["host", "add", HOST]).ends(0).stdout;
    assert!(machine.enroll(&address, &token));
    until("host.pair", || !rows("host.pair").is_empty());
    let (who, about, detail) = rows("host.pair").remove(0);
    assert_eq!((&*who, &*about), ("agent files-1", HOST));
    assert!(detail.starts_with("127.0.0.1, calls itself "), "{detail}");

    assert!(!machine.enroll(&address, &token), "a second time");
    until("host.token.refused", || !rows("host.token.refused").is_empty());
    assert_eq!(rows("host.token.refused"), [("unknown".into(), String::new(), "127.0.0.1".into())]);
    assert!(rows("host.certificate.refused").is_empty());

    machine.start();
    until("the agent is connected", || server.json(&["host", "show", HOST])["is_connected"] == true);
    server.ask(&["host", "revoke", HOST]).ends(0);
    // It dials again and again: one row, counted up.
    until("host.certificate.refused", || {
        rows("host.certificate.refused").iter().any(|(_, _, detail)| detail.contains(" times until "))
    });
    let refused = rows("host.certificate.refused");
    assert!(refused.len() == 1 && refused[0].0 == "agent files-1", "{refused:?}");
    assert!(refused[0].2.starts_with("127.0.0.1, "), "{refused:?}");
    assert_eq!(rows("host.pair").len(), 1);
}

#[test]
fn a_machine_that_was_cloned_with_its_key_is_shown_everywhere_and_not_read_until_it_is_paired_anew() {
    let world = World::with_files();
    let (server, address) = listening(&world);
    let mut machine = Machine::new(&world, &world.src());
    machine.join(&server, &address);
    add(&server, &source(&world.src()), &[]);
    server.ask(&["host", "list"]).ends(0).says("connected");
    let mut clone = Machine { program: machine.program.clone(), agent: None };
    clone.start();
    until("two agents", || server.json(&["host", "show", HOST])["agents"].as_array().unwrap().len() == 2);
    let next_step = "Pair one of them again";
    server.ask(&["host", "list"]).ends(0).says("2 AGENTS").says(next_step);
    server.ask(&["host", "show", HOST]).ends(0).says("at 127.0.0.1").says(next_step);
    server.ask(&["self-check"]).ends(1).says("host files-1").says(next_step);
    until("host.cloned", || server.ask(&["audit"]).ends(0).stdout.contains("host.cloned"));
    server.ask(&["run", "demo"]).ends(3).says("two agents are connected").says(next_step);
    assert!(!world.dst().join("a.txt").exists());
    // The clone gets an identity of its own.
    fs::create_dir(world.path("second")).unwrap();
    let text = fs::read_to_string(world.path("agent.toml")).unwrap().replace("/agent\"", "/second\"");
    fs::write(world.path("second.toml"), text).unwrap();
    drop(clone);
    let mut clone = Machine { program: machine.program.clone(), agent: None };
    *clone.program.last_mut().unwrap() = world.path("second.toml").into();
    let token = server.ask(&["host", "add", "files-2"]).ends(0).stdout;
    assert!(clone.enroll(&address, &token));
    clone.start();
    until("the agent is connected", || server.json(&["host", "show", "files-2"])["is_connected"] == true);
    server.ask(&["run", "demo"]).ends(0);
    server.ask(&["self-check", "--json"]).stdout.lines().for_each(|line| assert!(!line.contains("host files-1")));
}

#[test]
fn a_server_that_does_not_listen_says_what_to_write_where() {
    let world = World::with_files();
    let server = Server::start_with(&world, "", &[]);
    server.ask(&["host", "add", HOST]).ends(6).says("[agents]");
    add(&server, &source(&world.src()), &[]);
    server.ask(&["run", "demo"]).ends(2).says("[agents]");
    world.sync_from(source(&world.src()).as_ref(), &[]).ends(2).says("octobackup job add");
}

#[test]
fn a_job_changes_between_share_and_agent_without_copying_again() {
    let samba = Samba::start(SambaOptions::new());
    let world = World::new();
    let root = samba.share_path("data");
    fs::create_dir(root.join("folder")).unwrap();
    for n in 0..20 {
        fs::write(root.join(format!("folder/{n}")), vec![n; 1000]).unwrap();
    }
    let (server, address) = listening(&world);
    fs::write(world.path("password"), "pw-backupop").unwrap();
    let set = fs::set_permissions(world.path("password"), std::os::unix::fs::PermissionsExt::from_mode(0o600));
    set.unwrap();
    let password = world.path("password").display().to_string();
    server.ask(&["credential", "set", "fs", "backupop", "--password-file", &password]).ends(0);
    let share = format!("//{}/data", samba.addr());
    add(&server, &share, &["--credential", "fs"]);
    server.ask(&["run", "demo"]).ends(0);
    let mut machine = Machine::new(&world, &root);
    machine.join(&server, &address);

    for (change, label) in [
        (vec!["--source".to_owned(), source(&root), "--unset".into(), "credential".into()], source(&root)),
        (vec!["--source".to_owned(), share.clone(), "--credential".into(), "fs".into()], share.clone()),
    ] {
        let change: Vec<&str> = change.iter().map(String::as_str).collect();
        server.ask(&[&["job", "edit", "demo"], &change[..]].concat()).ends(0);
        server.ask(&["run", "demo"]).ends(3).says("--accept-source");
        server.ask(&["run", "demo", "--accept-source"]).ends(0);
        let run = server.json(&["runs", "--limit", "1"])[0].clone();
        assert_eq!((&run["outcome"], &run["copied_files"]), (&"succeeded".into(), &0.into()), "{label}: {run}");
        server.ask(&["run", "demo"]).ends(0).says(&label);
    }
    // It is still a mirror that follows.
    fs::remove_file(root.join("folder/3")).unwrap();
    fs::write(root.join("folder/new"), "new").unwrap();
    server.ask(&["run", "demo"]).ends(0);
    assert!(!world.dst().join("folder/3").exists());
    assert_eq!(fs::read_to_string(world.dst().join("folder/new")).unwrap(), "new");
}
