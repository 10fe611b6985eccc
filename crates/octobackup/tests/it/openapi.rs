//! The API as its document says: schemathesis makes requests of all kinds from docs/openapi.json, and looks at the answers.

use crate::server::Server;
use crate::world::{Ran, World, finish};
use octo_testkit::clock::far_from_now;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Nobody: what it makes up may name any folder of this machine.
const NOBODY: u32 = 65534;
/// What is not asked for: it would run what was made up, tell strangers, take away our own token, write where nobody wants it, or never end.
const LEFT_OUT: &str = r"name\}/runs$|/test$|/tokens/\{name\}$|/events$|/backup$";
/// What every answer is held against.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      unsupported_method,ignored_auth";

/// A server that may do as little as can be, and schemathesis.
struct Asked<'a> {
    server: Server<'a>,
    url: String,
    token: String,
}

impl<'a> Asked<'a> {
    fn start(world: &'a World) -> Asked<'a> {
        fs::set_permissions(world.path(""), PermissionsExt::from_mode(0o755)).unwrap();
        let home = world.path("home");
        fs::create_dir(&home).unwrap();
        chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        let (config, program) = (home.join("octobackup.toml"), home.join("octobackup"));
        let (data, socket) = (home.join("data"), world.path("home/socket"));
        let listen = "listen = \"127.0.0.1:0\"";
        fs::write(&config, format!("data_dir = {data:?}\nsocket = {socket:?}\n[http]\n{listen}\n[agents]\n{listen}\n"))
            .unwrap();
        // A copy that nobody may run, wherever this one is.
        fs::copy(env!("CARGO_BIN_EXE_octobackup"), &program).unwrap();
        let mut command = Command::new(&program);
        command.args([OsStr::new("serve"), "--config".as_ref(), config.as_os_str()]).uid(NOBODY).gid(NOBODY);
        std::os::unix::fs::symlink(&socket, world.path("socket")).unwrap();
        let mut server = Server::of(world, &mut command);
        server.hears("listens for agents at ");
        let url = server.hears("answers at ");
        let token = world.path("token").display().to_string();
        server.ask(&["token", "add", "test", &token, "--role", "administrator"]).ends(0);
        Asked { server, url, token }
    }

    /// One of each kind, as the examples in the document call them.
    fn fill(&self) {
        let world = self.server.world;
        let (src, dst) = (world.src().display().to_string(), world.path("home/mirror").display().to_string());
        let password = world.path("pw");
        fs::write(&password, "correct horse battery").unwrap();
        fs::set_permissions(&password, PermissionsExt::from_mode(0o600)).unwrap();
        let password = password.display().to_string();
        self.server.ask(&["job", "add", "demo", &src, &dst, "--schedule", &far_from_now()]).ends(0);
        self.server.ask(&["run", "demo"]).ends(0);
        self.server.ask(&["credential", "set", "demo", "CORP\\demo", "--password-file", &password]).ends(0);
        self.server.ask(&["user", "add", "demo", "--role", "viewer", "--password-file", &password]).ends(0);
        self.server.ask(&["host", "add", "demo"]).ends(0);
        self.server.ask(&["notify", "mail-server", "127.0.0.1", "--port", "9", "--from", "demo@example.com"]).ends(0);
        self.server.ask(&["notify", "set", "demo", "--webhook", "http://127.0.0.1:9/"]).ends(0);
        // Nobody is there: the message is what is wanted.
        self.server.ask(&["notify", "test", "demo"]).ends(3);
    }

    fn by_schemathesis(&self, options: &[&str]) -> Ran {
        let home = Path::new(env!("CARGO_BIN_EXE_octobackup")).ancestors().nth(2).unwrap();
        let schemathesis = home.join("python/bin/schemathesis");
        assert!(schemathesis.exists(), "{} is missing; cargo xtask test installs it", schemathesis.display());
        let header = format!("Authorization: Bearer {}", fs::read_to_string(&self.token).unwrap().trim_end());
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        let mut asks = Command::new(schemathesis);
        asks.arg("run").arg(document).args(["--url", &self.url, "-H", &header, "--checks", CHECKS, "--seed", "1"]);
        asks.args(["--no-color", "--exclude-path-regex", LEFT_OUT]).args(options);
        asks.current_dir(self.server.world.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(asks.spawn().unwrap())
    }
}

#[test]
fn the_api_answers_as_its_document_says_whatever_is_asked() {
    let world = World::with_files();
    for path in [world.src(), world.src().join("docs"), world.src().join("docs/empty")] {
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let asked = Asked::start(&world);
    asked.fill();
    // Everything that can be looked at, as it is when there is something: else only refusals would be held against it.
    let looked = asked.by_schemathesis(&["--include-method", "GET", "--phases", "examples"]).ends(0);
    for vain in ["Missing test data", "Authentication failed", "Schema validation mismatch"] {
        assert!(!looked.stdout.contains(vain), "{}", looked.stdout);
    }
    let phases = ["--phases", "coverage,fuzzing", "--max-examples", "12", "--max-time", "30"];
    asked.by_schemathesis(&phases).ends(0);
    // Our token was good to the end: these were no refusals only.
    let elsewhere = ["--url", &asked.url, "--token-file", &asked.token];
    asked.server.ask(&[&["token", "list"], elsewhere.as_slice()].concat()).ends(0).says("test");
}
