-- What a run does. Until now there were only backups.
ALTER TABLE run ADD COLUMN kind TEXT NOT NULL DEFAULT 'backup';
-- The same as Run::is_backup and Run::is_good say: a run that was to make a backup, and one that looked everywhere and made it.
ALTER TABLE run ADD COLUMN is_backup INTEGER NOT NULL AS (kind = 'backup' AND dry_run = 0) VIRTUAL;
ALTER TABLE run ADD COLUMN is_good INTEGER NOT NULL AS
    (is_backup AND IFNULL(outcome IN ('succeeded', 'warnings', 'held'), 0)) VIRTUAL;
