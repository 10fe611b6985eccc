//! A private MIT Kerberos beside the Samba, on the same address: a realm with the same users and passwords, a keytab
//! for the server, and tickets for everybody.
//!
//! Touches nothing outside its folder: every program gets its configuration by environment.

use super::programs::{require_packages, run_plain};
use super::server::Server;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The Debian packages that tests with Kerberos need.
pub const KERBEROS_PACKAGES: &[&str] = &["krb5-kdc", "krb5-admin-server", "krb5-user"];
const PROGRAMS: &[&str] = &["krb5kdc", "kdb5_util", "kadmin.local", "kinit", "kvno"];

/// A running KDC. Dropping it stops it; its files lie in the Samba's folder.
pub struct Kdc {
    _server: Server,
    folder: PathBuf,
    address: String,
}

impl Kdc {
    /// The realm.
    pub const REALM: &str = super::known::REALM;
    const PORT: u16 = 4488;

    /// Makes a realm below `root` and starts it on `ip`, with `users` and a key for the server on `ip`.
    pub(super) fn start<'a>(root: &Path, ip: &str, users: impl Iterator<Item = &'a str>) -> Kdc {
        require_packages(PROGRAMS, &[], KERBEROS_PACKAGES);
        let folder = root.join("kdc");
        fs::create_dir(&folder).expect("a new folder");
        let address = format!("{ip}:{}", Kdc::PORT);
        configure(&folder, &address);
        run_plain(program(&folder, "kdb5_util").args(["create", "-s", "-r", Kdc::REALM, "-P", "master"]), "");
        let service = format!("cifs/{ip}");
        let mut script = String::new();
        for user in users {
            script += &format!("addprinc -pw {} {user}\n", super::known::password(user));
        }
        script += &format!("addprinc -randkey {service}\nktadd -k {} {service}\n", keytab(root).display());
        run_plain(program(&folder, "kadmin.local").args(["-r", Kdc::REALM]), &script);
        let mut command = program(&folder, "krb5kdc");
        command.args(["-n", "-r", Kdc::REALM, "-P"]).arg(folder.join("pid"));
        let server = Server::start(&command, root, &folder.join("out"), std::slice::from_ref(&address));
        Kdc { _server: server, folder, address }
    }

    /// Where it listens, as `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A fresh credential cache of `user`, holding the ticket that gets tickets.
    pub fn log_in(&self, user: &str) -> PathBuf {
        let cache = self.folder.join(format!("cache-{user}"));
        let mut kinit = program(&self.folder, "kinit");
        run_plain(kinit.arg("-c").arg(&cache).arg(user), &format!("{}\n", super::known::password(user)));
        cache
    }

    /// From now on, tickets for the server on `ip` are valid for so many seconds only.
    pub fn limit_tickets(&self, ip: &str, secs: u32) {
        let modify = format!("modprinc -maxlife \"{secs} seconds\" cifs/{ip}\n");
        run_plain(program(&self.folder, "kadmin.local").args(["-r", Kdc::REALM]), &modify);
    }

    /// Puts the ticket for the server on `ip` into a cache, so that the KDC is not needed any more.
    pub fn add_ticket(&self, cache: &Path, ip: &str) {
        run_plain(program(&self.folder, "kvno").arg("-c").arg(cache).arg(format!("cifs/{ip}")), "");
    }
}

/// The server's keys.
pub(super) fn keytab(root: &Path) -> PathBuf {
    root.join("kdc/keytab")
}

/// What a program, Samba included, needs to know to live in the realm.
pub(super) fn environment(root: &Path, command: &mut Command) {
    command.env("KRB5_CONFIG", root.join("kdc/krb5.conf"));
}

fn program(folder: &Path, name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("KRB5_CONFIG", folder.join("krb5.conf")).env("KRB5_KDC_PROFILE", folder.join("kdc.conf"));
    // krb5kdc and its tools lie where not every user looks.
    command.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
    command
}

fn configure(folder: &Path, address: &str) {
    let (dir, realm) = (folder.display(), Kdc::REALM);
    let client = format!(
        "[libdefaults]\n default_realm = {realm}\n dns_lookup_kdc = false\n dns_canonicalize_hostname = false\n rdns = \
         false\n[realms]\n {realm} = {{\n  kdc = {address}\n }}\n[logging]\n kdc = FILE:{dir}/log\n"
    );
    let server = format!(
        "[kdcdefaults]\n kdc_listen = {address}\n kdc_tcp_listen = {address}\n[realms]\n {realm} = {{\n  database_name = \
         {dir}/principal\n  key_stash_file = {dir}/stash\n  acl_file = {dir}/acl\n  disable_pac = true\n  \
         default_principal_flags = +preauth\n }}\n"
    );
    fs::write(folder.join("krb5.conf"), client).expect("krb5.conf");
    fs::write(folder.join("kdc.conf"), server).expect("kdc.conf");
}
