-- Who is told what.
CREATE TABLE recipient (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE,
    spec       TEXT NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT;

-- What is to be told. A row is done when it has no next try.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient   TEXT NOT NULL,
    message     TEXT NOT NULL,
    queued_at   INTEGER NOT NULL,
    next_try_at INTEGER,
    tries       INTEGER NOT NULL DEFAULT 0,
    last_error  TEXT,
    sent_at     INTEGER
) STRICT;
CREATE INDEX outbox_waiting ON outbox (next_try_at) WHERE next_try_at IS NOT NULL;
