-- Of a run that restores: JSON of octo_api::restore::Restore.
ALTER TABLE run ADD COLUMN restore TEXT;
