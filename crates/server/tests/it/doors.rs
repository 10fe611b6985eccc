//! Who may call what: every route, called by everybody. The list below is what administrators were promised.

use crate::world::{World, me};
use octo_client::Client;
use octo_server::access::{Role, Secret};
use octo_server::api::{Http, Needs, Tls, routes};
use octo_server::config::Listen;
use octo_server::service::ByName;
use octo_server::service_error::Kind;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;

const PASSWORD: &str = "correct horse battery";

/// Who may call each route.
const PROMISED: &str = "
operator      POST   /api/v1/jobs/{name}/restores
viewer        GET    /api/v1/jobs/{name}/states
operator      GET    /api/v1/jobs/{name}/states/{state}/list
operator      GET    /api/v1/jobs/{name}/states/{state}/diff
operator      GET    /api/v1/jobs/{name}/states/{state}/download
operator      GET    /api/v1/jobs/{name}/find
operator      GET    /api/v1/jobs/{name}/versions
anybody       GET    /healthz
anybody       GET    /setup
anybody       GET    /setup.js
viewer        GET    /metrics
viewer        GET    /api/v1/openapi.json
viewer        GET    /api/v1/jobs
administrator POST   /api/v1/jobs
viewer        GET    /api/v1/jobs/{name}
administrator PUT    /api/v1/jobs/{name}
administrator DELETE /api/v1/jobs/{name}
operator      POST   /api/v1/jobs/{name}/pause
operator      POST   /api/v1/jobs/{name}/resume
operator      POST   /api/v1/jobs/{name}/dismiss
operator      POST   /api/v1/jobs/{name}/runs
viewer        GET    /api/v1/jobs/{name}/slots
viewer        GET    /api/v1/runs
viewer        GET    /api/v1/runs/{id}
viewer        GET    /api/v1/runs/{id}/report
viewer        GET    /api/v1/runs/{id}/summary
viewer        GET    /api/v1/runs/{id}/page
viewer        GET    /api/v1/runs/{id}/problems
viewer        GET    /api/v1/runs/{id}/log
operator      POST   /api/v1/runs/{id}/cancel
viewer        GET    /api/v1/runs/{id}/events
viewer        GET    /api/v1/credentials
administrator PUT    /api/v1/credentials/{name}
administrator DELETE /api/v1/credentials/{name}
administrator POST   /api/v1/credentials/{name}/test
administrator PUT    /api/v1/credentials/{name}/uses
viewer        GET    /api/v1/jobs-file
administrator POST   /api/v1/jobs-file
viewer        GET    /api/v1/hosts
administrator POST   /api/v1/hosts
viewer        GET    /api/v1/hosts/{name}
administrator POST   /api/v1/hosts/{name}/revoke
administrator GET    /api/v1/recipients
administrator PUT    /api/v1/recipients/{name}
administrator DELETE /api/v1/recipients/{name}
administrator POST   /api/v1/recipients/{name}/test
viewer        GET    /api/v1/digest
viewer        GET    /api/v1/digest/schedule
administrator PUT    /api/v1/digest/schedule
administrator GET    /api/v1/mail-server
administrator PUT    /api/v1/mail-server
administrator GET    /api/v1/outbox
administrator GET    /api/v1/outbox/{id}
viewer        GET    /api/v1/defaults
administrator PUT    /api/v1/defaults
viewer        GET    /api/v1/schedule
administrator GET    /api/v1/audit
administrator POST   /api/v1/backup
administrator GET    /api/v1/self-check
anybody       POST   /api/v1/setup
anybody       POST   /api/v1/setup/check
viewer        GET    /api/v1/session
anybody       POST   /api/v1/session
viewer        DELETE /api/v1/session
viewer        PUT    /api/v1/session/password
administrator GET    /api/v1/users
administrator PUT    /api/v1/users/{name}
administrator DELETE /api/v1/users/{name}
administrator GET    /api/v1/tokens
administrator POST   /api/v1/tokens
administrator DELETE /api/v1/tokens/{name}
";

/// A server that answers over TCP.
pub struct Answering {
    pub world: World,
    pub http: Http,
}

