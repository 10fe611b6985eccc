//! Strangers at the door over TCP: however many they are and whatever they do not do, who means it gets in.

use crate::doors::Answering;
use crate::world::{World, me};
use octo_client::Client;
use octo_server::access::Role;
use octo_server::api::{Http, Tls};
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// More than there are places.
const STRANGERS: usize = 300;
const WAIT_MAX: Duration = Duration::from_secs(60);

impl Answering {
    /// Strangers who send this and nothing more, and read nothing.
    fn besiege(&self, sent: &[u8]) -> Vec<TcpStream> {
        let stranger = |_| {
            let mut stream = TcpStream::connect(self.address()).unwrap();
            stream.set_nonblocking(true).unwrap();
            // It may be closed already, to make place for another.
            let _ = stream.write(sent);
            stream
        };
        (0..STRANGERS).map(stranger).collect()
    }

    fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn gets_in(&self) -> bool {
        self.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").starts_with("HTTP/1.1 200")
    }
}

/// How many of them are connected still.
fn standing(strangers: &[TcpStream]) -> usize {
    let is_open = |stream: &&TcpStream| match stream.peek(&mut [0]) {
        Ok(read) => read > 0,
        Err(e) => e.kind() == ErrorKind::WouldBlock,
    };
    strangers.iter().filter(is_open).count()
}

/// Whether somebody got in while the strangers were there still. On a machine that stood still for long they may have been sent
/// away for their slowness: then it is tried again.
fn gets_in_meanwhile(besiege: impl Fn() -> Vec<TcpStream>, gets_in: impl Fn() -> bool) -> bool {
    (0..4).any(|_| {
        let strangers = besiege();
        assert!(gets_in());
        standing(&strangers) >= 100
    })
}

#[test]
fn half_heads_idle_connections_and_pipelines_that_are_never_read_keep_nobody_out() {
    let server = Answering::start(None);
    let pipeline = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(500);
    let slow_body = "POST /api/v1/session HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{";
    for sent in ["", "GET /healthz HTTP/1.1\r\nhost: lo", slow_body, &pipeline] {
        let held = gets_in_meanwhile(|| server.besiege(sent.as_bytes()), || server.gets_in());
        assert!(held, "{:.40}", sent);
    }
}

#[test]
fn idle_handshakes_keep_nobody_out() {
    let home = tempfile::tempdir().unwrap();
    let server = Answering::start(Some(Tls::generated(home.path(), &["127.0.0.1".to_owned()]).unwrap()));
    let made = server.world.service.add_token(&me(), "t", Role::Viewer, 1).unwrap();
    let trusted = home.path().join("tls/certificate.pem");
    let url = format!("https://{}", server.address());
    let gets_in = || {
        let client = Client::remote(&url, &made.secret, Some(&trusted)).unwrap();
        client.get::<Value>("/session").is_ok_and(|session| session["role"] == "viewer")
    };
    for sent in [&b""[..], &[0x16, 3, 1, 2, 0, 1]] {
        assert!(gets_in_meanwhile(|| server.besiege(sent), gets_in));
    }
}

#[test]
fn a_stranger_is_listened_to_only_as_long_as_a_name_and_a_password_are() {
    let server = Answering::start(None);
    let body = format!(r#"{{"user": "{}", "password": "x"}}"#, "x".repeat(1 << 20));
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
    let head = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let _ = stream.write_all(body.as_bytes());
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer[9..], b"413");
}

