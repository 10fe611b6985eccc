-- For tests: a row in each of the tables that came after the first schema.
INSERT INTO failing VALUES (1, 'a/b', 'access_denied', 1, 1785800000, NULL, 1);
INSERT INTO recipient (name, spec, changed_at) VALUES ('ops', '{"name":"ops","mail":["a@example.com"]}', 1785800000);
INSERT INTO setting VALUES ('digest-schedule', 'daily 07:00'), ('digest-until', '1785800000'),
    ('mail-server', '{"server":"mail","port":25,"security":"none","from":"a@example.com"}');
INSERT INTO outbox (recipient, message, queued_at, next_try_at, tries, last_error) VALUES
    ('ops', '"test"', 1785800000, 1785800060, 2, 'refused'), ('ops', '{"run":1}', 1785800000, NULL, 1, NULL);
INSERT INTO user (name, role, password, changed_at) VALUES ('a', 'administrator', 'x', 1785800000);
INSERT INTO session VALUES (x'00', 1, 1985800000);
INSERT INTO token (name, role, hash, made_by, created_at, expires_at) VALUES ('t', 'viewer', x'00', 'a', 1785800000, 1985800000);
INSERT INTO credential_use VALUES (1, 'smb', 'fs1');
