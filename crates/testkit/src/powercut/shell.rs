//! Starting the tools that make, mount and record disks.

use std::path::Path;
use std::process::{Command, Output};

/// Runs it; what it said if it failed.
pub(super) fn attempt(command: &mut Command) -> Result<Output, String> {
    let output =
        command.output().map_err(|e| format!("{command:?}: {e}; `cargo xtask apt` installs what is needed"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned();
    Err(format!("{command:?}: {}: {said}", output.status))
}

/// Runs it and returns its output, or ends the proof: without its tools nothing is proven.
pub(super) fn run(command: &mut Command) -> String {
    match attempt(command) {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(error) => end(&error),
    }
}

#[expect(clippy::panic, reason = "a test without its tools fails")]
pub(super) fn end(error: &str) -> ! {
    panic!("{error}")
}

/// A mounted filesystem; unmounted when dropped.
pub(super) struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    pub fn new(device: &Path, options: &str, place: &'a Path) -> Result<Mount<'a>, String> {
        attempt(Command::new("mount").args(["-o", options]).arg(device).arg(place))?;
        Ok(Mount(place))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        // Anyone who still looks at it must not keep the disk.
        if attempt(Command::new("umount").arg(self.0)).is_err() {
            let _ = attempt(Command::new("umount").arg("--lazy").arg(self.0));
        }
    }
}
