//! `cargo xtask deb`: the Debian package. `--test` boots a fresh system in a container, installs it there, lets systemd start, restart and
//! stop the server, asks it something, and removes it again.

use crate::{apt, shell};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What builds the package. Newer ones may lay it out in another way.
const CARGO_DEB: &str = "3.8.0";
/// The shells with completions, and the names under which these look for them.
const COMPLETIONS: &[(&str, &str)] = &[("bash", "octobackup"), ("zsh", "_octobackup"), ("fish", "octobackup.fish")];
/// The system that the package is for.
const RELEASE: &str = "bookworm";
/// A system or server that takes longer to start does not.
const WAIT_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Builds the package as it is given to people.
pub fn build() -> Result<()> {
    apt::provide_for_deb()?;
    let package = package("release")?;
    println!("{}", package.display());
    Ok(())
}

/// Tries the package, with the program as it is built for development: installed under a running systemd, the server starts by itself,
/// works inside all the hardening of its unit, comes back when it is killed, and stops cleanly.
pub fn test() -> Result<()> {
    apt::provide()?;
    apt::provide_for_deb()?;
    apt::require_root("deb --test")?;
    let package = package("dev")?;
    let root = Root::fresh()?;
    std::fs::copy(&package, root.path.join("octobackup.deb")).context("copying the package")?;
    let install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", "/octobackup.deb"];
    // The booted system has no network of its own.
    shell::run(root.command(install[0]).args(&install[1..]).arg("--download-only"))?;
    let system = Booted::start(&root)?;
    let asked = |words: &[&str]| shell::run(&mut system.command(words));
    asked(&install)?;
    root.checks_out()?;
    asked(&["systemctl", "is-active", "octobackup"])?;
    asked(&["octobackup", "job", "list"])?;
    let man = "zcat /usr/share/man/man1/octobackup-sync.1.gz | grep -q 'dry\\\\-run'";
    asked(&["sh", "-c", man])?;
    asked(&["bash", "-c", ". /usr/share/bash-completion/completions/octobackup"])?;
    asked(&["install", "--directory", "--owner=octobackup", "--mode=0700", "/srv/mirror"])?;
    asked(&["octobackup", "job", "add", "doc", "/usr/share/doc/octobackup", "/srv/mirror"])?;
    let run = system.command(&["octobackup", "run", "doc"]).output().context("running octobackup")?;
    let report = String::from_utf8_lossy(&run.stdout).into_owned();
    ensure!(run.status.success() && !report.contains("Remarks"), "the hardening takes something away: {report}");
    ensure!(root.path.join("srv/mirror/manual/server.md").is_file(), "the mirror is not there");
    asked(&["octobackup", "setup-link"])?;
    asked(&["systemctl", "kill", "--signal=KILL", "--kill-whom=main", "octobackup"])?;
    system.waits_for("a killed server comes back", &["octobackup", "job", "show", "doc"])?;
    asked(&["systemctl", "stop", "octobackup"])?;
    let ended =
        shell::output(&mut system.command(&["systemctl", "show", "--property=Result,ExecMainStatus", "octobackup"]))?;
    let ended = String::from_utf8_lossy(&ended).into_owned();
    ensure!(
        ended.contains("Result=success") && ended.contains("ExecMainStatus=0"),
        "the server did not stop cleanly: {ended}"
    );
    asked(&["apt-get", "purge", "-q", "-y", "octobackup"])?;
    ensure!(root.path.join("var/lib/octobackup/octobackup.db").is_file(), "the database is somebody's backup");
    ensure!(!root.path.join("etc/octobackup/octobackup.toml").exists(), "the settings stayed");
    println!("the package installs, starts under systemd, works, comes back, stops and goes");
    Ok(())
}

fn package(profile: &str) -> Result<PathBuf> {
    build_program(profile, &[])?;
    package_built(profile)
}

/// Builds the program, and what else is named, and what is made by it: manual pages and completions.
pub fn build_program(profile: &str, more: &[&str]) -> Result<()> {
    let build = ["build", "--profile", profile, "--package", "octobackup", "--bin", "octobackup"];
    shell::run(shell::cargo().args(build))?;
    if !more.is_empty() {
        shell::run(shell::cargo().args(["build", "--profile", profile]).args(more))?;
    }
    let program = shell::built()?.with_file_name(if profile == "dev" { "debug" } else { profile }).join("octobackup");
    let made = generated();
    std::fs::create_dir_all(made.join("completions"))?;
    shell::run(Command::new(&program).arg("man-pages").arg(made.join("man")))?;
    for (shell, name) in COMPLETIONS {
        let script = shell::output(Command::new(&program).args(["completions", shell]))?;
        std::fs::write(made.join("completions").join(name), script).with_context(|| (*name).to_owned())?;
    }
    Ok(())
}

/// Where manual pages (`man`) and completions (`completions`) are put.
pub fn generated() -> PathBuf {
    shell::root().join("target/generated")
}

