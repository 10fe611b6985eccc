//! What can be asked before there is a job: protection, clock, previous versions, the backup privilege, the shares.

use crate::fixture::*;
use crate::proxy::{Fault, Proxy};
use octo_core::SmbAddress;
use octo_core::{Code, Error, Source, Timestamp};
use octo_smb::{
    Access, Credentials, Dialect, Encryption, Inspector, Logon, PreviousVersions, ShareKind, SmbOptions, SmbSource,
    Timeouts, shares,
};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::time::{Duration, SystemTime};

fn inspect(samba: &Samba, share: &str, user: &str, options: SmbOptions) -> Inspector {
    Inspector::connect(address(samba, share), &credentials(user), &options).unwrap()
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_unix(since.as_secs() as i64, since.subsec_nanos())
}

#[test]
fn the_protection_of_a_connection_and_the_servers_clock_are_told() {
    let required = SambaOptions::new().share("enc", "data", &["server smb encrypt = required"]);
    let samba = Samba::start(required);
    let security = inspect(&samba, "enc", "plain", SmbOptions::default()).security().unwrap();
    assert_eq!((security.dialect, security.signing), (Dialect::Smb3_1_1, Some("AES-128-GMAC")));
    assert!(matches!(security.encryption, Encryption::Active(cipher) if cipher.starts_with("AES-128-")));
    let skew = security.server_time.unwrap().0.abs_diff(now().0);
    assert!(skew < 5 * 10_000_000, "one machine, one clock: {skew} ticks");
    assert!(!security.hides_unreadable);
}

#[test]
fn a_server_without_encryption_and_an_older_protocol_are_recognised() {
    let old = SambaOptions::new().global("server max protocol = SMB2_10").global("server signing = mandatory");
    let samba = Samba::start(old);
    let options = SmbOptions { min_dialect: Dialect::Smb2_1, ..SmbOptions::default() };
    let security = inspect(&samba, "data", "plain", options).security().unwrap();
    assert_eq!((security.dialect, security.signing), (Dialect::Smb2_1, Some("HMAC-SHA256")));
    assert_eq!((security.encryption, security.signing_demanded), (Encryption::Impossible, true));
}

#[test]
fn a_guests_session_is_said_to_be_neither_signed_nor_encrypted() {
    let samba =
        Samba::start(SambaOptions::new().global("map to guest = Bad User").share("open", "open", &["guest ok = yes"]));
    let guest = SmbOptions { logon: Logon::Guest, ..SmbOptions::default() };
    let inspector = Inspector::connect(address(&samba, "open"), &Credentials::default(), &guest).unwrap();
    let security = inspector.security().unwrap();
    assert_eq!(security.signing, None);
    assert!(!matches!(security.encryption, Encryption::Active(_)));
}

#[test]
fn a_guest_whose_account_is_enabled_has_a_session_like_any_other() {
    let samba = Samba::start(SambaOptions::new().user_without_password("Guest"));
    fs::write(samba.share_path("data").join("file"), "x").unwrap();
    let guest = SmbOptions { logon: Logon::Guest, ..SmbOptions::default() };
    let inspector = Inspector::connect(address(&samba, "data"), &Credentials::default(), &guest).unwrap();
    let security = inspector.security().unwrap();
    assert_eq!(security.signing, Some("AES-128-GMAC"));
    assert!(matches!(security.encryption, Encryption::Active(_)));
    let source = SmbSource::connect(address(&samba, "data"), Credentials::default(), guest).unwrap();
    assert_eq!(list_all(&source, "").names(), ["file"]);
    assert!(source.remarks().is_empty(), "{:?}", source.remarks());
}

