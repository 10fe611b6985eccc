//! `cargo xtask dist`: everything that a release has, in `target/dist-files`: the program and the agent in a tarball, the Debian
//! package, the debug symbols apart from them, a list of what they are made of (CycloneDX), and checksums.
//!
//! The programs in the tarball and in the package are the same files.

use crate::{apt, deb, shell};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What lists the dependencies of a program. Newer ones may write other files.
const CARGO_CYCLONEDX: &str = "0.5.9";
/// The profile of releases: as `release`, with debug symbols, which are then taken out.
const PROFILE: &str = "dist";
const PROGRAMS: &[&str] = &["octobackup", "octobackup-agent"];
/// What lies in the tarball beside the programs, and where it comes from.
const FILES: &[(&str, &str)] = &[
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("packaging/debian/octobackup.service", "octobackup.service"),
    ("packaging/debian/octobackup.toml", "octobackup.toml"),
];

/// Makes all of it.
pub fn run() -> Result<()> {
    apt::provide_for_deb()?;
    let out = shell::root().join("target/dist-files");
    if out.exists() {
        fs::remove_dir_all(&out).context("the last release")?;
    }
    fs::create_dir_all(&out)?;
    let version = version()?;
    deb::build_program(PROFILE, &["--package", "octo-agent", "--bins"])?;
    let built = shell::built()?.with_file_name(PROFILE);
    for program in PROGRAMS {
        split_symbols(&built.join(program), &out.join(format!("{program}-{version}.debug")))?;
    }
    let package = deb::package_built(PROFILE)?;
    fs::copy(&package, out.join(format!("octobackup_{version}_amd64.deb"))).context("the Debian package")?;
    tarball(&built, &out, &format!("octobackup-{version}-x86_64-linux"))?;
    bills_of_materials(&out, &version)?;
    checksums(&out)?;
    for file in sorted(&out)? {
        println!("{:>12}  {}", fs::metadata(&file)?.len(), file.display());
    }
    Ok(())
}

fn version() -> Result<String> {
    let metadata = shell::metadata()?;
    let packages = metadata["packages"].as_array().context("cargo metadata without packages")?;
    let ours = packages.iter().find(|it| it["name"] == "octobackup").context("octobackup is not in the workspace")?;
    Ok(ours["version"].as_str().context("octobackup without a version")?.to_owned())
}

/// Moves the debug symbols of a program to a file of their own, to which the program then points: debuggers find it by its
/// name beside the program.
fn split_symbols(program: &Path, symbols: &Path) -> Result<()> {
    shell::run(Command::new("objcopy").arg("--only-keep-debug").arg(program).arg(symbols))?;
    let stripped = program.with_extension("stripped");
    let mut strip = Command::new("objcopy");
    // The link holds the name of the file only, so it is named from its folder.
    strip.current_dir(symbols.parent().context("symbols without a folder")?);
    let link = symbols.file_name().context("symbols without a name")?.to_string_lossy().into_owned();
    shell::run(strip.arg("--strip-all").arg(format!("--add-gnu-debuglink={link}")).arg(program).arg(&stripped))?;
    // cargo links its own copy here again when it builds the next time.
    fs::rename(&stripped, program).with_context(|| program.display().to_string())
}

fn tarball(built: &Path, out: &Path, name: &str) -> Result<()> {
    let folder = out.join(name);
    fs::create_dir(&folder)?;
    for program in PROGRAMS {
        fs::copy(built.join(program), folder.join(program)).with_context(|| (*program).to_owned())?;
    }
    for (from, to) in FILES {
        fs::copy(shell::root().join(from), folder.join(to)).with_context(|| (*from).to_owned())?;
    }
    copy_folder(&deb::generated(), &folder)?;
    copy_folder(&shell::root().join("docs/manual"), &folder.join("manual"))?;
    let mut tar = Command::new("tar");
    tar.current_dir(out).args(["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    shell::run(tar.arg("--file").arg(format!("{name}.tar.gz")).arg(name))?;
    fs::remove_dir_all(&folder).context("the folder of the tarball")
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for path in sorted(from)? {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            fs::copy(&path, &target).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

/// One file for each program: what it is made of, with versions and licences.
fn bills_of_materials(out: &Path, version: &str) -> Result<()> {
    let tool = shell::tool("cargo-cyclonedx", CARGO_CYCLONEDX)?;
    let mut list = Command::new(tool);
    list.current_dir(shell::root()).args(["cyclonedx", "--format", "json", "--describe", "binaries"]);
    shell::run(list.args(["--target", "x86_64-unknown-linux-gnu"]))?;
    let rooms = fs::read_dir(shell::root().join("crates"))?.map(|room| Ok(room?.path()));
    let rooms: Vec<PathBuf> = rooms.chain([Ok(shell::root().join("xtask"))]).collect::<Result<_>>()?;
    // The tool writes beside each Cargo.toml, ours or not.
    for path in rooms.iter().map(|room| sorted(room)).collect::<Result<Vec<_>>>()?.concat() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(of) = name.strip_suffix(".cdx.json") else { continue };
        if let Some(program) = PROGRAMS.iter().find(|program| of == format!("{program}_bin")) {
            fs::copy(&path, out.join(format!("{program}-{version}.cdx.json"))).with_context(|| name.clone())?;
        }
        fs::remove_file(&path).with_context(|| name.clone())?;
    }
    for program in PROGRAMS {
        let list = out.join(format!("{program}-{version}.cdx.json"));
        ensure!(list.is_file(), "{CARGO_CYCLONEDX} of cargo-cyclonedx wrote no list for {program}");
    }
    Ok(())
}

fn checksums(out: &Path) -> Result<()> {
    let mut sum = Command::new("sha256sum");
    sum.current_dir(out).args(sorted(out)?.iter().filter_map(|path| path.file_name()));
    let lines = shell::output(&mut sum)?;
    fs::write(out.join("SHA256SUMS"), lines).context("SHA256SUMS")
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    Ok(paths)
}
