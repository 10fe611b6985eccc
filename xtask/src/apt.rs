//! The Debian packages that the tests and the demo need.

use crate::shell;
use anyhow::{Result, bail};
use std::process::Command;

/// What is needed besides Rust, and by whom.
const NEEDED: &[(&str, &str)] = &[
    ("gcc", "links Rust, compiles SQLite and the shims that let Samba honour backup intent and show reparse points"),
    ("libc6-dev", "headers for the same"),
    ("samba", "the server that the SMB source is tested against"),
    ("samba-vfs-modules", "acl_xattr and streams_xattr, so that Samba keeps Windows ACLs"),
    ("smbclient", "smbcacls and smbclient, which prepare shares"),
    ("libnss-wrapper", "Samba users without touching /etc"),
    ("krb5-kdc", "the Kerberos that the tests log on with"),
    ("krb5-admin-server", "makes its users"),
    ("krb5-user", "gets tickets"),
    ("python3-aiosmtpd", "the mail server that takes the tests' mail"),
    ("python3-venv", "a place for schemathesis, which comes from PyPI"),
    ("openssl", "makes certificates as administrators do"),
    ("chromium", "shows reports and digests as wide as a phone's screen"),
    ("attr", "getfattr and setfattr"),
    ("sqlite3", "runs the manual's recipes for what is recorded, as they are printed"),
    ("strace", "lets the programs die, or find the disk full, at every single system call"),
    ("jq", "runs the manual's restore script as it is printed"),
    ("mount", "loop-mounts small disks, for the tests on full ones and on other filesystems"),
    ("qemu-utils", "qemu-nbd, which records every write of a disk for the power cuts"),
    ("libnbd-bin", "nbdfuse, which shows that disk as a file"),
    ("fuse3", "mounts what nbdfuse shows"),
    ("e2fsprogs", "makes small disks with ext4"),
    ("util-linux", "flock, for the tests of the lock"),
    ("xfsprogs", "small disks with XFS"),
    ("btrfs-progs", "with btrfs"),
    ("exfatprogs", "with exFAT, which folds case"),
    ("exfat-fuse", "mounts them"),
    ("prometheus", "promtool, which judges the metrics"),
    ("ntfs-3g", "with NTFS, which has the rules of Windows for names"),
];

/// What only the program for Windows needs, besides the rest.
const WINDOWS_NEEDS: &[(&str, &str)] = &[
    ("cargo-web", "builds the program for Windows"),
    ("rustc-web", "its compiler"),
    ("rust-web-src", "its standard library, which is built for Windows with it"),
    ("gcc-mingw-w64-x86-64", "links programs for Windows"),
    ("wine64", "runs them"),
];

/// What only the Debian package needs, and its test.
const DEB_NEEDS: &[(&str, &str)] = &[
    ("dpkg-dev", "finds the libraries that the program needs"),
    ("mmdebstrap", "makes the fresh system in which the package is tried"),
    ("systemd-container", "boots it"),
];

/// What only the benchmark needs.
const BENCH_NEEDS: &[(&str, &str)] = &[
    ("rsync", "a rival"),
    ("python3-pip", "installs rclone, a rival"),
    ("rust-web-src", "a large tree of real files"),
];

/// Whether the chores provide this package.
pub fn provides(package: &str) -> bool {
    NEEDED.iter().chain(WINDOWS_NEEDS).any(|(needed, _)| *needed == package)
}

/// Installs what is missing if it may, or fails with the command that does.
pub fn provide() -> Result<()> {
    provide_these(NEEDED)
}

/// The same for what the program for Windows needs besides.
pub fn provide_for_windows() -> Result<()> {
    provide_these(WINDOWS_NEEDS)
}

/// The same for the Debian package.
pub fn provide_for_deb() -> Result<()> {
    provide_these(DEB_NEEDS)
}

/// The same for the benchmark's own needs.
pub fn provide_for_bench() -> Result<()> {
    // Whatever Python is first in the path may have pip already.
    let has_pip = Command::new("python3").args(["-m", "pip", "--version"]).output().is_ok_and(|it| it.status.success());
    let needed: Vec<_> = BENCH_NEEDS.iter().copied().filter(|(name, _)| !(has_pip && *name == "python3-pip")).collect();
    provide_these(&needed)
}

fn provide_these(needed: &[(&str, &str)]) -> Result<()> {
    if !shell::exists("dpkg-query") {
        eprintln!("This is not Debian. Needed is what these packages hold there: {}", names(needed.iter()));
        return Ok(());
    }
    let missing: Vec<_> = needed.iter().filter(|(package, _)| !installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for (package, reason) in &missing {
        println!("missing: {package} ({reason})");
    }
    let names = names(missing.into_iter());
    if !is_root() {
        bail!("packages are missing; run:\n  sudo apt-get install --no-install-recommends {names}");
    }
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    shell::run(apt().args(["update", "-q"]))?;
    shell::run(apt().args(["install", "-q", "-y", "--no-install-recommends"]).args(names.split(' ')))
}

/// Fails unless the chore runs as root: Samba's users and privileges cannot be had otherwise.
pub fn require_root(chore: &str) -> Result<()> {
    if is_root() {
        return Ok(());
    }
    bail!("a private Samba with its own users needs root: run `sudo -E env \"PATH=$PATH\" cargo xtask {chore}`")
}

fn names<'a>(packages: impl Iterator<Item = &'a (&'a str, &'a str)>) -> String {
    packages.map(|(package, _)| *package).collect::<Vec<_>>().join(" ")
}

fn installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f", "${db:Status-Abbrev}", package])
        .output()
        .is_ok_and(|output| output.stdout.starts_with(b"ii"))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