#[test]
fn what_strangers_are_refused_is_in_the_audit_log_once_and_counted() {
    let server = Answering::start(None);
    let body = r#"{"code": "octo_x", "user": "eve", "password": "correct horse battery"}"#;
    for _ in 0..20 {
        server.send(
            "GET /api/v1/jobs HTTP/1.1\r\nhost: localhost\r\nauthorization: Basic eDp5\r\nconnection: close\r\n\r\n",
        );
    }
    let length = body.len();
    server.send(&format!(
        "POST /api/v1/setup HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    ));
    server.world.service.set_user(&me(), "anna", Role::Viewer, Some("correct horse battery")).unwrap();
    let from = Some("10.0.0.9".parse().unwrap());
    for _ in 0..30 {
        assert!(server.world.service.log_on(from, "anna", "wrong").is_err());
    }
    assert!(server.world.service.change_password(from, "anna", "wrong", "correct horse battery").is_err());
    let rows = server.world.service.audit(None, 50).unwrap();
    let details = |what: &str| {
        let rows = rows.iter().filter(|row| row.what == what);
        rows.map(|row| format!("{} {}", row.who, row.detail)).collect::<Vec<_>>()
    };
    let (tokens, setups) = (details("token.refused"), details("setup.refused"));
    assert!(tokens.len() == 1 && tokens[0].starts_with("unknown 127.0.0.1, 20 times until "), "{tokens:?}");
    assert_eq!(setups, ["unknown 127.0.0.1"]);
    let passwords = details("session.refused");
    assert!(passwords.len() == 1 && passwords[0].starts_with("anna 10.0.0.9, 30 times until "), "{passwords:?}");
    assert_eq!(details("user.password.refused"), ["anna 10.0.0.9"]);
}

#[test]
fn what_another_site_makes_a_browser_send_is_refused_on_loopback_too() {
    let server = Answering::start(None);
    let ask = |headers: &str| {
        server.send(&format!("GET /healthz HTTP/1.1\r\n{headers}connection: close\r\n\r\n"))[9..12].to_owned()
    };
    let own = server.address();
    assert_eq!(ask(&format!("host: {own}\r\norigin: http://{own}\r\n")), "200");
    for foreign in [
        "host: rebound.example:8734\r\n".to_owned(),
        format!("host: {own}\r\norigin: http://evil.example\r\n"),
        format!("host: {own}\r\norigin: null\r\n"),
        String::new(),
    ] {
        assert_eq!(ask(&foreign), "403", "{foreign}");
    }
}

#[test]
fn a_second_server_neither_takes_over_a_socket_nor_removes_it() {
    let first = Answering::start(None);
    let socket = first.world.path("socket");
    let second = World::at("2026-08-04 12:00");
    let refused = Http::start(second.service.clone(), &socket, None).err().unwrap();
    assert!(
        refused.detail.contains(socket.to_str().unwrap()) && refused.detail.contains("another server"),
        "{refused}"
    );
    // One that knows nothing of the lock.
    std::fs::remove_file(first.world.path("socket.lock")).unwrap();
    assert!(Http::start(second.service.clone(), &socket, None).is_err());
    let client = Client::local(&socket).unwrap();
    assert_eq!(client.get::<Value>("/session").unwrap()["role"], "administrator");
    let Answering { world, http } = first;
    http.stop();
    assert!(!socket.exists());
    // What a server that died leaves is replaced.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let http = Http::start(second.service.clone(), &socket, None).unwrap();
    http.stop();
    drop(world);
}

#[test]
fn the_tokens_of_a_user_end_with_the_user_and_names_that_mean_others_are_refused() {
    let world = World::at("2026-08-04 12:00");
    let service = &world.service;
    let anna = octo_server::service::Caller { name: "anna".into() };
    let with_token = octo_server::service::Caller { name: "token first".into() };
    let names = || {
        let tokens = service.tokens(&octo_server::service::ByName::default()).unwrap();
        tokens.into_iter().map(|token| token.name).collect::<Vec<_>>()
    };
    service.set_user(&me(), "anna", Role::Administrator, Some("correct horse battery")).unwrap();
    service.add_token(&me(), "other", Role::Administrator, 1).unwrap();
    service.add_token(&anna, "first", Role::Administrator, 1).unwrap();
    service.add_token(&with_token, "second", Role::Viewer, 1).unwrap();
    service.add_token(&anna, "looks", Role::Viewer, 1).unwrap();
    service.set_user(&me(), "anna", Role::Operator, None).unwrap();
    assert_eq!(names(), ["looks", "other"], "who may do less, does less by token too");
    service.remove_user(&me(), "anna").unwrap();
    assert_eq!(names(), ["other"]);
    for name in ["root", "Root", "unknown", "octobackup"] {
        assert!(service.set_user(&me(), name, Role::Viewer, Some("correct horse battery")).is_err(), "{name}");
    }
    service.set_user(&me(), "ben", Role::Viewer, Some("correct horse battery")).unwrap();
    assert!(service.set_user(&me(), "Ben", Role::Viewer, Some("correct horse battery")).is_err());
}
