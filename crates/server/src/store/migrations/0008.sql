-- A dry run changes nothing, so it says nothing of how a job stands. Until now it was found in the text of what is for this run only.
ALTER TABLE run ADD COLUMN dry_run INTEGER NOT NULL DEFAULT 0;
UPDATE run SET dry_run = 1 WHERE once LIKE '%"dry_run":true%';
