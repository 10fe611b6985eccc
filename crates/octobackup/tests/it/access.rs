//! Who may ask a server, through the real program: the setup link, users, tokens, and the command line on another machine.

use crate::server::Server;
use crate::world::{World, finish};
use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const PASSWORD: &str = "correct horse battery";

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What the server answers to a request that a browser could send.
fn post(address: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_setup_link_is_private_and_makes_the_first_administrator_once() {
    let world = World::new();
    let mut server = Server::start_with(&world, "[http]\nlisten = \"127.0.0.1:0\"\n", &[]);
    let url = server.hears("answers at ");
    let file = server.hears("there is no administrator yet; the link to create the first one is in ");
    assert_eq!(mode(file.as_ref()), 0o600);
    let config = world.path("octobackup.toml").display().to_string();
    let link = server.ask(&["setup-link", "--config", &config]).ends(0).stdout;
    let (page, code) = link.trim_end().split_once('#').unwrap();
    assert_eq!(page, format!("{url}/setup"));
    let address = url.strip_prefix("http://").unwrap();
    let body = format!(r#"{{"code": "{code}", "user": "anna", "password": "{PASSWORD}"}}"#);
    assert!(post(address, "/api/v1/setup", &body).starts_with("HTTP/1.1 201"));
    assert!(post(address, "/api/v1/setup", &body).starts_with("HTTP/1.1 403"), "once");
    assert!(!std::path::Path::new(&file).exists());
    server.ask(&["setup-link", "--config", &config]).ends(5).says("octobackup user list");
    server.ask(&["user", "list"]).ends(0).says("anna").says("administrator");
    let log_on = format!(r#"{{"user": "anna", "password": "{PASSWORD}"}}"#);
    assert!(post(address, "/api/v1/session", &log_on).starts_with("HTTP/1.1 201"));
    server.kill();
    let mut server = Server::start_with(&world, "[http]\nlisten = \"127.0.0.1:0\"\n", &[]);
    server.hears("answers at ");
    assert!(!std::path::Path::new(&file).exists(), "there is an administrator");
    assert_eq!(server.terminate(), 0);
}

#[test]
fn users_are_added_changed_and_removed_and_their_passwords_are_nowhere() {
    let world = World::new();
    let server = Server::start(&world);
    let file = world.path("pw");
    fs::write(&file, PASSWORD).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let file = file.display().to_string();
    let add = ["user", "add", "ben", "--role", "operator", "--password-file", &file];
    server.ask(&add).ends(0);
    server.ask(&add).ends(6).says("already");
    server.ask(&["user", "role", "ben", "viewer"]).ends(0);
    server.ask(&["user", "password", "ben", "--password-file", &file]).ends(0);
    assert_eq!(server.json(&["user", "list"])[0]["role"], "viewer");
    server.ask(&["user", "role", "nobody", "viewer"]).ends(5).says("octobackup: there is no user nobody\n");
    server.ask(&["user", "remove", "ben"]).ends(0);
    server.ask(&["user", "remove", "ben"]).ends(5);
    for kept in fs::read_dir(world.path("data")).unwrap() {
        let kept = kept.unwrap().path();
        let holds =
            kept.is_file() && fs::read(&kept).unwrap().windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes());
        assert!(!holds, "{}", kept.display());
    }
}

#[test]
fn the_command_line_works_from_elsewhere_with_a_token_file_over_tls() {
    let world = World::with_files();
    let settings = "[http]\nlisten = \"127.0.0.1:0\"\ngenerate_for = [\"127.0.0.1\"]\n";
    let mut server = Server::start_with(&world, settings, &[]);
    let url = server.hears("answers at ");
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let token = world.path("token").display().to_string();
    server.ask(&["token", "add", "elsewhere", &token, "--role", "operator", "--days", "1"]).ends(0).says("works until");
    assert_eq!(mode(token.as_ref()), 0o600);
    server.ask(&["token", "add", "elsewhere", &token, "--role", "operator"]).ends(2).says("FILE");
    crate::server::add(&server, &[]).ends(0);
    let ca = world.path("data/tls/certificate.pem").display().to_string();
    let elsewhere = |args: &[&str], ca: &[&str]| {
        let more = [args, &["--url", &url, "--token-file", &token], ca].concat();
        let args: Vec<OsString> = more.iter().map(Into::into).collect();
        finish(world.program(&args.iter().map(AsRef::as_ref).collect::<Vec<_>>()).spawn().unwrap())
    };
    let trusted = ["--ca-file", ca.as_str()];
    elsewhere(&["run", "demo"], &trusted).ends(0).says("complete");
    elsewhere(&["runs"], &trusted).ends(0).says("succeeded");
    elsewhere(&["job", "remove", "demo"], &trusted).ends(7).says("administrator");
    elsewhere(&["runs"], &[]).ends(3).says("--ca-file");
    fs::set_permissions(&token, PermissionsExt::from_mode(0o644)).unwrap();
    elsewhere(&["runs"], &trusted).ends(2).says("others may read it");
    fs::set_permissions(&token, PermissionsExt::from_mode(0o600)).unwrap();
    server.ask(&["token", "list"]).ends(0).says("elsewhere");
    server.ask(&["token", "remove", "elsewhere"]).ends(0);
    elsewhere(&["runs"], &trusted).ends(7).says("not known");
}

/// An authority of the house and a certificate that it signed, as an administrator makes them. The server's file holds both.
fn certificate_of_the_house(world: &World, name: &str) -> String {
    let script = format!(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=House' -keyout {name}-house.key -out {name}-house.pem
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN={name}' -keyout {name}.key -out {name}.csr
        printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' > {name}.ext
        openssl x509 -req -days 2 -in {name}.csr -CA {name}-house.pem -CAkey {name}-house.key -CAcreateserial -extfile {name}.ext -out {name}.crt
        cat {name}.crt {name}-house.pem > {name}.pem"
    );
    let output = Command::new("sh").args(["-euc", &script]).current_dir(world.path("")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    world.path(&format!("{name}-house.pem")).display().to_string()
}

#[test]
fn a_server_shows_the_certificate_of_the_house_and_refuses_a_key_that_is_not_its() {
    let world = World::new();
    let (house, other) = (certificate_of_the_house(&world, "backup"), certificate_of_the_house(&world, "other"));
    let settings = |certificate: &str, key: &str| {
        let [certificate, key] = [certificate, key].map(|file| world.path(file));
        format!("[http]\nlisten = \"127.0.0.1:0\"\ncertificate = {certificate:?}\nkey = {key:?}\n")
    };
    let config = world.path("wrong.toml");
    fs::write(&config, format!("data_dir = {:?}\n{}", world.path("wrong"), settings("backup.pem", "other.key")))
        .unwrap();
    world.run(&["serve".as_ref(), "--config".as_ref(), config.as_os_str()]).ends(2).says("other.key");
    let mut server = Server::start_with(&world, &settings("backup.pem", "backup.key"), &[]);
    let url = server.hears("answers at ");
    let token = world.path("token").display().to_string();
    server.ask(&["token", "add", "elsewhere", &token, "--role", "viewer", "--days", "1"]).ends(0);
    let runs = |ca: &str| {
        let args = ["runs", "--url", &url, "--token-file", &token, "--ca-file", ca].map(OsString::from);
        finish(world.program(&args.each_ref().map(OsString::as_os_str)).spawn().unwrap())
    };
    runs(&house).ends(0);
    runs(&other).ends(3).says("certificate");
}

#[test]
fn a_server_does_not_listen_to_the_network_without_tls() {
    let world = World::new();
    let config = world.path("octobackup.toml");
    fs::write(&config, format!("data_dir = {:?}\n[http]\nlisten = \"0.0.0.0:0\"\n", world.path("data"))).unwrap();
    let ran = world.run(&["serve".as_ref(), "--config".as_ref(), config.as_os_str()]);
    ran.ends(2).says("TLS is required");
    assert!(!world.path("data").exists());
}
