-- Machines with an agent. Until now they were in agents/hosts.json, from which they are taken over when the server starts.
CREATE TABLE host (
    place INTEGER PRIMARY KEY,      -- in the order in which they were invited
    name TEXT NOT NULL UNIQUE,
    kept TEXT NOT NULL              -- JSON of octo_agent::Host: hashes of tokens and certificates, no secrets
) STRICT;