#[test]
fn whether_the_backup_privilege_works_is_told_entry_by_entry() {
    let samba = samba();
    let data = samba.share_path("data");
    fs::create_dir(data.join("secret")).unwrap();
    for file in ["open.txt", "denied.txt", "secret/inner.txt"] {
        fs::write(data.join(file), "x").unwrap();
    }
    ["denied.txt", "secret/inner.txt", "secret"].iter().for_each(|entry| samba.deny(entry));
    let entries = ["open.txt", "denied.txt", "secret", "secret/inner.txt", "", "gone.txt"].map(path);
    let seen = |user: &str| inspect(&samba, "data", user, SmbOptions::default()).access(&entries).unwrap();
    use Access::{ByPrivilege, ByRights, Denied, Unknown};
    assert_eq!(seen("backupop"), [ByRights, ByPrivilege, ByPrivilege, ByPrivilege, ByRights, Unknown]);
    assert_eq!(seen("plain"), [ByRights, Denied, Denied, Denied, ByRights, Unknown]);
    assert_eq!(seen("admin")[..2], [ByRights; 2]);
    let many = vec![path("denied.txt"); 500];
    let answers = inspect(&samba, "data", "backupop", SmbOptions::default()).access(&many).unwrap();
    assert_eq!(answers, [ByPrivilege; 500], "many questions in flight, each with its answer");
}

#[test]
fn previous_versions_are_counted_and_the_newest_is_named() {
    let samba = Samba::start(SambaOptions::new().share(
        "shadow",
        "shadow",
        &[
            "vfs objects = shadow_copy2",
            "shadow:snapdir = .snapshots",
            "shadow:snapdirseverywhere = yes",
            "shadow:format = @GMT-%Y.%m.%d-%H.%M.%S",
            "shadow:sort = desc",
            "shadow:localtime = no",
        ],
    ));
    let none = inspect(&samba, "data", "plain", SmbOptions::default()).previous_versions().unwrap();
    assert_eq!(none, None);
    let snapshots = samba.share_path("shadow").join(".snapshots");
    for label in ["@GMT-2023.11.14-22.13.20", "@GMT-2024.02.29-06.00.00"] {
        fs::create_dir_all(snapshots.join(label)).unwrap();
    }
    let some = inspect(&samba, "shadow", "plain", SmbOptions::default()).previous_versions().unwrap();
    let newest = some.as_ref().and_then(|versions| versions.newest).unwrap();
    assert_eq!(newest.to_utc_text(), "2024-02-29 06:00:00");
    assert_eq!(some, Some(PreviousVersions { count: 2, newest: Some(newest) }));
}

#[test]
fn access_based_enumeration_is_recognised() {
    for lines in [&["access based share enum = yes", "hide unreadable = yes"][..], &["hide unreadable = yes"]] {
        let samba = Samba::start(SambaOptions::new().share("abe", "data", lines));
        let security = inspect(&samba, "abe", "plain", SmbOptions::default()).security().unwrap();
        assert!(security.hides_unreadable, "{lines:?}");
    }
}

#[test]
fn shares_are_listed_administrative_ones_included() {
    let samba = Samba::start(SambaOptions::new().share("d$", "data", &["comment = Na\u{ef}ve drive"]));
    let listed = shares(&samba.addr(), 445, &credentials("plain"), &SmbOptions::default()).unwrap();
    let find = |name: &str| listed.iter().find(|share| share.name == name).unwrap_or_else(|| panic!("{listed:?}"));
    assert_eq!((find("data").kind, find("data").is_administrative), (ShareKind::Files, false));
    assert_eq!((find("d$").kind, find("d$").is_administrative), (ShareKind::Files, true));
    assert_eq!(find("d$").comment, "Na\u{ef}ve drive");
    assert_eq!(find("IPC$").kind, ShareKind::Pipes);
}

#[test]
fn a_list_of_shares_that_comes_in_many_pieces_is_whole() {
    let long = "comment = ".to_owned() + &"x".repeat(100);
    let many =
        (0..300).fold(SambaOptions::new(), |options, n| options.share(&format!("share{n:03}"), "data", &[&long]));
    let samba = Samba::start(many.global("server smb encrypt = required"));
    let listed = shares(&samba.addr(), Samba::OTHER_PORT, &credentials("backupop"), &SmbOptions::default()).unwrap();
    assert_eq!(listed.iter().filter(|share| share.name.starts_with("share")).count(), 300);
    assert!(listed.iter().filter(|share| share.name.starts_with("share")).all(|share| share.comment.len() == 100));
}

