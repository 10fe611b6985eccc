//! What the exit codes mean, for the help. The numbers are those of [`crate::exit`].

use crate::exit::{CANCELLED, COMPLETE, CONFLICT, FAILED, HELD, NOT_ALLOWED, NOT_FOUND, PROBLEMS, USAGE};

const OF_COMPLETE: (u8, &str) = (COMPLETE, "complete");
const OF_PROBLEMS: (u8, &str) = (PROBLEMS, "complete, except for entries that the report names");
const OF_HELD: (u8, &str) = (HELD, "everything was copied, deletions are held (see: octobackup help held)");
const OF_USAGE: (u8, &str) = (USAGE, "invalid command or options; nothing was done");

/// How a run ends.
pub fn of_runs() -> String {
    list(&[
        OF_COMPLETE,
        OF_PROBLEMS,
        OF_USAGE,
        (FAILED, "failed; the report says why"),
        OF_HELD,
        (CANCELLED, "cancelled (Ctrl-C); the next run continues"),
    ])
}

/// The same with those of commands for a server.
pub fn of_all() -> String {
    list(&[
        OF_COMPLETE,
        OF_PROBLEMS,
        OF_USAGE,
        (FAILED, "failed; the report says why. Commands for a server: it cannot be reached, or it failed itself"),
        OF_HELD,
        (NOT_FOUND, "commands for a server: not found"),
        (CONFLICT, "commands for a server: conflict (already running, the name exists)"),
        (NOT_ALLOWED, "commands for a server: not authenticated, or not allowed"),
        (CANCELLED, "cancelled (Ctrl-C); the next run continues. Of \"run\": the run goes on at the server"),
    ])
}

/// Of `octobackup verify`.
pub fn of_verify() -> String {
    list(&[
        (COMPLETE, "everything that was read is as it was copied"),
        (PROBLEMS, "something is damaged, was changed, could not be read, or has no recorded hash"),
        (USAGE, "invalid command or options"),
        (FAILED, "failed; nothing could be verified"),
        (CANCELLED, "cancelled (Ctrl-C); continue with --older-than"),
    ])
}

/// Of `octobackup doctor`.
pub fn of_doctor() -> String {
    list(&[
        (COMPLETE, "no problems"),
        (PROBLEMS, "something needs attention"),
        (USAGE, OF_USAGE.1),
        (FAILED, "a run would fail: a side cannot be reached or used"),
    ])
}

/// Of commands that say how a server is: `fine` is said of 0.
pub fn of_status(fine: &str) -> String {
    list(&[(COMPLETE, fine), (PROBLEMS, "something needs attention"), (FAILED, "the server cannot be reached")])
}

fn list(meanings: &[(u8, &str)]) -> String {
    let lines: Vec<String> = meanings.iter().map(|(code, meaning)| format!("{code:>5}  {meaning}")).collect();
    format!("Exit codes:\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_exit_code() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/manual/exit-codes.md"));
        let page = page.unwrap();
        for line in of_all().lines().skip(1) {
            let code = line.split_whitespace().next().unwrap();
            assert!(page.contains(&format!("| {code} |")), "no exit code {code} in docs/manual/exit-codes.md");
        }
    }
}
