//! `cargo xtask deb`: the Debian package. `--test` installs it in a fresh system, starts the server there as its unit would,
//! asks it something, and removes it again.

use crate::{apt, shell};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// What builds the package. Newer ones may lay it out in another way.
const CARGO_DEB: &str = "3.8.0";
/// The system that the package is for.
const RELEASE: &str = "bookworm";
/// A server that takes longer to start does not.
const PATIENCE: Duration = Duration::from_secs(60);

/// Builds the package as it is given to people.
pub fn build() -> Result<()> {
    apt::provide_for_deb()?;
    let package = package("release")?;
    println!("{}", package.display());
    Ok(())
}

/// Tries the package, with the program as it is built for development.
pub fn test() -> Result<()> {
    apt::provide()?;
    apt::provide_for_deb()?;
    apt::require_root("deb --test")?;
    let unit = shell::root().join("packaging/debian/octobackup.service");
    let package = package("dev")?;
    let root = Root::fresh()?;
    let inside = root.path.join("octobackup.deb");
    std::fs::copy(&package, &inside).context("copying the package")?;
    shell::run(root.command("apt-get").args(["install", "-q", "-y", "--no-install-recommends", "/octobackup.deb"]))?;
    root.checks_out()?;
    let server = Server::start(&root, &unit)?;
    let asked = |args: &[&str]| shell::run(root.command("octobackup").args(args));
    asked(&["job", "list"])?;
    asked(&["job", "add", "doc", "/usr/share/doc/octobackup", "/var/lib/octobackup/mirror"])?;
    asked(&["run", "doc"])?;
    ensure!(root.path.join("var/lib/octobackup/mirror/manual/server.md").is_file(), "the mirror is not there");
    asked(&["setup-link"])?;
    server.stop()?;
    shell::run(root.command("apt-get").args(["purge", "-q", "-y", "octobackup"]))?;
    ensure!(root.path.join("var/lib/octobackup/octobackup.db").is_file(), "the database is somebody's backup");
    ensure!(!root.path.join("etc/octobackup/octobackup.toml").exists(), "the settings stayed");
    println!("the package installs, starts, works, stops and goes");
    Ok(())
}

fn package(profile: &str) -> Result<PathBuf> {
    let tools = shell::root().join("target/tools");
    let cargo_deb = tools.join("bin/cargo-deb");
    let version = Command::new(&cargo_deb).arg("--version").output();
    if !version.is_ok_and(|it| String::from_utf8_lossy(&it.stdout).trim().ends_with(CARGO_DEB)) {
        let install = ["install", "cargo-deb", "--locked", "--debug", "--force", "--version", CARGO_DEB, "--root"];
        shell::run(shell::cargo().args(install).arg(&tools))?;
    }
    let package = shell::root().join("target/debian").join(format!("octobackup-{profile}.deb"));
    let mut deb = Command::new(cargo_deb);
    deb.current_dir(shell::root()).args(["--package", "octobackup", "--profile", profile, "--strip", "--output"]);
    shell::run(deb.arg(&package))?;
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
        make.args(["--quiet", "--variant=minbase", RELEASE]).arg(&root.path);
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
        command.arg(&self.path).arg(program).env_clear().env("DEBIAN_FRONTEND", "noninteractive");
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
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

/// The server in the fresh system, started as the unit says, without systemd.
struct Server(Child);

impl Server {
    fn start(root: &Root, unit: &Path) -> Result<Server> {
        let unit = std::fs::read_to_string(unit)?;
        let setting = |name: &str| {
            let line = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.with_context(|| format!("the unit has no {name}"))
        };
        let (user, run) = (setting("User")?, setting("RuntimeDirectory")?);
        shell::run(root.command("install").args(["-d", "-o", user, "-g", user, &format!("/run/{run}")]))?;
        let mut command = root.command("setpriv");
        command.args(["--reuid", user, "--regid", user, "--init-groups", "--no-new-privs"]);
        command.args(setting("ExecStart")?.split_whitespace());
        let mut server = Server(command.spawn().context("starting the server")?);
        let socket = root.path.join("run").join(run).join("octobackup.sock");
        let begun = Instant::now();
        while !socket.exists() {
            if let Some(status) = server.0.try_wait()? {
                bail!("the server ended at once: {status}");
            }
            ensure!(begun.elapsed() < PATIENCE, "the server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// As systemd does.
    fn stop(mut self) -> Result<()> {
        shell::run(Command::new("kill").args(["-TERM", &self.0.id().to_string()]))?;
        let status = self.0.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
