//! `octobackup apply`, `export`, `defaults` and `audit`: what concerns all jobs.

use super::answer::{CommandResult, client, plain, show, text, time};
use super::job::set;
use super::table::table;
use crate::args::server::{ApplyArgs, AuditArgs, DefaultsArgs, ServerArgs};
use crate::exit;
use crate::listeners::print;
use octo_api::ApiError;
use octo_api::apply::{ApplyRequest, Change, What};
use octo_api::error::Kind;
use octo_api::server::AuditEntry;
use octo_job::JobsFile;
use serde_json::{Map, Value};

/// Tells what changes, then changes exactly that.
pub fn apply(args: &ApplyArgs) -> CommandResult {
    let is_piped = args.file.as_os_str() == "-";
    let name = if is_piped { "standard input".to_owned() } else { args.file.display().to_string() };
    let failed = |why: String| ApiError::new(Kind::Invalid, format!("{name}: {why}"));
    let read =
        if is_piped { std::io::read_to_string(std::io::stdin().lock()) } else { std::fs::read_to_string(&args.file) };
    let written = read.map_err(|e| failed(e.to_string()))?;
    let file = JobsFile::parse(&written).map_err(|error| failed(error.detail))?;
    let client = client(&args.server)?;
    let mut wish = ApplyRequest { file, remove: args.remove, dry_run: true, expect: None };
    let changes: Vec<Change> = client.post("/jobs-file", &wish)?;
    show(&args.server, changes.as_slice(), tell)?;
    let has_changes = !changes.is_empty();
    if !args.dry_run && has_changes {
        wish = ApplyRequest { dry_run: false, expect: Some(changes), ..wish };
        client.post::<Vec<Change>>("/jobs-file", &wish)?;
    }
    if !args.server.json {
        print(match (has_changes, args.dry_run) {
            (false, _) => "No changes.",
            (_, true) => "Nothing was changed (--dry-run).",
            _ => "Done.",
        });
    }
    Ok(exit::COMPLETE)
}

fn tell(changes: &[Change]) {
    for change in changes {
        let sign = match change.what {
            What::Add => "+",
            What::Remove => "-",
            What::Change | What::Defaults => "~",
        };
        let job = plain(&change.job);
        print(&if job.is_empty() { format!("{sign} defaults") } else { format!("{sign} job {job}") });
        for field in &change.fields {
            let said = |value: &Value| if value.is_null() { "(nothing)".to_owned() } else { text(value) };
            let from = if sign == "+" { String::new() } else { format!("{} -> ", said(&field.from)) };
            print(&format!("    {}: {from}{}", plain(&field.name), said(&field.to)));
        }
    }
}

/// Prints a jobs file.
pub fn export(server: &ServerArgs) -> CommandResult {
    // Read strictly: what is not known here would be lost in the file.
    let file: JobsFile = client(server)?.get("/jobs-file")?;
    let written = file.to_text()?;
    show(server, &file, |_| print(written.trim_end()))
}

/// Shows what holds for all jobs, or changes it.
pub fn defaults(args: &DefaultsArgs) -> CommandResult {
    let client = client(&args.server)?;
    // Kept as it is: a newer server may have settings that are not known here, and they are sent back.
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
pub fn audit(args: &AuditArgs) -> CommandResult {
    let entries: Vec<AuditEntry> = client(&args.server)?.get(&format!("/audit?limit={}", args.limit))?;
    show(&args.server, entries.as_slice(), |entries| {
        let cells = entries.iter().map(|AuditEntry { at, who, what, about, detail, .. }| {
            vec![time(*at), plain(who), plain(what), plain(about), plain(detail)]
        });
        table(&["@WHEN", "WHO", "WHAT", "ABOUT", "TO"], &cells.collect::<Vec<_>>());
    })
}
