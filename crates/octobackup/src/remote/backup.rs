//! `octobackup backup` and `self-check`: the server's own data.

use super::answer::{CommandResult, client, plain, show};
use super::table::table;
use crate::args::server::{BackupArgs, ServerArgs};
use crate::exit;
use crate::listeners::print;
use octo_api::ApiError;
use octo_api::server::{BackUp, Backup, Finding};
use octo_core::numbers;

/// Has the server copy what it knows.
pub fn backup(args: &BackupArgs) -> CommandResult {
    // The server may work in another folder.
    let folder = std::path::absolute(&args.folder).map_err(|e| ApiError::field("FOLDER", e))?;
    let folder = folder.to_str().ok_or_else(|| ApiError::field("FOLDER", "its name must be UTF-8"))?;
    let made: Backup = client(&args.server)?.post("/backup", &BackUp { folder: folder.to_owned() })?;
    show(&args.server, &made, |made| {
        print(&format!("{}: {}", plain(&made.folder), numbers::size(made.bytes)));
        if !made.has_key {
            exit::remark(
                "The key is not in it, because the server was handed it (LoadCredential). Keep a copy of it too.",
            );
        }
    })
}

/// Has the server look at itself.
pub fn self_check(server: &ServerArgs) -> CommandResult {
    let findings: Vec<Finding> = client(server)?.get("/self-check")?;
    show(server, findings.as_slice(), |findings| {
        let cells = findings.iter().map(|finding| {
            let sign = if finding.is_well { "ok" } else { "LOOK" };
            vec![sign.to_owned(), plain(&finding.about), plain(&finding.detail)]
        });
        table(&["", "WHAT", "FOUND"], &cells.collect::<Vec<_>>());
    })?;
    let is_well = findings.iter().all(|finding| finding.is_well);
    Ok(if is_well { exit::COMPLETE } else { exit::PROBLEMS })
}
