//! `cargo xtask windows`: the program for Windows, built on Debian; and the tests of it that run under Wine.
//!
//! rustup's toolchain cannot have another target here, so Debian's own Rust is used, which brings its standard library as
//! source; that is built once. Everything goes to a target folder of its own, the Wine prefix included. Only our own Wine
//! server is stopped, by its prefix.

use crate::{apt, shell};
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TRIPLE: &str = "x86_64-pc-windows-gnu";
/// What runs under Wine besides the program itself: their tests say what of them is about Linux only.
const TESTED: &[&str] = &["octo-core", "octo-disk", "octo-mirror", "octo-testkit"];
/// Where Debian puts what nobody starts by hand.
const WINE: &str = "/usr/lib/wine/wine64";
const WINE_SERVER: &str = "/usr/lib/wine/wineserver64";

/// Builds the programs, quickly or to be used.
pub fn build(release: bool) -> Result<()> {
    apt::provide()?;
    apt::provide_for_windows()?;
    let profile = if release { "release" } else { "windows" };
    shell::run(cargo("build", profile).args(["--package", "octobackup", "--package", "octo-agent", "--bins"]))?;
    for program in ["octobackup.exe", "octobackup-agent.exe"] {
        println!("{}", built(profile).join(program).display());
    }
    Ok(())
}

/// Builds the program and the tests, and runs them under Wine.
pub fn test() -> Result<()> {
    build(false)?;
    let tests = build_tests()?;
    let wine = Wine::provide()?;
    // One that fails must not hide what the others say.
    let mut failed = None;
    for (package, test) in &tests {
        println!("under Wine: {package}");
        failed = shell::run(wine.command(test).args(["--quiet", "--test-threads", "2"])).err().or(failed);
    }
    // The share is on this side of Wine, and so are the tests that look at both. The whole workspace is named so that what
    // was built for the other tests is not built anew.
    let filter = ["--workspace", "--test", "it", "wine::", "--", "--ignored"];
    shell::run(wine.environment(shell::cargo().arg("test").args(filter)).env("OCTO_WINDOWS_PROGRAM", program()))?;
    failed.map_or(Ok(()), Err)
}

/// The program, as the tests use it.
fn program() -> PathBuf {
    built("windows").join("octobackup.exe")
}

fn built(profile: &str) -> PathBuf {
    target().join(TRIPLE).join(profile)
}

/// Apart from what is built for this machine: another compiler would make both start anew each time.
fn target() -> PathBuf {
    shell::root().join("target/windows")
}

/// Debian's cargo, with its standard library as source.
fn cargo(what: &str, profile: &str) -> Command {
    let mut command = Command::new("/usr/bin/cargo");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(PathBuf::from("/usr/bin")).chain(std::env::split_paths(&path)));
    command.current_dir(shell::root()).env("PATH", path.unwrap_or_default());
    // What rustup and the cargo that started us say of themselves is not true of this one.
    for said in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER"] {
        command.env_remove(said);
    }
    command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    command.args([what, "--profile", profile, "-Zbuild-std=std,panic_unwind,test", "--target", TRIPLE]);
    command.arg("--target-dir").arg(target());
    command
}

/// Package and program of each test.
fn build_tests() -> Result<Vec<(String, PathBuf)>> {
    let mut command = cargo("test", "windows");
    command.args(["--no-run", "--lib", "--tests", "--message-format=json-render-diagnostics"]);
    for package in TESTED {
        command.args(["--package", package]);
    }
    println!("+ cargo test --no-run --target {TRIPLE}");
    let said = String::from_utf8(shell::output(&mut command)?).context("cargo's messages")?;
    let mut tests = Vec::new();
    for line in said.lines() {
        let message: serde_json::Value = serde_json::from_str(line).context("cargo's messages")?;
        let is_test = message["profile"]["test"].as_bool() == Some(true);
        if let (true, Some(program)) = (is_test, message["executable"].as_str()) {
            let package = message["package_id"].as_str().unwrap_or_default();
            let package = package.rsplit(['/', '#']).nth(1).unwrap_or(package);
            tests.push((package.to_owned(), PathBuf::from(program)));
        }
    }
    ensure!(tests.len() >= TESTED.len(), "cargo built {} tests for Windows, of {} packages", tests.len(), TESTED.len());
    Ok(tests)
}

/// A Windows of our own.
struct Wine {
    prefix: PathBuf,
}

impl Wine {
    /// Makes the prefix if there is none, and puts in what Rust needs and Wine 8 lacks.
    fn provide() -> Result<Wine> {
        if !Path::new(WINE).is_file() {
            bail!("there is no {WINE}; on Debian: apt-get install --no-install-recommends wine64");
        }
        let wine = Wine { prefix: target().join("wine") };
        let system = wine.prefix.join("drive_c/windows/system32");
        let whole = wine.prefix.join("whole");
        if !whole.is_file() {
            fs::create_dir_all(&wine.prefix)?;
            shell::run(wine.environment(Command::new(WINE).args(["wineboot", "-i"])))?;
            fs::write(&whole, "")?;
        }
        let source = shell::root().join("xtask/wine/bcryptprimitives.c");
        let library = system.join("bcryptprimitives.dll");
        let compile = ["-shared", "-O2", "-s", "-o"];
        let mut gcc = Command::new("x86_64-w64-mingw32-gcc");
        shell::run(gcc.args(compile).arg(library).arg(source).arg("-ladvapi32"))?;
        Ok(wine)
    }

    fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        // No word of Wine's own, and no offer to download browsers and runtimes.
        let quiet = [("WINEDEBUG", "-all"), ("WINEDLLOVERRIDES", "mscoree,mshtml="), ("DISPLAY", "")];
        command.env("WINEPREFIX", &self.prefix).env("OCTO_WINE", WINE).envs(quiet)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(WINE);
        self.environment(command.arg(program));
        command
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        // The server of this prefix only; without it Wine keeps a few processes for some seconds.
        let _ = self.environment(Command::new(WINE_SERVER).arg("-k")).status();
    }
}
