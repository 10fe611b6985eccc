-- Since when a file fails: one row for each entry that the job's newest runs could not copy.
CREATE TABLE failing (
    job          INTEGER NOT NULL,
    path         TEXT NOT NULL,
    code         TEXT NOT NULL,
    since_run    INTEGER NOT NULL,
    since_at     INTEGER NOT NULL,
    -- When the job last ran without this problem; NULL if it never did.
    last_good_at INTEGER,
    seen_run     INTEGER NOT NULL,
    PRIMARY KEY (job, path, code)
) STRICT, WITHOUT ROWID;

ALTER TABLE problem ADD COLUMN since_run INTEGER;
ALTER TABLE problem ADD COLUMN since_at INTEGER;
ALTER TABLE problem ADD COLUMN last_good_at INTEGER;

-- Problems of the run before that are gone.
ALTER TABLE run ADD COLUMN mended INTEGER NOT NULL DEFAULT 0;

CREATE INDEX run_outcomes ON run (job, outcome, id);
