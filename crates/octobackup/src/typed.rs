//! What people type for a state and for a path of it.

use crate::zone;
use octo_core::{Code, Error, RelPath};
use octo_mirror::history::When;
use std::path::{Component, Path};

/// What `--at` means: a number is a state, everything else a moment.
pub fn when(text: Option<&str>) -> Result<When, Error> {
    let Some(text) = text.filter(|text| *text != "now") else { return Ok(When::Now) };
    if let Ok(number) = text.parse() {
        return Ok(When::Number(number));
    }
    let refused =
        |why| Error::new(Code::Usage, format!("WHEN {text}: {why}, or a state's number (see octobackup states)"));
    octo_report::time::read(text, &zone::shown()).map(When::Time).map_err(refused)
}

/// A path on the source, as a person types it: either slash on Windows, and neither at the ends.
pub fn path(typed: &Path) -> Result<RelPath, Error> {
    let wrong = || {
        Error::new(
            Code::Usage,
            format!("PATH {}: it must be a path on the source, such as projects/2026", typed.display()),
        )
    };
    let mut path = RelPath::root();
    for part in typed.components() {
        match part {
            Component::Normal(name) => {
                let name = octo_core::Name::new(octo_core::path::os_bytes(Path::new(name))).map_err(|_| wrong())?;
                path = path.join(&name);
            }
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return Err(wrong()),
        }
    }
    Ok(path)
}
