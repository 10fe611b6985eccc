-- Times are seconds since 1970 in UTC. Ids are never used again.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE credential (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    account    TEXT NOT NULL,
    secret     BLOB NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE job (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    revision   INTEGER NOT NULL,
    spec       TEXT NOT NULL,
    -- The mirror last seen at the job's target.
    target_id  TEXT,
    -- Every slot up to this moment has its record.
    slots_until INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

-- A run outlives its job: job is no reference, and the name is kept beside it.
CREATE TABLE run (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    job         INTEGER NOT NULL,
    job_name    TEXT NOT NULL,
    reason      TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    once        TEXT NOT NULL,
    asked_by    TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('queued', 'running', 'finished')),
    outcome     TEXT CHECK ((state = 'finished') = (outcome IS NOT NULL)),
    ignores_blackouts INTEGER NOT NULL,
    queued_at   INTEGER NOT NULL,
    not_before  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    duration_ms INTEGER NOT NULL DEFAULT 0,
    copied_files  INTEGER NOT NULL DEFAULT 0,
    copied_bytes  INTEGER NOT NULL DEFAULT 0,
    deleted_files INTEGER NOT NULL DEFAULT 0,
    problems    INTEGER NOT NULL DEFAULT 0,
    report      TEXT
) STRICT;
CREATE INDEX run_of_job ON run (job, id);
CREATE INDEX run_by_name ON run (job_name, id);
CREATE INDEX run_unfinished ON run (state) WHERE state != 'finished';

CREATE TABLE slot (
    job        INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    fate       TEXT NOT NULL CHECK (fate IN ('run', 'late', 'skipped', 'missed')),
    why        TEXT NOT NULL,
    run        INTEGER,
    noticed_at INTEGER NOT NULL,
    PRIMARY KEY (job, due_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE problem (
    run    INTEGER NOT NULL,
    number INTEGER NOT NULL,
    code   TEXT NOT NULL,
    path   TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    who    TEXT NOT NULL,
    what   TEXT NOT NULL,
    about  TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
