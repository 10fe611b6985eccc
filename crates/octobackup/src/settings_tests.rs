//! What is accepted and what is refused on the command line.

use super::*;
use crate::args::{Cli, Command};
use clap::{CommandFactory, FromArgMatches};
use octo_core::guard::MaxDelete;
use octo_job::mirror_spec::{Connection, EncryptWhen, LogonBy, MinDialect};

fn sync(args: &[&str]) -> Result<Settings, Error> {
    let line = ["octobackup", "sync"].iter().chain(args);
    let matches = Cli::command().try_get_matches_from(line).map_err(|e| usage(e.to_string()))?;
    match (Cli::from_arg_matches(&matches).unwrap().command, matches.subcommand()) {
        (Command::Sync(args), Some((_, matches))) => Settings::sync(*args, matches),
        other => panic!("{other:?}"),
    }
}

fn refused(args: &[&str], word: &str) {
    let error = sync(args).expect_err(word);
    assert_eq!(error.code, Code::Usage);
    assert!(error.detail.contains(word), "{args:?}: {} lacks {word}", error.detail);
}

#[test]
fn without_options_everything_has_its_default() {
    let settings = sync(&["/a", "/b"]).unwrap();
    assert_eq!(settings.mirror_spec, MirrorSpec::new(Origin::Local { path: "/a".into() }));
    assert_eq!((settings.once, settings.target), (RunOverrides::default(), PathBuf::from("/b")));
}

#[test]
fn all_forms_of_shares_are_understood() {
    let account = Account::parse("CORP\\me").unwrap();
    let wanted = Origin::Smb { address: "//fs/d$/x".into(), account };
    assert_eq!(sync(&["smb://CORP;me@fs/d$/x", "/b"]).unwrap().mirror_spec.origin, wanted);
    assert_eq!(sync(&["//fs/d$/x", "/b", "--user", "CORP\\me"]).unwrap().mirror_spec.origin, wanted);
    assert_eq!(sync(&[r"\\fs\d$\x", "/b", "-u", "CORP\\me"]).unwrap().mirror_spec.origin, wanted);
    assert_eq!(sync(&["smb://CORP%5Cme@fs/d$/x", "/b"]).unwrap().mirror_spec.origin, wanted);
}

#[test]
fn options_become_settings() {
    let settings = sync(&[
        "/a",
        "/b",
        "-n",
        "--max-delete",
        "10%",
        "--bandwidth",
        "10M",
        "--mode",
        "0640,0750",
        "--keep-versions",
        "7d",
        "--restamp-shift",
        "-1h",
        "--no-default-excludes",
        "--adopt",
    ])
    .unwrap();
    let mirror_spec = settings.mirror_spec;
    assert_eq!(
        (mirror_spec.max_delete, mirror_spec.bandwidth_bytes_per_sec),
        (Some(MaxDelete::Percent(10)), Some(10_000_000))
    );
    assert_eq!(
        (mirror_spec.file_mode, mirror_spec.folder_mode, mirror_spec.keep_versions_secs),
        (0o640, 0o750, Some(7 * 86_400))
    );
    assert!(!mirror_spec.default_excludes);
    let once = RunOverrides { dry_run: true, adopt: true, restamp_shift_secs: Some(-3600), ..RunOverrides::default() };
    assert_eq!(settings.once, once);
    assert_eq!(sync(&["/a", "/b", "--no-versions"]).unwrap().mirror_spec.keep_versions_secs, None);
}

#[test]
fn a_connection_has_its_demands_and_not_everybody_needs_an_account() {
    let mirror_spec = |args: &[&str]| sync(&[&["//fs/d", "/b"], args].concat()).unwrap().mirror_spec;
    let plain = mirror_spec(&["-u", "me"]).connection;
    assert_eq!(plain, Connection::default());
    assert_eq!(
        (plain.min_dialect, plain.encrypt, plain.logon),
        (MinDialect::Smb30, EncryptWhen::Auto, LogonBy::Password)
    );
    let strict = mirror_spec(&["-u", "me", "--min-dialect", "3.1.1", "--encrypt", "require"]).connection;
    assert_eq!((strict.min_dialect, strict.encrypt), (MinDialect::Smb311, EncryptWhen::Require));
    let kerberos = mirror_spec(&["--kerberos", "--kdc", "dc:88"]).connection;
    assert_eq!((kerberos.logon, kerberos.kdc.as_deref()), (LogonBy::Kerberos, Some("dc:88")));
    assert_eq!(mirror_spec(&["--guest"]).connection.logon, LogonBy::Guest);
}

