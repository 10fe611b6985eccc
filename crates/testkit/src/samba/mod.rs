//! A private, real Samba on a loopback address of its own, that honours backup intent as Windows does.
//!
//! Touches nothing outside its temporary folder: users come from libnss_wrapper, every database lies in the folder, and
//! the folder goes when the value is dropped. Stock Samba ignores backup intent; a shim in C, compiled here, lets
//! Samba's own privilege check decide. Denials come from the NT ACL alone, POSIX modes stay open. Needs root, and the
//! Debian packages in [`PACKAGES`]; a missing one fails the test with the command that installs it.
//!
//! Many may run at once, in as many processes as there are tests. The server ends with the process that started it,
//! also when that one is killed.

#![expect(clippy::panic, reason = "a fixture fails its test in no other way")]

mod address;
mod config;
mod held;
mod kdc;
mod known;
mod programs;
mod server;
#[cfg(test)]
mod tests;

pub use config::SambaOptions;
pub use held::Held;
pub use kdc::{KERBEROS_PACKAGES, Kdc};

use address::Address;
use octo_core::Timestamp;
use programs::{require_packages, run_plain};
use server::Server;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The Debian packages that the fixture needs.
pub const PACKAGES: &[&str] =
    &["samba", "samba-vfs-modules", "smbclient", "libnss-wrapper", "gcc", "libc6-dev", "attr"];

/// The programs of those packages that are called.
const PROGRAMS: &[&str] = &["smbd", "smbpasswd", "net", "smbcacls", "smbcontrol", "setfattr", "cc", "sh", "setsid"];
/// What Windows does and stock Samba does not, each with the name of its file.
const BACKUP_INTENT_SHIM: (&str, &str) = ("backupintent_shim.c", include_str!("backupintent_shim.c"));
const REPARSE_SHIM: (&str, &str) = ("reparse_shim.c", include_str!("reparse_shim.c"));
const CLOCK_SHIM: (&str, &str) = ("clock_shim.c", crate::clock::SHIM);
/// Found through the loader's path.
const NSS_WRAPPER: &str = "libnss_wrapper.so";

/// A running Samba. Dropping it stops the server and removes everything.
pub struct Samba {
    // Dropped in this order: first the server, then its files.
    server: Option<Server>,
    kdc: Option<Kdc>,
    address: Address,
    options: SambaOptions,
    folder: TempDir,
}

impl Samba {
    /// The port besides 445 that the server listens on.
    pub const OTHER_PORT: u16 = known::OTHER_PORT;

    /// Sets a server up and starts it.
    pub fn start(options: SambaOptions) -> Samba {
        require_packages(PROGRAMS, &[NSS_WRAPPER], PACKAGES);
        let folder = tempfile::Builder::new().prefix("octo-samba-").tempdir().expect("a temporary folder");
        // Users of the share are other users of this machine: they must get through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let mut samba = Samba { server: None, kdc: None, address: Address::claim(), options, folder };
        config::write(samba.folder.path(), samba.addr(), &samba.options);
        if samba.options.kerberos() {
            samba.kdc = Some(Kdc::start(samba.folder.path(), &samba.addr(), samba.options.users()));
        }
        samba.compile_shim();
        samba.create_users();
        samba.start_again();
        samba
    }

    /// The server's address.
    pub fn addr(&self) -> String {
        self.address.ip().to_string()
    }

    /// The password of a user.
    pub fn password(user: &str) -> String {
        known::password(user)
    }

    /// The realm that the server belongs to, after [`SambaOptions::with_kerberos`].
    pub fn kdc(&self) -> &Kdc {
        self.kdc.as_ref().expect("a Samba with Kerberos")
    }

    /// Ends the KDC, and only it.
    pub fn stop_kdc(&mut self) {
        self.kdc = None;
    }

    /// Where a share's files lie on this machine.
    pub fn share_path(&self, share: &str) -> PathBuf {
        self.options.share_path(self.folder.path(), share)
    }

    /// Takes everybody's rights to an entry of the share `data` away, its owner's (`owner`) excepted. For a folder,
    /// deny what is in it first.
    pub fn deny(&self, path: &str) {
        let acl = r"REVISION:1,OWNER:OCTOTEST\owner,GROUP:Unix Group\owner,ACL:OCTOTEST\owner:ALLOWED/0x0/FULL";
        let share = format!("//{}/data", self.addr());
        self.run(Command::new("smbcacls").args([&share, path, "-U", "admin%pw-admin", "-S", acl]), "");
    }

    /// Gives a user a right of Windows, such as SeRestorePrivilege, for logons from now on.
    pub fn grant(&self, user: &str, right: &str) {
        let conf = self.path("smb.conf");
        self.run(Command::new("net").arg("-s").arg(&conf).args(["sam", "rights", "grant", user, right]), "");
    }

    /// What Samba's own client says, as `admin`, to these commands on a share.
    pub fn client(&self, share: &str, commands: &str) -> String {
        let share = format!("//{}/{share}", self.addr());
        self.run(Command::new("smbclient").args([&share, "-U", "admin%pw-admin", "-c", commands]), "")
    }

    /// The permissions of an entry of a share, as `smbcacls` prints them to `admin`; or what it does with `more` arguments.
    pub fn acl(&self, share: &str, path: &str, more: &[&str]) -> String {
        let share = format!("//{}/{share}", self.addr());
        self.run(Command::new("smbcacls").args([&share, path, "-U", "admin%pw-admin"]).args(more), "")
    }

