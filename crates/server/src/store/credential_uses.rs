//! For what, and at which hosts, each credential may be used. Who decides that is the service.

use super::words::word;
use crate::notify::{MailServer, Recipient};
use crate::service_error::ServiceError;
use octo_api::Word;
use octo_api::credential::{CredentialUse, Purpose};
use octo_job::JobSpec;
use rusqlite::{Connection, params};

/// What a credential may be used for.
pub fn list(db: &Connection, name: &str) -> Result<Vec<CredentialUse>, ServiceError> {
    let sql = "SELECT purpose, host FROM credential_use JOIN credential ON credential.id = credential_use.credential
               WHERE name = ?1 ORDER BY purpose, host";
    let mut statement = db.prepare_cached(sql)?;
    let read = |row: &rusqlite::Row<'_>| Ok(CredentialUse { purpose: word(row, 0)?, host: row.get(1)? });
    Ok(statement.query_map([name], read)?.collect::<Result<_, _>>()?)
}

/// Adds one; what is there already stays.
pub fn add(db: &Connection, name: &str, it: &CredentialUse) -> Result<(), ServiceError> {
    let sql = "INSERT OR IGNORE INTO credential_use (credential, purpose, host)
               SELECT id, ?2, ?3 FROM credential WHERE name = ?1";
    db.prepare_cached(sql)?.execute(params![name, it.purpose.word(), it.host])?;
    Ok(())
}

/// Makes it these and no others.
pub fn set(db: &Connection, name: &str, uses: &[CredentialUse]) -> Result<(), ServiceError> {
    let sql = "DELETE FROM credential_use WHERE credential = (SELECT id FROM credential WHERE name = ?1)";
    db.prepare_cached(sql)?.execute([name])?;
    uses.iter().try_for_each(|it| add(db, name, it))
}

/// In the migration that brought uses: everything that a credential was used for until then. It reads the rows as they were
/// then, and skips what it does not understand.
pub(super) fn fill(db: &Connection) -> Result<(), ServiceError> {
    let texts = |sql: &str| -> Result<Vec<String>, ServiceError> {
        let mut statement = db.prepare(sql)?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    };
    for spec in texts("SELECT spec FROM job")?.iter().filter_map(|text| serde_json::from_str::<JobSpec>(text).ok()) {
        if let (Some(name), Some(it)) = (&spec.credential, CredentialUse::of_share(&spec.source)) {
            add(db, name, &it)?;
        }
    }
    for them in
        texts("SELECT spec FROM recipient")?.iter().filter_map(|text| serde_json::from_str::<Recipient>(text).ok())
    {
        if let (Some(name), Some(url)) = (&them.credential, &them.webhook) {
            add(db, name, &CredentialUse::webhook(url))?;
        }
    }
    let servers = texts("SELECT value FROM setting WHERE name = 'mail-server'")?;
    for server in servers.iter().filter_map(|text| serde_json::from_str::<MailServer>(text).ok()) {
        if let Some(name) = &server.credential {
            add(db, name, &CredentialUse::new(Purpose::Mail, &server.host))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_and_compared_in_one_form() {
        let host = |it: CredentialUse| it.host;
        assert_eq!(host(CredentialUse::webhook("https://Hooks.Example.:8443/in?x")), "hooks.example");
        assert_eq!(host(CredentialUse::webhook("http://[::1]:80/")), "::1");
        assert_eq!(CredentialUse::of_share("//FS1:4450/d$/x").unwrap().to_string(), "smb at fs1");
        assert_eq!(CredentialUse::of_share("//[::1]/d$").unwrap().to_string(), "smb at ::1");
        assert!(CredentialUse::of_share("/srv").is_none());
    }

    #[test]
    fn what_was_used_before_there_were_uses_may_be_used_on() {
        let folder = tempfile::tempdir().unwrap();
        let store = super::super::Store::open(&folder.path().join("db")).unwrap();
        let rows = r#"
            INSERT INTO credential (name, account, secret, changed_at) VALUES ('corp', 'b', x'00', 1), ('smtp', 'b', x'00', 1);
            INSERT INTO job (name, revision, spec, target_id, slots_until, created_at, changed_at) VALUES
                ('a', 1, '{"name":"a","source":"//FS1/d$","target":"/m/a","credential":"corp"}', NULL, 1, 1, 1),
                ('b', 1, '{"name":"b","source":"//fs2/d$","target":"/m/b","credential":"corp"}', NULL, 1, 1, 1),
                ('c', 1, 'broken', NULL, 1, 1, 1);
            INSERT INTO setting VALUES ('mail-server', '{"host":"mail.example","from":"a@b","credential":"smtp"}');"#;
        let uses = store.change(|db| {
            db.execute_batch(rows)?;
            fill(db)?;
            Ok([list(db, "corp")?, list(db, "smtp")?])
        });
        let uses = uses.unwrap().concat().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(uses, ["smb at fs1", "smb at fs2", "mail at mail.example"]);
    }
}
