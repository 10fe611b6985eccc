//! What the exit codes mean, for the help.

/// How a run ends.
pub const EXIT_CODES: &str = "\
Exit codes:
    0  complete
    1  complete, except for entries that the report names
    2  invalid command or options; nothing was done
    3  failed; the report says why
    4  everything was copied, deletions are held (see: octobackup help held)
  130  cancelled (Ctrl-C); the next run continues";

/// The same with those of commands for a server.
pub const ALL_EXIT_CODES: &str = "\
Exit codes:
    0  complete
    1  complete, except for entries that the report names
    2  invalid command or options; nothing was done
    3  failed; the report says why. Commands for a server: it cannot be reached, or it failed itself
    4  everything was copied, deletions are held (see: octobackup help held)
    5  commands for a server: not found
    6  commands for a server: conflict (already running, the name exists)
    7  commands for a server: not authenticated, or not allowed
  130  cancelled (Ctrl-C); the next run continues. Of \"run\": the run goes on at the server";