#[test]
fn only_a_share_without_any_word_about_an_account_is_left_to_windows() {
    let for_windows = |args: &[&str], on_windows| {
        let line = ["octobackup", "sync", "unused", "/b"].iter().chain(&args[1..]);
        let matches = Cli::command().try_get_matches_from(line).unwrap();
        let Command::Sync(typed) = Cli::from_arg_matches(&matches).unwrap().command else { panic!("{args:?}") };
        is_for_windows(args[0], &typed.account, on_windows)
    };
    for share in [r"\\fs\d$\x", "//fs/d$/x"] {
        assert!(for_windows(&[share], true));
        assert!(!for_windows(&[share], false), "elsewhere nobody else would open it");
        let accounts: [&[&str]; 5] =
            [&["-u", "me"], &["--password-stdin"], &["--password-file", "f"], &["--kerberos"], &["--guest"]];
        for account in accounts {
            assert!(!for_windows(&[&[share], account].concat(), true), "{account:?}");
        }
    }
    for other in ["smb://fs/d", "smb://me@fs/d", r"D:\data", "data"] {
        assert!(!for_windows(&[other], true), "{other}");
    }
}

#[test]
fn connections_that_make_no_sense_are_refused() {
    refused(&["//fs/d", "/b", "-u", "CORP\\a\\b"], "--user: the account 'CORP\\a\\b': more than one separator");
    refused(&["smb://CORP%5Ca%5Cb@fs/d", "/b"], "SRC: the account 'CORP\\a\\b': more than one separator");
    refused(&["//fs/d", "/b", "--guest", "-u", "me"], "--guest");
    refused(&["smb://me@fs/d", "/b", "--guest"], "--guest");
    refused(&["//fs/d", "/b", "--guest", "--kerberos"], "--kerberos");
    refused(&["//fs/d", "/b", "--guest", "--password-stdin"], "--guest");
    refused(&["//fs/d", "/b", "--guest", "--encrypt", "require"], "--encrypt require");
    refused(&["//fs/d", "/b", "-u", "me", "--kdc", "dc"], "--kdc");
    refused(&["//fs/d", "/b", "-u", "me", "--min-dialect", "1.0"], "--min-dialect");
    for option in [&["--guest"][..], &["--kerberos"], &["--encrypt", "off"], &["--min-dialect", "2.1"]] {
        refused(&[&["/a", "/b"], option].concat(), option[0]);
    }
}

#[test]
fn rules_keep_the_order_in_which_they_were_typed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("patterns");
    std::fs::write(&file, "\u{feff}# comment\r\n\r\n*.iso\r\n!keep.iso\r\n").unwrap();
    let file = file.to_str().unwrap();
    let mirror_spec = sync(&["--include", "a", "/a", "--exclude", "b", "--exclude-from", file, "/b", "--include=c"])
        .unwrap()
        .mirror_spec;
    let rule = |text: &str| Rule::Exclude(text.into());
    let wanted = [Rule::Include("a".into()), rule("b"), rule("*.iso"), rule("!keep.iso"), Rule::Include("c".into())];
    assert_eq!(mirror_spec.rules, wanted);
}

#[test]
fn refusals_name_the_option() {
    refused(&["/a", "/b", "--bandwidth", "10X"], "--bandwidth \"10X\"");
    refused(&["/a", "/b", "--max-delete", "110%"], "--max-delete \"110%\"");
    refused(&["/a", "/b", "--mode", "0444"], "--mode \"0444\"");
    refused(&["/a", "/b", "--keep-versions", "30"], "--keep-versions \"30\"");
    refused(&["/a", "/b", "--restamp-shift", "1h"], "--restamp-shift \"1h\"");
    refused(&["/a", "/b", "--exclude", "[z-a]"], "--exclude");
    refused(&["/a", "/b", "--exclude-from", "/nonexistent/x"], "--exclude-from /nonexistent/x");
    refused(&["/a", "/b", "--keep-versions", "3d", "--no-versions"], "--no-versions");
    refused(&["/a", "/b", "--user", "me"], "--user");
    refused(&["//fs/d", "/b"], "--user");
    refused(&["//fs/d", "/b", "--user", "\\me"], "--user");
    refused(&["smb://you@fs/d", "/b", "--user", "me"], "--user");
    refused(&["ftp://fs/d", "/b"], "\"ftp\"");
    refused(&["/a", "smb://me@fs/d"], "DST");
    refused(&["/a"], "DST");
}

#[test]
fn a_password_in_an_address_is_refused_and_not_repeated() {
    let error = sync(&["smb://me:s3cret@fs/d", "/b"]).unwrap_err();
    assert!(error.detail.contains("--password-file") && !error.detail.contains("s3cret"), "{}", error.detail);
}

#[test]
fn a_typed_pattern_is_never_taken_for_a_comment() {
    let settings = sync(&["/a", "/b", "--exclude", "#recycle", "--exclude", "#x*", "--include", "#xy"]).unwrap();
    let filter = settings.mirror_spec.filter().unwrap();
    let excludes = |name: &str| filter.excludes(&octo_core::RelPath::parse(name.as_bytes()).unwrap(), true);
    assert!(excludes("#recycle") && excludes("#xz") && !excludes("#xy"));
    refused(&["/a", "/b", "--exclude", " "], "--exclude");
    refused(&["/a", "/b", "--include", ""], "--include");
}
