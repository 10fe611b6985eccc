//! `octobackup backup` and `self-check`: the server's own data.

use super::answer::{Ended, client, rows, show, text};
use super::table::table;
use crate::args::server::{BackupArgs, ServerArgs};
use crate::exit;
use crate::listeners::print;
use octo_api::ApiError;
use octo_core::numbers;
use serde_json::{Value, json};

/// Has the server copy what it knows.
pub fn backup(args: &BackupArgs) -> Ended {
    // The server may work in another folder.
    let folder = std::path::absolute(&args.folder).map_err(|e| ApiError::field("FOLDER", e))?;
    let folder = folder.to_str().ok_or_else(|| ApiError::field("FOLDER", "its name must be UTF-8"))?;
    let made = client(&args.server)?.post::<Value>("/backup", &json!({"folder": folder}))?;
    show(&args.server, &made, |made| {
        let size = numbers::size(made["bytes"].as_u64().unwrap_or(0));
        print(&format!("{}: {size}", text(&made["folder"])));
        if made["has_key"] != true {
            exit::remark(
                "The key is not in it, because the server was handed it (LoadCredential). Keep a copy of it too.",
            );
        }
    })
}

/// Has the server look at itself.
pub fn self_check(server: &ServerArgs) -> Ended {
    let findings = client(server)?.get::<Value>("/self-check")?;
    let is_well = rows(&findings).iter().all(|finding| finding["is_well"] == true);
    show(server, &findings, |findings| {
        let cells = rows(findings).iter().map(|finding| {
            let sign = if finding["is_well"] == true { "ok" } else { "LOOK" };
            vec![sign.to_owned(), text(&finding["about"]), text(&finding["detail"])]
        });
        table(&["", "WHAT", "FOUND"], &cells.collect::<Vec<_>>());
    })?;
    Ok(if is_well { exit::COMPLETE } else { exit::PROBLEMS })
}
