-- For what, and at which hosts, a credential may be used. Without any, its first use decides.
CREATE TABLE credential_use (
    credential INTEGER NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    purpose    TEXT NOT NULL,
    host       TEXT NOT NULL,
    PRIMARY KEY (credential, purpose, host)
) STRICT, WITHOUT ROWID;
