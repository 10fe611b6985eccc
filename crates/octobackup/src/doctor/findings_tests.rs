//! What each fact means, without a server.

use crate::doctor::facts::*;
use crate::doctor::findings::{Finding, Verdict, findings};
use octo_core::{Abilities, Code, Error, RelPath, Space, Timestamp};
use octo_smb::{Dialect, Encryption, PreviousVersions, Security};

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

fn some(paths: &[&str]) -> Examples<RelPath> {
    let mut examples = Examples::default();
    paths.iter().for_each(|text| examples.add(path(text)));
    examples
}

const NOW: Timestamp = Timestamp(17_000_000_000_000_000);

/// Everything as it should be.
fn healthy() -> Facts {
    let security = Security {
        dialect: Dialect::Smb3_1_1,
        signing: Some("AES-128-GMAC"),
        signing_demanded: true,
        encryption: Encryption::Active("AES-128-GCM"),
        server_time: Some(NOW.plus_secs(2)),
        hides_unreadable: false,
        filesystem: "NTFS".into(),
    };
    let privilege = Privilege { by_rights: 10, by_privilege: some(&["secret"]), denied: Examples::default() };
    let previous_versions = Ok(Some(PreviousVersions { count: 3, newest: Some(NOW) }));
    Facts {
        source: "//fs/data".into(),
        target: Some("/srv/mirror".into()),
        now: NOW,
        share: Some(ShareFacts { security, previous_versions, privilege: Ok(privilege) }),
        seen: Ok(Seen { entries: 12, folders: 2, bytes: 5_000, stable_ids: true, ..Seen::default() }),
        place: Some(Ok(Place {
            exists: true,
            is_mirror: false,
            is_empty: true,
            was_mirror: false,
            abilities: Abilities::full("ext4"),
            space: Space { free_bytes: 50 << 30, total_bytes: 100 << 30, files: None },
        })),
    }
}

fn share(facts: &mut Facts) -> &mut ShareFacts {
    facts.share.as_mut().unwrap()
}

fn place(facts: &mut Facts) -> &mut Place {
    facts.place.as_mut().unwrap().as_mut().unwrap()
}

fn seen(facts: &mut Facts) -> &mut Seen {
    facts.seen.as_mut().unwrap()
}

#[track_caller]
fn expect(change: impl Fn(&mut Facts), topic: &str, verdict: Verdict, words: &str) -> Finding {
    let mut facts = healthy();
    change(&mut facts);
    let all = findings(&facts);
    let found = all.into_iter().find(|finding| finding.topic == topic).unwrap_or_else(|| panic!("nothing on {topic}"));
    assert_eq!(found.verdict, verdict, "{found:?}");
    assert!(found.says.contains(words), "{found:?}");
    assert!(verdict <= Verdict::Note || !found.advice.is_empty(), "no word on what to do: {found:?}");
    found
}

#[test]
fn a_healthy_pair_gives_nothing_to_look_at() {
    let all = findings(&healthy());
    assert!(all.iter().all(|finding| finding.verdict == Verdict::Ok), "{all:#?}");
    assert_eq!(all.len(), 11);
}

#[test]
fn the_three_answers_about_the_privilege_are_told_apart() {
    let privilege = |by_privilege: &[&str], denied: &[&str]| Privilege {
        by_rights: 5,
        by_privilege: some(by_privilege),
        denied: some(denied),
    };
    let with = |found: Privilege| move |facts: &mut Facts| share(facts).privilege = Ok(found.clone());
    expect(with(privilege(&["a"], &[])), "backup-privilege", Verdict::Ok, "works");
    expect(
        with(privilege(&[], &["a", "b", "c", "d"])),
        "backup-privilege",
        Verdict::Look,
        "missing: denied, also with backup intent: a, b, c and 1 more",
    );
    expect(
        with(privilege(&[], &[])),
        "backup-privilege",
        Verdict::Note,
        "cannot tell: nothing was denied to the account (5 entries",
    );
    expect(with(privilege(&["a"], &["b"])), "backup-privilege", Verdict::Look, "works, but denied all the same: b");
    let lost = |facts: &mut Facts| share(facts).privilege = Err(Error::new(Code::TimedOut, ""));
    expect(lost, "backup-privilege", Verdict::Look, "could not be found out");
}

