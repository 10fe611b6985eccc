//! The settings of the server: smb.conf, users and groups.

use octo_core::Timestamp;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const DEFAULT_USERS: [&str; 4] = ["admin", "backupop", "plain", "owner"];
const FIRST_UID: u32 = 42_000;
/// In the lines of a share: the server's temporary folder.
const ROOT: &str = "{root}";
/// Where previous versions lie, below the server's folder.
const SNAPSHOTS: &str = "snapshots";

/// How a Samba is to be. By default: users `admin` (does everything, holds SeSecurityPrivilege), `backupop` (holds
/// SeBackupPrivilege), `plain` and `owner`, each with the password `pw-` and its name; shares `data` (Windows ACLs and
/// streams), `c$` (the same files), and `plainfs` (nothing between Samba and the disk).
#[derive(Debug, Clone, Default)]
pub struct SambaOptions {
    globals: Vec<String>,
    shares: Vec<Share>,
    users: Vec<String>,
    without_password: Vec<String>,
    kerberos: bool,
    reparse_points: bool,
    clock_ahead_secs: i64,
}

#[derive(Debug, Clone)]
struct Share {
    name: String,
    folder: String,
    lines: Vec<String>,
}

impl SambaOptions {
    /// A line for a share whose ACLs are in `security.NTACL`, as Samba has them by default, and not in
    /// `user.NTACL`, as those of our other shares.
    pub const ACL_OF_ROOT: &str = "; ACLs are root's";

    /// The defaults.
    pub fn new() -> SambaOptions {
        SambaOptions::default()
    }

    /// Adds a line to `[global]`, where it wins over ours.
    pub fn global(mut self, line: &str) -> SambaOptions {
        self.globals.push(line.to_owned());
        self
    }

    /// Adds a share with more lines of its own, over the files of the share `files_of` or, if there is none of that
    /// name, over a new folder.
    pub fn share(mut self, name: &str, files_of: &str, lines: &[&str]) -> SambaOptions {
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        self.shares.push(Share { name: name.to_owned(), folder: files_of.to_owned(), lines });
        self
    }

    /// Adds a share with previous versions, over files as [`SambaOptions::share`] has them;
    /// [`Samba::take_snapshot`](super::Samba::take_snapshot) makes one.
    pub fn share_with_snapshots(self, name: &str, files_of: &str) -> SambaOptions {
        let files = format!("{ROOT}/files/{files_of}");
        let snapshots = format!("shadow:snapdir = {ROOT}/{SNAPSHOTS}/{name}");
        let lines = [
            "vfs objects = shadow_copy2 acl_xattr streams_xattr",
            &snapshots,
            &format!("shadow:mountpoint = {files}"),
            &format!("shadow:basedir = {files}"),
            "shadow:format = @GMT-%Y.%m.%d-%H.%M.%S",
            "shadow:sort = desc",
            "shadow:localtime = no",
        ];
        self.share(name, files_of, &lines)
    }

    /// Adds a user.
    pub fn user(mut self, name: &str) -> SambaOptions {
        self.users.push(name.to_owned());
        self
    }

    /// Adds a user with an empty password.
    pub fn user_without_password(mut self, name: &str) -> SambaOptions {
        self.without_password.push(name.to_owned());
        self.user(name)
    }

    /// Puts the server into a Kerberos realm of its own, with the same users and passwords.
    pub fn with_kerberos(mut self) -> SambaOptions {
        self.kerberos = true;
        self
    }

    /// Shows a file or folder with the extended attribute `user.reparse` as a reparse point, as Windows does; the attribute
    /// is the point as MS-FSCC 2.1.2.2 has it. Not for measuring: every entry is asked for it.
    pub fn with_reparse_points(mut self) -> SambaOptions {
        self.reparse_points = true;
        self
    }

    /// Lets the server's clock be ahead by so much, or behind.
    pub fn clock_ahead(mut self, secs: i64) -> SambaOptions {
        self.clock_ahead_secs = secs;
        self
    }

    pub(super) fn clock_ahead_secs(&self) -> i64 {
        self.clock_ahead_secs
    }

    pub(super) fn shows_reparse_points(&self) -> bool {
        self.reparse_points
    }

    pub(super) fn kerberos(&self) -> bool {
        self.kerberos
    }

