//! `octobackup apply`, `export`, `defaults` and `audit`: what concerns all jobs.

use super::answer::{Ended, client, rows, show, text, time_of};
use super::job::set;
use super::table::table;
use crate::args::server::{ApplyArgs, AuditArgs, DefaultsArgs, ServerArgs};
use crate::exit;
use crate::listeners::print;
use octo_api::ApiError;
use octo_api::error::Kind;
use octo_job::JobsFile;
use serde_json::{Map, Value, json};

/// Tells what changes, then changes exactly that.
pub fn apply(args: &ApplyArgs) -> Ended {
    let is_piped = args.file.as_os_str() == "-";
    let name = if is_piped { "standard input".to_owned() } else { args.file.display().to_string() };
    let failed = |why: String| ApiError::new(Kind::Invalid, format!("{name}: {why}"));
    let read =
        if is_piped { std::io::read_to_string(std::io::stdin().lock()) } else { std::fs::read_to_string(&args.file) };
    let written = read.map_err(|e| failed(e.to_string()))?;
    let file = JobsFile::parse(&written).map_err(|refusal| failed(refusal.detail))?;
    let client = client(&args.server)?;
    let wish = |dry_run: bool, expect: Option<&Value>| json!({"file": file, "remove": args.remove, "dry_run": dry_run, "expect": expect});
    let changes = client.post::<Value>("/jobs-file", &wish(true, None))?;
    show(&args.server, &changes, tell)?;
    if !args.dry_run && !rows(&changes).is_empty() {
        client.post::<Value>("/jobs-file", &wish(false, Some(&changes)))?;
    }
    if !args.server.json {
        print(match (rows(&changes).is_empty(), args.dry_run) {
            (true, _) => "No changes.",
            (_, true) => "Nothing was changed (--dry-run).",
            _ => "Done.",
        });
    }
    Ok(exit::COMPLETE)
}

fn tell(changes: &Value) {
    for change in rows(changes) {
        let sign = match change["what"].as_str() {
            Some("add") => "+",
            Some("remove") => "-",
            _ => "~",
        };
        let job = text(&change["job"]);
        print(&if job.is_empty() { format!("{sign} defaults") } else { format!("{sign} job {job}") });
        for field in rows(&change["fields"]) {
            let said = |value: &Value| if value.is_null() { "(nothing)".to_owned() } else { text(value) };
            let from = if sign == "+" { String::new() } else { format!("{} -> ", said(&field["from"])) };
            print(&format!("    {}: {from}{}", text(&field["name"]), said(&field["to"])));
        }
    }
}

/// Prints a jobs file.
pub fn export(server: &ServerArgs) -> Ended {
    let file: JobsFile = client(server)?.get("/jobs-file")?;
    let written = file.to_text()?;
    show(server, &file, |_| print(written.trim_end()))
}

/// Shows what holds for all jobs, or changes it.
pub fn defaults(args: &DefaultsArgs) -> Ended {
    let client = client(&args.server)?;
    let mut policy: Map<String, Value> = client.get("/defaults")?;
    for name in &args.unset {
        if policy.remove(name).is_none() {
            return Err(ApiError::field("--unset", format!("{name} is not set in the defaults")));
        }
    }
    set(&mut policy, &args.set)?;
    if !args.set.is_empty() || !args.unset.is_empty() {
        client.put::<()>("/defaults", &policy)?;
    }
    show(&args.server, &policy, |policy| {
        let cells = policy.iter().map(|(name, value)| vec![name.clone(), text(value)]);
        table(&["SETTING", "VALUE"], &cells.collect::<Vec<_>>());
    })
}

/// Who changed what.
pub fn audit(args: &AuditArgs) -> Ended {
    let answer = client(&args.server)?.get::<Value>(&format!("/audit?limit={}", args.limit))?;
    show(&args.server, &answer, |answer| {
        let cells = rows(answer).iter().map(|entry| {
            let cell = |name: &str| text(&entry[name]);
            vec![time_of(&entry["at"]), cell("who"), cell("what"), cell("about"), cell("detail")]
        });
        table(&["@WHEN", "WHO", "WHAT", "ABOUT", "TO"], &cells.collect::<Vec<_>>());
    })
}