#[test]
fn protection_is_judged_by_what_is_there_and_not_by_what_could_be() {
    let with = |encryption| move |facts: &mut Facts| share(facts).security.encryption = encryption;
    expect(with(Encryption::Possible), "encryption", Verdict::Note, "though the server could");
    expect(with(Encryption::Impossible), "encryption", Verdict::Note, "the server cannot");
    expect(|facts| share(facts).security.signing = None, "signing", Verdict::Look, "nothing is signed");
    expect(|facts| share(facts).security.dialect = Dialect::Smb3_0, "protocol", Verdict::Note, "SMB 3.0,");
}

#[test]
fn a_clock_that_is_off_by_a_minute_is_named_with_its_direction() {
    let with = |secs| move |facts: &mut Facts| share(facts).security.server_time = Some(NOW.plus_secs(secs));
    expect(with(59), "clock", Verdict::Ok, "agree");
    expect(with(185), "clock", Verdict::Look, "3 min 5 s ahead of ours");
    expect(with(-7_500), "clock", Verdict::Look, "2 h 5 min behind ours");
    expect(|facts| share(facts).security.server_time = Some(Timestamp(i64::MIN)), "clock", Verdict::Look, "behind");
    expect(|facts| share(facts).security.server_time = None, "clock", Verdict::Note, "does not tell");
}

#[test]
fn what_a_share_lacks_is_named() {
    expect(
        |facts| share(facts).security.hides_unreadable = true,
        "listings",
        Verdict::Look,
        "access-based enumeration",
    );
    expect(|facts| share(facts).previous_versions = Ok(None), "previous-versions", Verdict::Note, "none");
    let denied = (path("x"), Error::new(Code::AccessDenied, "STATUS_ACCESS_DENIED"));
    expect(|facts| seen(facts).unlisted.add(denied.clone()), "unlisted", Verdict::Look, "could not be listed: x");
    let bad = (path("y"), Error::new(Code::BadName, "a slash"));
    expect(|facts| seen(facts).bad_names.add(bad.clone()), "bad-names", Verdict::Look, "in y");
    expect(
        |facts| seen(facts).limit = Some(Limit::Entries),
        "source",
        Verdict::Ok,
        "not all (as many as --entries allows)",
    );
}

#[test]
fn a_target_that_would_stop_a_run_fails() {
    expect(|facts| place(facts).is_empty = false, "target", Verdict::Failed, "not empty");
    expect(|facts| place(facts).was_mirror = true, "target", Verdict::Failed, "not mounted");
    expect(|facts| place(facts).space.free_bytes = 1 << 29, "space", Verdict::Failed, "512.0 MiB free");
    expect(|facts| facts.place = Some(Err(Error::new(Code::Nested, "inside"))), "target", Verdict::Failed, "inside");
    expect(|facts| facts.seen = Err(Error::new(Code::Unreachable, "fs")), "source", Verdict::Failed, "reached");
    expect(|facts| seen(facts).bytes = 60 << 30, "space", Verdict::Look, "the source has 60.0 GiB");
    expect(
        |facts| {
            seen(facts).bytes = 60 << 30;
            place(facts).is_mirror = true
        },
        "space",
        Verdict::Ok,
        "50.0 GiB",
    );
}

#[test]
fn names_that_will_be_escaped_are_shown_with_their_stored_form() {
    let long = (path("a/b:c"), "b%3Ac.~octo".to_owned());
    expect(
        |facts| seen(facts).escaped.add(long.clone()),
        "names",
        Verdict::Note,
        "1 name cannot be stored as it is: a/b:c as b%3Ac.~octo",
    );
}

#[test]
fn times_that_will_be_recorded_are_shown() {
    let beyond = (path("a/b"), Timestamp::from_unix(16_725_225_600, 0));
    expect(
        |facts| seen(facts).times_beyond.add(beyond.clone()),
        "times",
        Verdict::Note,
        "1 last write time that this filesystem cannot hold: a/b of 2500-01-01 00:00:00 UTC",
    );
}

#[test]
fn a_hostile_name_cannot_steer_a_terminal() {
    let found = expect(
        |facts| share(facts).privilege = Ok(Privilege { denied: some(&["\u{1b}[2J"]), ..Privilege::default() }),
        "backup-privilege",
        Verdict::Look,
        "denied",
    );
    assert!(!found.says.chars().any(char::is_control));
}