impl Answering {
    pub fn start(tls: Option<Tls>) -> Answering {
        let world = World::at("2026-08-04 12:00");
        let listen = Listen { address: "127.0.0.1:0".parse().unwrap(), tls, names: Vec::new() };
        let http = Http::start(world.service.clone(), &world.path("socket"), Some(listen)).unwrap();
        Answering { world, http }
    }

    pub fn address(&self) -> SocketAddr {
        self.http.address().unwrap()
    }

    fn token(&self, role: Role) -> String {
        let made = self.world.service.add_token(&me(), &format!("t-{role}"), role, 1).unwrap();
        made.secret.as_str().to_owned()
    }

    /// The cookie and the csrf token of somebody who logs on.
    fn session(&self, role: Role) -> (String, String) {
        let user = format!("u-{role}");
        if !self.world.service.users(&ByName::default()).unwrap().iter().any(|known| known.name == user) {
            self.world.service.set_user(&me(), &user, role, Some(PASSWORD)).unwrap();
        }
        let begun = self.world.service.log_on(None, &user, PASSWORD).unwrap();
        (begun.secret.reveal().to_owned(), begun.secret.csrf())
    }

    /// The status, the head and the body.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, Value) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head[9..12].parse().unwrap();
        (status, head.to_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn status(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        self.ask(method, path, headers, "").0
    }
}

fn promised() -> Vec<(String, String, Needs)> {
    let lines = PROMISED.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let needs = |word: &str| match word {
        "anybody" => Needs::Nobody,
        "viewer" => Needs::Role(Role::Viewer),
        "operator" => Needs::Role(Role::Operator),
        _ => Needs::Role(Role::Administrator),
    };
    lines.map(|words| (words[1].to_owned(), words[2].to_owned(), needs(words[0]))).collect()
}

const ROLES: [Role; 3] = [Role::Viewer, Role::Operator, Role::Administrator];

#[test]
fn every_route_is_on_the_list_of_who_may_call_it() {
    let there: Vec<_> = routes().iter().map(|r| (r.method.to_string(), r.path.to_owned(), r.needs)).collect();
    assert_eq!(there, promised());
}

#[test]
fn every_route_is_open_to_those_who_may_call_it_and_to_nobody_else() {
    let server = Answering::start(None);
    let tokens = ROLES.map(|role| (role, format!("Bearer {}", server.token(role))));
    let never = format!("Bearer {}", Secret::new().unwrap().reveal());
    let mut sessions = ROLES.map(|role| (role, server.session(role)));
    for (method, path, needs) in promised() {
        let (method, path) = (method.as_str(), path.replace("{name}", "x").replace("{id}", "7"));
        let asked = |headers: &[(&str, &str)]| server.status(method, &path, headers);
        let is_open = |status: u16| !matches!(status, 401 | 403);
        let Needs::Role(needed) = needs else {
            assert!(is_open(asked(&[])), "{method} {path}");
            continue;
        };
        assert_eq!(asked(&[]), 401, "nobody: {method} {path}");
        assert_eq!(asked(&[("authorization", &never)]), 401, "a token of nobody: {method} {path}");
        assert_eq!(asked(&[("authorization", "Basic dTpw")]), 401, "another proof: {method} {path}");
        assert_eq!(asked(&[("cookie", "octobackup_session=octo_00")]), 401, "a wrong cookie: {method} {path}");
        for (role, token) in &tokens {
            let status = asked(&[("authorization", token)]);
            let case = format!("a token for {role}: {method} {path}: {status}");
            if *role >= needed { assert!(is_open(status), "{case}") } else { assert_eq!(status, 403, "{case}") }
        }
        for (role, session) in &mut sessions {
            let cookie = format!("other=1; octobackup_session={}", session.0);
            let plain = asked(&[("cookie", &cookie)]);
            let wrong = asked(&[("cookie", &cookie), ("x-csrf-token", &session.0)]);
            let right = asked(&[("cookie", &cookie), ("x-csrf-token", &session.1)]);
            let case = format!("{role} who logged on: {method} {path}: {plain}, {wrong}, {right}");
            assert_eq!(is_open(right), *role >= needed, "{case}");
            let is_without_csrf = method == "GET" && *role >= needed;
            assert_eq!((is_open(plain), is_open(wrong)), (is_without_csrf, is_without_csrf), "{case}");
            if (method, path.as_str()) == ("DELETE", "/api/v1/session") {
                assert_eq!(asked(&[("cookie", &cookie), ("x-csrf-token", &session.1)]), 401, "{case}");
                *session = server.session(*role);
            }
        }
    }
}

#[test]
fn tokens_and_sessions_end_and_a_removed_user_is_out_at_once() {
    let mut server = Answering::start(None);
    let token = format!("Bearer {}", server.token(Role::Viewer));
    let (cookie, _) = server.session(Role::Viewer);
    let cookie = format!("octobackup_session={cookie}");
    let status = |server: &Answering, header: (&str, &str)| server.status("GET", "/api/v1/jobs", &[header]);
    assert_eq!(status(&server, ("authorization", &token)), 200);
    assert_eq!(status(&server, ("cookie", &cookie)), 200);
    server.world.service.remove_user(&me(), "u-viewer").unwrap();
    assert_eq!(status(&server, ("cookie", &cookie)), 401);
    let cookie = format!("octobackup_session={}", server.session(Role::Viewer).0);
    server.world.look_at("2026-08-05 00:01");
    assert_eq!(status(&server, ("cookie", &cookie)), 401, "after a day's work");
    assert_eq!(status(&server, ("authorization", &token)), 200);
    server.world.look_at("2026-08-05 12:00");
    assert_eq!(status(&server, ("authorization", &token)), 401, "after its day");
    server.world.service.add_token(&me(), "other", Role::Viewer, 1).unwrap();
    server.world.service.remove_token(&me(), "t-viewer").unwrap();
    server.http.stop();
    server.http = Http::start(server.world.service.clone(), &server.world.path("socket"), None).unwrap();
    assert!(server.http.address().is_none());
}

#[test]
fn logging_on_gives_a_cookie_that_no_script_can_read_and_wrong_passwords_are_slowed_down() {
    let server = Answering::start(None);
    server.session(Role::Operator);
    let right = json!({"user": "u-operator", "password": PASSWORD}).to_string();
    let (status, head, said) = server.ask("POST", "/api/v1/session", &[], &right);
    assert_eq!((status, &said["role"]), (201, &json!("operator")));
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    for word in ["httponly", "samesite=strict", "path=/", "max-age=43200"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    let pair = cookie.split(';').next().unwrap();
    let (_, _, who) = server.ask("GET", "/api/v1/session", &[("cookie", pair)], "");
    assert_eq!((&who["user"], &who["csrf"]), (&json!("u-operator"), &said["csrf"]));
    let wrong = json!({"user": "u-operator", "password": "not it"}).to_string();
    let mut seen = Vec::new();
    for _ in 0..8 {
        let (status, _, said) = server.ask("POST", "/api/v1/session", &[], &wrong);
        assert!(!said.to_string().contains("not it"));
        seen.push(status);
    }
    assert_eq!(seen, [401, 401, 401, 401, 401, 401, 429, 429]);
    let audit = serde_json::to_string(&server.world.service.audit(None, 50).unwrap()).unwrap();
    assert!(audit.contains("session.refused") && !audit.contains("not it") && !audit.contains(PASSWORD), "{audit}");
}

#[test]
fn the_first_administrator_is_made_once_with_the_code() {
    let server = Answering::start(None);
    let code = server.world.service.setup_code().unwrap().unwrap();
    let with = |code: &str, password: &str| {
        let body = json!({"code": code, "user": "anna", "password": password}).to_string();
        server.ask("POST", "/api/v1/setup", &[], &body).0
    };
    assert_eq!(with(Secret::new().unwrap().reveal(), PASSWORD), 403);
    // What the page asks when it is opened.
    let stale = |code: &str| {
        let (status, _, said) = server.ask("POST", "/api/v1/setup/check", &[], &json!({"code": code}).to_string());
        (status, said.to_string().contains("octobackup setup-link"))
    };
    assert_eq!(stale(Secret::new().unwrap().reveal()), (403, true), "of another start");
    assert_eq!(stale(""), (403, true));
    for _ in 0..20 {
        assert_eq!(stale(code.reveal()).0, 204, "looking is no try");
    }
    assert_eq!(with(code.reveal(), "short"), 422);
    assert_eq!(with(code.reveal(), PASSWORD), 201);
    assert_eq!(with(code.reveal(), PASSWORD), 403, "once");
    assert_eq!(stale(code.reveal()), (403, true), "used");
    assert!(server.world.service.setup_code().unwrap().is_none(), "there is somebody");
    let log_on = json!({"user": "anna", "password": PASSWORD}).to_string();
    let (_, _, said) = server.ask("POST", "/api/v1/session", &[], &log_on);
    assert_eq!(said["role"], "administrator");
}

#[test]
fn every_answer_protects_the_browser_and_every_refusal_is_a_problem_detail() {
    let server = Answering::start(None);
    for (method, path, status) in [
        ("GET", "/healthz", 200),
        ("GET", "/api/v1/jobs", 401),
        ("GET", "/nothing", 404),
        ("PATCH", "/healthz", 405),
        ("GET", "/api/v1/runs/%ff", 401),
    ] {
        let (code, head, body) = server.ask(method, path, &[], "");
        assert_eq!(code, status, "{method} {path}");
        for line in [
            "cache-control: no-store",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "content-security-policy: default-src 'none'",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(line), "{method} {path}: {head}");
        }
        assert!(!head.contains("access-control-"), "no other site may read what we say");
        if status != 200 {
            assert!(head.contains("content-type: application/problem+json"), "{head}");
            assert_eq!(body["status"], status);
            assert!(body["title"].is_string() && body["detail"].is_string() && body["type"].is_string());
        }
    }
    let large = "x".repeat(2 << 20);
    let token = format!("Bearer {}", server.token(Role::Administrator));
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let sent = write!(
        stream,
        "POST /api/v1/jobs HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        large.len()
    );
    sent.unwrap();
    let _ = stream.write_all(large.as_bytes());
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer[9..], b"413");
}