    /// What another client sees of an entry: creation and last write time, attributes, and streams with their sizes.
    pub fn info(&self, share: &str, path: &str) -> Vec<String> {
        let all = self.client(share, &format!("allinfo \"{path}\""));
        let wanted = ["create_time", "write_time", "attributes", "stream"];
        all.lines().filter(|line| wanted.iter().any(|w| line.starts_with(w))).map(str::to_owned).collect()
    }

    /// Makes a previous version of all that a share of [`SambaOptions::share_with_snapshots`] holds now. Moments count
    /// in whole seconds.
    pub fn take_snapshot(&self, share: &str, taken: Timestamp) {
        let place = SambaOptions::snapshot_path(self.folder.path(), share, taken);
        run_plain(Command::new("cp").arg("-a").arg(self.share_path(share)).arg(place), "");
    }

    /// Gives an entry below [`Samba::share_path`] a creation time, as the server itself keeps it.
    pub fn set_creation_time(&self, entry: &Path, time: Timestamp) {
        const ARCHIVE: u32 = 0x20;
        self.set_attributes(entry, ARCHIVE, time);
    }

    /// Marks a file as sparse, as a client does that makes holes in it: Samba tells no holes of others.
    pub fn mark_sparse(&self, entry: &Path) {
        const ARCHIVE_AND_SPARSE: u32 = 0x220;
        self.set_attributes(entry, ARCHIVE_AND_SPARSE, Timestamp::from_unix(1_000_000_000, 0));
    }

    fn set_attributes(&self, entry: &Path, attributes: u32, time: Timestamp) {
        // An xattr_DosInfo5 (Samba's xattr.idl): no text, the version twice, what is valid, the attributes, the time.
        let head = [0, 0, 5, 0, 5, 0, 0, 0, 0x11, 0, 0, 0].into_iter().chain(attributes.to_le_bytes());
        let bytes = head.chain(time.to_filetime().to_le_bytes());
        let value = bytes.fold(String::from("0x"), |text, byte| format!("{text}{byte:02x}"));
        run_plain(Command::new("setfattr").args(["-n", "user.DOSATTRIB", "-v", &value]).arg(entry), "");
    }

    /// Opens a file of a share, as another client, without sharing it with anybody, until the value is dropped.
    pub fn hold(&self, share: &str, path: &str) -> Held {
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", held::PROGRAM]).arg(self.path("smb.conf")).args([&self.addr(), share, "admin"]);
        command.args([&Samba::password("admin"), path]);
        Held::start(&mut command)
    }

    /// Stops the server politely. Its files stay, for [`Samba::start_again`].
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Kills the server and all its children at once, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Starts the server after [`Samba::stop`] or [`Samba::kill`], on the same address.
    pub fn start_again(&mut self) {
        let mut command = Command::new("smbd");
        command.arg("-s").arg(self.path("smb.conf")).args(["-F", "--no-process-group", "-l"]).arg(self.path("logs"));
        command.env("LD_PRELOAD", format!("{}:{NSS_WRAPPER}", self.path("shim.so").display()));
        command.env(crate::clock::AHEAD_SECS, self.options.clock_ahead_secs().to_string());
        self.nss(&mut command);
        if self.options.kerberos() {
            kdc::environment(self.folder.path(), &mut command);
        }
        // It opens its ports one after the other.
        let ready = address::PORTS.map(|port| format!("{}:{port}", self.addr()));
        self.server = Some(Server::start(&command, self.folder.path(), &self.path("logs/smbd.out"), &ready));
    }

    /// Takes a share away, or offers it again; its users are disconnected.
    pub fn offer(&self, share: &str, is_there: bool) {
        let (conf, section) = (self.path("smb.conf"), format!("[{share}]\n"));
        let gone = format!("{section}   available = no\n");
        let text = fs::read_to_string(&conf).expect("smb.conf");
        let text = if is_there { text.replace(&gone, &section) } else { text.replace(&section, &gone) };
        fs::write(&conf, text).expect("smb.conf");
        for order in [&["reload-config"][..], &["close-share", share]] {
            self.run(Command::new("smbcontrol").arg("-s").arg(&conf).arg("smbd").args(order), "");
        }
    }

    /// The process id of the server, for tests of the fixture itself.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Server::pid)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn nss(&self, command: &mut Command) {
        command.env("NSS_WRAPPER_PASSWD", self.path("passwd")).env("NSS_WRAPPER_GROUP", self.path("group"));
    }

    fn compile_shim(&self) {
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-shared", "-fPIC", "-o"]).arg(self.path("shim.so"));
        let reparse = self.options.shows_reparse_points().then_some(REPARSE_SHIM);
        let clock = (self.options.clock_ahead_secs() != 0).then_some(CLOCK_SHIM);
        for (name, text) in [Some(BACKUP_INTENT_SHIM), reparse, clock].into_iter().flatten() {
            fs::write(self.path(name), text).expect("the shim's source");
            cc.arg(self.path(name));
        }
        run_plain(cc.arg("-ldl"), "");
    }

    fn create_users(&self) {
        for user in self.options.users() {
            let word = self.options.password(user);
            let twice = format!("{word}\n{word}\n");
            let conf = self.path("smb.conf");
            self.run(Command::new("smbpasswd").arg("-c").arg(conf).args(["-s", "-a", user]), &twice);
        }
        // The second shows audit entries, as to administrators of Windows.
        for (user, right) in [("backupop", "SeBackupPrivilege"), ("admin", "SeSecurityPrivilege")] {
            self.grant(user, right);
        }
    }

    /// Runs one of Samba's tools, with our users, and fails the test if it fails.
    fn run(&self, command: &mut Command, input: &str) -> String {
        command.env("LD_PRELOAD", NSS_WRAPPER);
        self.nss(command);
        run_plain(command, input)
    }
}