/// Packs what [`build_program`] built.
pub fn package_built(profile: &str) -> Result<PathBuf> {
    let cargo_deb = shell::tool("cargo-deb", CARGO_DEB)?;
    let package = shell::root().join("target/debian").join(format!("octobackup-{profile}.deb"));
    let mut deb = Command::new(cargo_deb);
    deb.current_dir(shell::root()).args(["--package", "octobackup", "--profile", profile, "--no-build", "--strip"]);
    shell::run(deb.arg("--output").arg(&package))?;
    Ok(package)
}

/// A system with nothing in it; gone when it is dropped.
struct Root {
    path: PathBuf,
}

impl Root {
    fn fresh() -> Result<Root> {
        let root = Root { path: shell::root().join("target").join(format!("fresh-{}", std::process::id())) };
        std::fs::create_dir(&root.path).context("the folder of the fresh system")?;
        // From where, and in which way, this machine gets its own packages.
        let settings = root.path.with_extension("apt");
        std::fs::write(&settings, shell::output(Command::new("apt-config").args(["dump", "Acquire"]))?)?;
        let mut make = Command::new("mmdebstrap");
        make.args(["--quiet", "--variant=minbase", "--include=systemd-sysv,dbus", RELEASE]).arg(&root.path);
        make.arg(format!("--aptopt={}", settings.display()));
        let sources = Path::new("/etc/apt/sources.list.d/debian.sources");
        if sources.exists() {
            make.arg(sources);
        }
        let made = shell::run(&mut make);
        std::fs::remove_file(&settings).context("the settings of apt")?;
        made.map(|()| root)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("chroot");
        command.arg(&self.path).arg(program);
        in_debian(&mut command);
        command
    }

    /// What the package promises of users, files and modes.
    fn checks_out(&self) -> Result<()> {
        let said = shell::output(self.command("stat").args([
            "-c",
            "%n %U %a",
            "/var/lib/octobackup",
            "/etc/octobackup/octobackup.toml",
            "/usr/bin/octobackup",
        ]))?;
        let wanted = "/var/lib/octobackup octobackup 700\n/etc/octobackup/octobackup.toml root 644\n/usr/bin/octobackup root 755\n";
        let said = String::from_utf8_lossy(&said).into_owned();
        ensure!(said == wanted, "not as promised:\n{said}");
        let unit = ["lib", "usr/lib"].map(|lib| self.path.join(lib).join("systemd/system/octobackup.service"));
        ensure!(unit.iter().any(|unit| unit.is_file()), "the unit is not there");
        let wants = self.path.join("etc/systemd/system/multi-user.target.wants/octobackup.service");
        ensure!(wants.is_symlink(), "the unit is not enabled");
        Ok(())
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            eprintln!("xtask: {}: {error}", self.path.display());
        }
    }
}

/// The fresh system, booted by its systemd in a container; powered off when it is dropped.
struct Booted {
    container: Child,
    /// The first process in it.
    init: u32,
}

impl Booted {
    fn start(root: &Root) -> Result<Booted> {
        let mut boot = Command::new("systemd-nspawn");
        boot.args(["--quiet", "--boot", "--register=no", "--keep-unit", "--private-network", "--directory"]);
        let nobody = || Stdio::null();
        let container =
            boot.arg(&root.path).stdin(nobody()).stdout(nobody()).spawn().context("starting systemd-nspawn")?;
        let mut system = Booted { container, init: 0 };
        let begun = Instant::now();
        while system.init == 0 {
            ensure!(begun.elapsed() < WAIT_MAX, "the fresh system does not boot");
            std::thread::sleep(LOOK_EVERY);
            let ours = system.container.id();
            let children = std::fs::read_to_string(format!("/proc/{ours}/task/{ours}/children")).unwrap_or_default();
            let is_init =
                |id: &u32| std::fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|it| it == "systemd\n");
            system.init = children.split_whitespace().filter_map(|id| id.parse().ok()).find(is_init).unwrap_or(0);
        }
        system.waits_for("the fresh system boots", &["systemctl", "is-active", "multi-user.target"])?;
        Ok(system)
    }

    /// These words as a command in it.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--all", "--target", &self.init.to_string()]).args(words);
        in_debian(&mut command);
        command
    }

    fn waits_for(&self, what: &str, words: &[&str]) -> Result<()> {
        let begun = Instant::now();
        while !self.command(words).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
            ensure!(begun.elapsed() < WAIT_MAX, "not within {} s: {what}", WAIT_MAX.as_secs());
            std::thread::sleep(LOOK_EVERY);
        }
        println!("{what}");
        Ok(())
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        // To systemd-nspawn it means: power off.
        let _ = Command::new("kill").args(["-TERM", &self.container.id().to_string()]).status();
        let _ = self.container.wait();
    }
}

fn in_debian(command: &mut Command) {
    command.env_clear().env("DEBIAN_FRONTEND", "noninteractive");
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}