#[test]
fn asking_for_shares_is_refused_in_the_same_words_as_everything_else() {
    let samba = samba();
    let wrong = Credentials { password: octo_smb::Password::new("no".into()), ..credentials("plain") };
    let error = shares(&samba.addr(), 445, &wrong, &SmbOptions::default()).unwrap_err();
    assert_eq!(error.code, Code::LogonFailed);
    assert!(
        matches!(Inspector::connect(address(&samba, "nosuch"), &credentials("plain"), &SmbOptions::default()), Err(e) if e.code == Code::ShareNotFound)
    );
}

/// Asks everything over a connection with a fault.
fn ask_all(proxy: &Proxy, fault: Fault) -> Result<(Vec<octo_smb::Share>, Vec<Access>, bool), Error> {
    proxy.set(fault);
    let limit = Duration::from_secs(2);
    let options = SmbOptions {
        timeouts: Timeouts { connect: limit, response: limit, reconnect: Duration::ZERO, ..Timeouts::default() },
        ..SmbOptions::default()
    };
    let address = SmbAddress::parse(&format!("//{}/data", proxy.addr)).unwrap().0;
    let listed = shares(&address.host, address.port, &credentials("backupop"), &options)?;
    let inspector = Inspector::connect(address, &credentials("backupop"), &options)?;
    let access = inspector.access(&["denied.txt", "open.txt"].map(path))?;
    Ok((listed, access, inspector.previous_versions()?.is_some()))
}

#[test]
fn a_connection_cut_or_bent_at_any_place_gives_the_truth_or_an_error() {
    let options = (0..100).fold(SambaOptions::new(), |options, n| options.share(&format!("s{n:03}"), "data", &[]));
    let samba = Samba::start(options);
    for name in ["open.txt", "denied.txt"] {
        fs::write(samba.share_path("data").join(name), "x").unwrap();
    }
    samba.deny("denied.txt");
    let proxy = Proxy::start(format!("{}:{}", samba.addr(), Samba::OTHER_PORT));
    let truth = ask_all(&proxy, Fault::Nothing).unwrap();
    assert_eq!((truth.0.len() >= 102, &truth.1[..]), (true, &[Access::ByPrivilege, Access::ByRights][..]));
    let all = proxy.seen().len();
    // Places are counted on each of the two connections: those beyond the end of one of them change nothing there.
    for at in (0..24).map(|i| all * i / 24 + i) {
        for fault in [Fault::CutAt(at), Fault::FlipAt(at)] {
            match ask_all(&proxy, fault) {
                Ok(told) => assert_eq!(told, truth, "{fault:?}"),
                Err(error) => assert!(error.code.stops_run(), "{fault:?}: {error}"),
            }
        }
    }
}

#[test]
fn a_clock_that_is_off_is_told_and_on_the_newest_protocol_nobody_in_between_can_shift_it() {
    // After the transport's header and the message's: the fifth byte of the time, whose lowest bit is 429 seconds.
    const AT: usize = 4 + 64 + 40 + 4;
    for (max, is_protected) in [("SMB3_02", false), ("SMB3_11", true)] {
        let samba = Samba::start(SambaOptions::new().global(&format!("server max protocol = {max}")));
        let proxy = Proxy::start(format!("{}:{}", samba.addr(), Samba::OTHER_PORT));
        proxy.set(Fault::FlipAt(AT));
        let address = SmbAddress::parse(&format!("//{}/data", proxy.addr)).unwrap().0;
        match Inspector::connect(address, &credentials("plain"), &SmbOptions::default()) {
            Err(error) => assert!(is_protected && error.code == Code::NegotiationAltered, "{max}: {error}"),
            Ok(inspector) => {
                let told = inspector.security().unwrap().server_time.unwrap();
                assert!(!is_protected && told.0.abs_diff(now().0) > 400 * 10_000_000, "{max}: {told}");
            }
        }
    }
}
