//! The picture of a report in the README, taken by Debian's Chromium. Only this chore and one test need a browser.

use crate::shell;
use anyhow::{Context, Result, ensure};
use std::process::Command;

const PICTURE: &str = "docs/images/report.png";
/// Of the samples, the usual morning.
const SAMPLE: &str = "job-morning.html";
const WIDTH_AND_HEIGHT: &str = "780,1020";
/// A README is fetched by everybody.
const BYTES_MAX: u64 = 150_000;

/// Renders the sample and takes its picture.
pub fn run() -> Result<()> {
    ensure!(shell::exists("chromium"), "a browser takes the picture: apt-get install chromium");
    let (folder, picture) = (shell::built()?.join("report-picture"), shell::root().join(PICTURE));
    std::fs::create_dir_all(&folder)?;
    std::fs::create_dir_all(shell::root().join("docs/images"))?;
    shell::run(shell::cargo().args(["run", "--quiet", "-p", "octo-report", "--example", "render"]).arg(&folder))?;
    let mut browser = Command::new("chromium");
    browser.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--disable-background-networking",
    ]);
    browser.arg(format!("--user-data-dir={}", folder.join("profile").display()));
    browser.args([format!("--window-size={WIDTH_AND_HEIGHT}"), format!("--screenshot={}", picture.display())]);
    shell::run(browser.arg(format!("file://{}", folder.join(SAMPLE).display())))?;
    let bytes = std::fs::metadata(&picture).context(PICTURE)?.len();
    ensure!(bytes <= BYTES_MAX, "{PICTURE} has {bytes} bytes, more than {BYTES_MAX}");
    println!("{PICTURE}: {bytes} bytes");
    Ok(())
}
