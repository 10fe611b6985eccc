//! Backup intent: of a privileged and an unprivileged account, with and without the flag, only one reads.

use crate::fixture::*;
use octo_core::{Code, Error, Listed, Source};
use octo_smb::{BackupIntent, SmbOptions, SmbSource};
use octo_testkit::samba::Samba;
use std::fs;

/// A share with a file and a folder that only their owner may read.
fn guarded() -> Samba {
    let samba = samba();
    let data = samba.share_path("data");
    fs::create_dir_all(data.join("secret/sub")).unwrap();
    for file in ["open.txt", "denied.txt", "secret/inner.txt", "secret/sub/deep.txt"] {
        fs::write(data.join(file), "top secret").unwrap();
    }
    for entry in ["denied.txt", "secret/sub/deep.txt", "secret/sub", "secret/inner.txt", "secret"] {
        samba.deny(entry);
    }
    samba
}

fn with_intent(samba: &Samba, user: &str, backup_intent: BackupIntent) -> SmbSource {
    let options = SmbOptions { backup_intent, ..SmbOptions::default() };
    SmbSource::connect(address(samba, "data"), credentials(user), options).unwrap()
}

fn code(error: &Option<Error>) -> Option<Code> {
    error.as_ref().map(|e| e.code)
}

#[test]
fn only_the_privileged_account_with_backup_intent_reads_what_is_denied() {
    let samba = guarded();
    for (user, intent, reads) in [
        ("backupop", BackupIntent::Auto, true),
        ("backupop", BackupIntent::Off, false),
        ("plain", BackupIntent::Auto, false),
        ("plain", BackupIntent::Off, false),
    ] {
        let source = with_intent(&samba, user, intent);
        let who = format!("{user} {intent:?}");
        let root = list_all(&source, "");
        assert_eq!(root.names(), ["denied.txt", "open.txt", "secret"], "{who}");
        let open = fetch_one(&source, "open.txt", 10);
        assert_eq!(open.bytes(), b"top secret", "{who}: what everybody may read");
        let file = fetch_one(&source, "denied.txt", 10);
        let large_path = fetch_one(&source, "denied.txt", 50_000_000);
        let (folder, kept) = list(&source, "secret");
        if reads {
            for fetched in [file, large_path, fetch_one(&source, "secret/sub/deep.txt", 10)] {
                assert_eq!((fetched.failed.as_ref(), fetched.bytes()), (None, b"top secret".to_vec()), "{who}");
            }
            assert_eq!(folder, Listed::Complete, "{who}");
            assert_eq!(kept.names(), ["inner.txt", "sub"], "{who}");
            assert_eq!(list_all(&source, "secret/sub").names(), ["deep.txt"], "{who}");
            assert!(source.remarks().is_empty());
        } else {
            for fetched in [file, large_path] {
                assert_eq!((code(&fetched.failed), fetched.pieces.len()), (Some(Code::AccessDenied), 0), "{who}");
            }
            assert!(matches!(folder, Listed::Incomplete(e) if e.code == Code::AccessDenied), "{who}");
            assert!(kept.entries.is_empty());
            let remarks = source.remarks();
            assert_eq!(remarks.len(), 1, "said once");
            assert!(remarks[0].contains("3 entries") && remarks[0].contains("backup"), "{remarks:?}");
        }
    }
}

#[test]
fn required_backup_intent_that_does_not_work_ends_the_run() {
    let samba = guarded();
    let source = with_intent(&samba, "plain", BackupIntent::Require);
    let fetched = fetch(&source, &[request("denied.txt", 10)]);
    assert_eq!(code(&fetched[0].failed), Some(Code::PrivilegeMissing));
    let (listed, _) = list(&source, "secret");
    assert!(matches!(listed, Listed::Incomplete(e) if e.code == Code::PrivilegeMissing));
    let source = with_intent(&samba, "backupop", BackupIntent::Require);
    assert_eq!(fetch_one(&source, "denied.txt", 10).bytes(), b"top secret");
}