#[test]
fn a_client_with_a_token_talks_over_tls_to_the_server_it_trusts_and_to_no_other() {
    let (home, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let server = Answering::start(Some(Tls::generated(home.path(), &names).unwrap()));
    Tls::generated(other.path(), &names).unwrap();
    let trusted = home.path().join("tls/certificate.pem");
    let url = format!("https://{}", server.address());
    let token = server.token(Role::Viewer);
    let client = Client::remote(&url, &token, Some(&trusted)).unwrap();
    assert_eq!(client.get::<Value>("/session").unwrap()["role"], "viewer");
    assert_eq!(client.delete("/users/x").unwrap_err().kind, Kind::Forbidden);
    let distrusts = Client::remote(&url, &token, Some(&other.path().join("tls/certificate.pem"))).unwrap();
    assert!(distrusts.get::<Value>("/session").unwrap_err().detail.contains("--ca-file"));
    let machine = Client::remote(&url, &token, None).and_then(|client| client.get::<Value>("/session"));
    assert!(machine.is_err(), "this machine trusts nobody who made their certificate themselves");
    assert!(Client::remote(&url, "octo_short", Some(&trusted)).is_err());
}

#[test]
fn a_generated_certificate_is_kept_until_it_is_for_other_names_and_its_key_is_private() {
    let home = tempfile::tempdir().unwrap();
    let made = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Tls::generated(home.path(), &names).map(drop)?;
        Ok::<_, octo_server::ServiceError>(std::fs::read(home.path().join("tls/certificate.pem")).unwrap())
    };
    let first = made(&["a.example", "10.0.0.1"]).unwrap();
    assert_eq!(first, made(&["a.example"]).unwrap());
    let second = made(&["a.example", "b.example"]).unwrap();
    assert_ne!(first, second);
    let key = home.path().join("tls/key.pem");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(made(&["a.example"]).unwrap_err().detail.contains("others may read it"));
    assert!(made(&["not a name"]).is_err());
}