    pub(super) fn password(&self, user: &str) -> String {
        let is_empty = self.without_password.iter().any(|name| name == user);
        if is_empty { String::new() } else { super::known::password(user) }
    }

    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        DEFAULT_USERS.into_iter().chain(self.users.iter().map(String::as_str))
    }

    fn all_shares(&self) -> Vec<Share> {
        let share = |name: &str, folder: &str, lines: &[&str]| Share {
            name: name.to_owned(),
            folder: folder.to_owned(),
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
        };
        let mut all = vec![
            share("data", "data", &[]),
            share("plainfs", "plainfs", &["vfs objects ="]),
            share("c$", "data", &["browseable = no", "valid users = admin backupop"]),
        ];
        all.extend(self.shares.iter().cloned());
        all
    }

    pub(super) fn share_path(&self, root: &Path, share: &str) -> PathBuf {
        let shares = self.all_shares();
        let found = shares.iter().find(|s| s.name == share).unwrap_or_else(|| panic!("no share {share}"));
        root.join("files").join(&found.folder)
    }

    pub(super) fn snapshot_path(root: &Path, share: &str, taken: Timestamp) -> PathBuf {
        let label = format!("@GMT-{}", taken.to_utc_text().replace('-', ".").replace(' ', "-").replace(':', "."));
        root.join(SNAPSHOTS).join(share).join(label)
    }
}

/// Writes everything into `root`.
pub(super) fn write(root: &Path, address: String, options: &SambaOptions) {
    for folder in ["private", "lock", "state", "cache", "pid", "logs", "ncalrpc", "files", SNAPSHOTS] {
        fs::create_dir(root.join(folder)).expect("a new folder");
    }
    let shares = options.all_shares();
    for share in &shares {
        let path = root.join("files").join(&share.folder);
        fs::create_dir_all(&path).expect("a share's folder");
        fs::create_dir(root.join(SNAPSHOTS).join(&share.name)).expect("a folder for its previous versions");
        // Rights come from Windows ACLs alone.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("chmod");
    }
    fs::write(root.join("smb.conf"), smb_conf(root, &address, options, &shares)).expect("smb.conf");
    let (mut passwd, mut group) = (
        String::from("root:x:0:0:root:/root:/bin/false\nnobody:x:65534:65534::/:/bin/false\n"),
        String::from("root:x:0:\nnogroup:x:65534:\n"),
    );
    for (uid, user) in (FIRST_UID..).zip(options.users()) {
        let _ = writeln!(passwd, "{user}:x:{uid}:{uid}::/:/bin/false");
        let _ = writeln!(group, "{user}:x:{uid}:");
    }
    fs::write(root.join("passwd"), passwd).expect("passwd");
    fs::write(root.join("group"), group).expect("group");
}

fn smb_conf(root: &Path, address: &str, options: &SambaOptions, shares: &[Share]) -> String {
    let dir = root.display();
    let mut conf = format!(
        "[global]
   workgroup = OCTOWG
   netbios name = OCTOTEST
   server role = standalone server
   interfaces = {address}/8
   bind interfaces only = yes
   smb ports = {} 445
   disable netbios = yes
   private dir = {dir}/private
   lock directory = {dir}/lock
   state directory = {dir}/state
   cache directory = {dir}/cache
   pid directory = {dir}/pid
   ncalrpc dir = {dir}/ncalrpc
   log file = {dir}/logs/log.%m
   log level = 1
   max log size = 0
   passdb backend = tdbsam:{dir}/private/passdb.tdb
   map to guest = Never
   server min protocol = SMB2_02
   server max protocol = SMB3_11
   load printers = no
   printing = bsd
   printcap name = /dev/null
   disable spoolss = yes
   ea support = yes
   store dos attributes = yes
   vfs objects = acl_xattr streams_xattr
   acl_xattr:ignore system acls = yes
   acl_xattr:default acl style = everyone
   admin users = admin
   read only = no
",
        super::known::OTHER_PORT
    );
    if options.kerberos {
        let keytab = super::kdc::keytab(root);
        let _ = writeln!(conf, "   realm = {}\n   kerberos method = dedicated keytab", super::known::REALM);
        let _ = writeln!(conf, "   dedicated keytab file = FILE:{}", keytab.display());
    }
    for line in &options.globals {
        let _ = writeln!(conf, "   {line}");
    }
    for share in shares {
        let _ = writeln!(conf, "[{}]\n   path = {dir}/files/{}", share.name, share.folder);
        if !share.lines.iter().any(|line| line == SambaOptions::ACL_OF_ROOT) {
            conf.push_str("   acl_xattr:security_acl_name = user.NTACL\n");
        }
        for line in &share.lines {
            let _ = writeln!(conf, "   {}", line.replace(ROOT, &dir.to_string()));
        }
    }
    conf
}
