-- For a test: what a database of the first schema held.
INSERT INTO setting VALUES ('defaults', '{"retries":7}');
INSERT INTO credential (name, account, secret, changed_at) VALUES ('corp', 'CORP\b', x'00', 1785800000);
INSERT INTO job (name, revision, spec, target_id, slots_until, created_at, changed_at) VALUES
    ('fs1', 2, '{"name":"fs1","source":"/data","target":"/srv/fs1","schedule":"daily 22:00","paused":false,"policy":{"bandwidth":"5M"}}',
     'abc', 1785800000, 1785800000, 1785800000);
INSERT INTO run (job, job_name, reason, attempt, once, asked_by, state, outcome, ignores_blackouts, queued_at, not_before,
                 started_at, finished_at, duration_ms, copied_files, copied_bytes, deleted_files, problems) VALUES
    (1, 'fs1', 'schedule', 0, '{}', '', 'finished', 'succeeded', 0, 1785800000, 1785800000, 1785800000, 1785800060, 60000, 3, 12, 0, 0),
    (1, 'fs1', 'manual', 0, '{"dry_run":true,"adopt":false}', '', 'finished', 'failed', 0, 1785800000, 1785800000, 1785800000, 1785800060, 60000, 9, 12, 0, 0);
INSERT INTO slot VALUES (1, 1785800000, 'run', '', 1, 1785800000);
INSERT INTO audit (at, who, what, about, detail) VALUES (1785800000, 'root', 'job.add', 'fs1', '{}');
