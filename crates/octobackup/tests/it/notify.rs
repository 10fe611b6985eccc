//! Who is told what: by mail to a real mail server, by webhook and by heartbeat.

use crate::server::{Server, add};
use crate::world::{WAIT_MAX, World, until};
use octo_testkit::clock::far_from_now;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A mail server; it ends with the test.
pub struct Sink {
    child: Child,
    folder: PathBuf,
    port: String,
}

impl Sink {
    pub fn start(world: &World, mode: &str) -> Sink {
        let folder = world.path("mail");
        fs::create_dir_all(&folder).unwrap();
        let (certificate, key) = certificate(world);
        // Debian's own Python: that is where Debian's packages are.
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", include_str!("mail_sink.py")]).arg(&folder).arg(mode).arg(certificate).arg(key);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("/usr/bin/python3 (Debian packages python3 and python3-aiosmtpd)");
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let port = port.trim().to_owned();
        assert!(!port.is_empty(), "the mail server did not start (Debian package python3-aiosmtpd)");
        Sink { child, folder, port }
    }

    /// All mails so far, as they came.
    fn mails(&self) -> Vec<String> {
        let mut paths: Vec<PathBuf> = fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|it| it == "eml"));
        paths.sort();
        paths.iter().map(|path| String::from_utf8(fs::read(path).unwrap()).unwrap()).collect()
    }

    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<String> {
        let begun = Instant::now();
        while self.mails().len() < count {
            assert!(begun.elapsed() < WAIT_MAX, "only {} of {count} mails came", self.mails().len());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.mails()
    }

    fn refuse(&self, refuses: bool) {
        let path = self.folder.join("refuse");
        if refuses { fs::write(path, "").unwrap() } else { fs::remove_file(path).unwrap() }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of a certificate for 127.0.0.1, and its key.
fn certificate(world: &World) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (world.path("certificate.pem"), world.path("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (certificate, key)
}

pub fn mail_server(server: &Server<'_>, sink: &Sink, security: &str) {
    let mut args = vec!["notify", "mail-server", "127.0.0.1", "--from", "backup@example.com", "--port", &sink.port];
    args.extend(["--security", security]);
    if security != "none" {
        let file = server.world.path("pw");
        fs::write(&file, "Hunter2-Mail\n").unwrap();
        fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
        let file = file.display().to_string();
        server.ask(&["credential", "set", "smtp", "backup@example.com", "--password-file", &file]).ends(0);
        args.extend(["--credential", "smtp"]);
    }
    server.ask(&args).ends(0);
    digest_is_far(server);
}

/// No digest of its usual time of day is among the messages that a test counts.
fn digest_is_far(server: &Server<'_>) {
    server.ask(&["notify", "digest", &far_from_now()]).ends(0);
}

#[test]
fn each_gets_what_they_asked_for_as_text_and_html() {
    let world = World::with_files();
    let (sink, server) = (Sink::start(&world, "plain"), Server::start(&world));
    mail_server(&server, &sink, "none");
    add(&server, &["--set", "retries=0"]).ends(0);
    server.ask(&["notify", "set", "all", "--mail", "all@example.com", "--when", "always"]).ends(0);
    server.ask(&["notify", "set", "ops", "--mail", "a@example.com", "--mail", "b@example.com"]).ends(0);
    server.ask(&["notify", "set", "later", "--mail", "later@example.com", "--when", "digest"]).ends(0);
    server.ask(&["run", "demo", "--dry-run"]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    let mails = sink.wait_for(1);
    for words in ["X-To: all@example.com", "Subject: octoBackup: demo: complete", "text/plain", "text/html", "<html"] {
        assert!(mails[0].contains(words), "no {words} in {}", mails[0]);
    }
    assert!(mails[0].contains("Auto-Submitted: auto-generated") && mails[0].contains("Message-ID: <octobackup."));
    fs::rename(world.dst(), world.path("unmounted")).unwrap();
    server.ask(&["run", "demo"]).ends(3);
    let mut mails = sink.wait_for(3).split_off(1);
    mails.sort();
    assert!(
        mails[0].contains("X-To: a@example.com, b@example.com") && mails[0].contains("demo: FAILED"),
        "{}",
        mails[0]
    );
    assert!(mails[0].contains("not mounted") && mails[1].contains("X-To: all@example.com"));
    server.ask(&["notify", "list"]).ends(0).says("later@example.com");
    server.ask(&["notify", "outbox"]).ends(0).says("run 3");
    assert_eq!(sink.mails().len(), 3, "a dry run is told to nobody");
}

#[test]
fn mail_waits_until_the_server_takes_it_and_outlives_a_kill() {
    let world = World::with_files();
    let (sink, server) = (Sink::start(&world, "plain"), Server::start(&world));
    sink.refuse(true);
    mail_server(&server, &sink, "none");
    add(&server, &[]).ends(0);
    server.ask(&["notify", "set", "all", "--mail", "all@example.com", "--when", "always"]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    let mut error = None;
    until("the mail is refused", || {
        error = server.json(&["notify", "outbox"])[0]["last_error"].as_str().map(str::to_owned);
        error.is_some()
    });
    assert!(error.as_ref().is_some_and(|error| error.contains("not now")), "{error:?}");
    server.kill();
    assert!(sink.mails().is_empty());
    sink.refuse(false);
    let server = Server::start(&world);
    assert!(sink.wait_for(1)[0].contains("demo: complete"));
    until("it is noted as sent", || !server.json(&["notify", "outbox"])[0]["sent_at"].is_null());
    server.terminate();
    let server = Server::start(&world);
    server.ask(&["notify", "test", "all"]).ends(0);
    assert_eq!(sink.mails().len(), 2, "what was taken is not sent again");
}

#[test]
fn mail_goes_over_tls_to_a_server_that_is_trusted_and_to_no_other() {
    for (mode, security) in [("starttls", "starttls"), ("tls", "tls")] {
        let world = World::with_files();
        let sink = Sink::start(&world, mode);
        let server = Server::start(&world);
        mail_server(&server, &sink, security);
        server.ask(&["notify", "set", "ops", "--mail", "ops@example.com"]).ends(0);
        let refused = server.ask(&["notify", "test", "ops"]).ends(3).says("certificate");
        assert!(!refused.stderr.contains("Hunter2"));
        server.terminate();
        let trusted = world.path("certificate.pem").display().to_string();
        let server = Server::start_with(&world, "", &[("SSL_CERT_FILE", &trusted)]);
        server.ask(&["notify", "test", "ops"]).ends(0).says("accepted");
        // The one that waited, and the second.
        assert!(sink.wait_for(2)[0].contains("This is a test"));
        let file = world.path("pw");
        fs::write(&file, "wrong-password\n").unwrap();
        let file = file.display().to_string();
        server.ask(&["credential", "set", "smtp", "backup@example.com", "--password-file", &file]).ends(0);
        let refused = server.ask(&["notify", "test", "ops"]).ends(3).says("535");
        assert!(!refused.stderr.contains("wrong-password"));
    }
}

#[test]
fn a_mail_server_without_tls_is_not_sent_mail_that_wants_it() {
    let world = World::with_files();
    let (sink, server) = (Sink::start(&world, "plain"), Server::start(&world));
    mail_server(&server, &sink, "starttls");
    server.ask(&["notify", "set", "ops", "--mail", "ops@example.com"]).ends(0);
    server.ask(&["notify", "test", "ops"]).ends(3).says("STARTTLS");
    assert!(sink.mails().is_empty());
    let bad = ["notify", "mail-server", "x", "--from", "a@b", "--security", "none", "--credential", "smtp"];
    server.ask(&bad).ends(2).says("without TLS");
    server.ask(&["credential", "remove", "smtp"]).ends(6).says("mail server uses");
}

/// One request, as it came.
fn one_request(listener: &TcpListener, answer: &str) -> (String, String) {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    (head, String::from_utf8(body).unwrap())
}

#[test]
fn a_webhook_is_sent_signed_json_and_a_heartbeat_is_called_after_good_runs_only() {
    let world = World::with_files();
    let server = Server::start(&world);
    digest_is_far(&server);
    add(&server, &["--set", "retries=0"]).ends(0);
    let file = world.path("pw");
    fs::write(&file, "Hunter2-Hook\n").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    server.ask(&["credential", "set", "hook", "hook", "--password-file", &file.display().to_string()]).ends(0);
    let (hook, heart) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let url = |listener: &TcpListener, path: &str| format!("http://{}{path}", listener.local_addr().unwrap());
    let hooked = ["notify", "set", "hook", "--webhook", &url(&hook, "/in"), "--credential", "hook", "--when", "always"];
    server.ask(&hooked).ends(0);
    server.ask(&["notify", "set", "alive", "--heartbeat", &url(&heart, "/ping/{job}")]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    let (head, _) = one_request(&heart, "200 OK");
    assert!(head.starts_with("GET /ping/demo HTTP/1.1"), "{head}");
    // Not followed: a redirect is no answer.
    let (_, first) = one_request(&hook, "302 Found\r\nLocation: /elsewhere");
    server.ask(&hooked).ends(0);
    let (head, body) = one_request(&hook, "204 No Content");
    assert!(head.starts_with("POST /in HTTP/1.1"), "{head}");
    assert_eq!(first, body, "the same message");
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&told["event"], &told["job"], &told["outcome"]), (&"run".into(), &"demo".into(), &"succeeded".into()));
    fs::write(world.path("body"), &body).unwrap();
    let sum = Command::new("/usr/bin/python3")
        .args([
            "-c",
            "import hmac,sys; print(hmac.new(b'Hunter2-Hook', open(sys.argv[1],'rb').read(), 'sha256').hexdigest())",
        ])
        .arg(world.path("body"))
        .output()
        .expect("/usr/bin/python3 (Debian package python3)");
    let signature = format!("octobackup-signature: sha256={}", String::from_utf8(sum.stdout).unwrap().trim());
    assert!(head.to_lowercase().contains(&signature), "no {signature} in {head}");
    fs::rename(world.dst(), world.path("unmounted")).unwrap();
    server.ask(&["run", "demo"]).ends(3);
    assert!(one_request(&hook, "200 OK").1.contains("\"outcome\":\"failed\""));
    let about = |message: &serde_json::Value| message["recipient"] == "alive";
    let outbox = server.json(&["notify", "outbox"]);
    assert_eq!(outbox.as_array().unwrap().iter().filter(|message| about(message)).count(), 1, "{outbox}");
}
