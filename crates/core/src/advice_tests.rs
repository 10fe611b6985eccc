//! Each cell of the table of advice.

use super::*;

const PLACES: [Place<'static>; 3] = [Place::Sync, Place::Job("fs1"), Place::AgentMachine];

/// What a source of this kind does not have.
fn absent(kind: SourceKind) -> &'static [&'static str] {
    match kind {
        SourceKind::Smb => &["agent"],
        SourceKind::Agent => &["{smb_port}", "share", "password", "shadow", "Backup Operators"],
        SourceKind::Local => &["{smb_port}", "shadow", "Backup Operators", "agent", "event log", "the server's"],
        SourceKind::LocalWindows => &["{smb_port}", "agent", "systemctl"],
    }
}

/// Whether sources of this kind have this cause.
fn may_meet(kind: SourceKind, code: Code) -> bool {
    use Code::{AgentCloned, DfsLink, Insecure, NegotiationAltered, NoSmb, ShareDenied, ShareNotFound};
    match code {
        ShareNotFound | ShareDenied | DfsLink | NegotiationAltered | NoSmb | Insecure => kind == SourceKind::Smb,
        AgentCloned => kind == SourceKind::Agent,
        _ => true,
    }
}

#[test]
fn every_cell_exists_and_speaks_of_what_is_there() {
    for (code, kind) in Code::ALL.iter().flat_map(|code| SourceKind::ALL.iter().map(move |kind| (*code, *kind))) {
        for place in PLACES {
            let words = cell(code, kind, place);
            assert!(
                words.len() > 5 && words.ends_with('.') && !words.contains("  "),
                "{code} {kind:?} {place:?}: {words}"
            );
            if place == Place::AgentMachine {
                continue;
            }
            for word in absent(kind).iter().filter(|_| may_meet(kind, code)) {
                assert!(!words.contains(word), "{code} {kind:?} {place:?} speaks of {word}: {words}");
            }
            let names_option = words.contains("--") && !words.contains("octobackup ");
            assert!(place == Place::Sync || !names_option, "{code} {kind:?}: {words}");
            assert!(place != Place::Sync || !words.contains("{job}"), "{code} {kind:?}: {words}");
        }
    }
}

#[test]
fn a_placeholder_never_reaches_the_reader() {
    for (code, source) in Code::ALL
        .iter()
        .flat_map(|code| ["//fs1/d", "agent://", "agent://fs1/srv", "/srv", r"D:\x"].map(|it| (*code, it)))
    {
        for place in PLACES {
            let words = advice(code, source, place);
            assert!(!words.contains(['{', '}']) && !words.contains("JOB"), "{code} {source} {place:?}: {words}");
        }
    }
    assert!(advice(Code::SourceChanged, "/srv", Place::Job("fs1")).contains("octobackup run fs1 --accept-source"));
    assert!(advice(Code::LogonFailed, "agent://web1/srv", Place::Job("d")).contains("octobackup host add web1 "));
}

#[test]
fn a_cause_speaks_of_its_own_side() {
    for kind in SourceKind::ALL {
        let words = cell(Code::TargetDenied, *kind, Place::Sync);
        assert!(words.contains("in the mirror") && words.contains("user that octoBackup runs as"), "{words}");
        let words = cell(Code::AccessDenied, *kind, Place::Sync);
        assert!(!words.contains("mirror") && !words.contains("target"), "{words}");
        let words = cell(Code::TooManyOpenFiles, *kind, Place::Sync);
        assert!(words.contains("limit of open files") && !words.contains("disk"), "{words}");
        let words = cell(Code::PathTooLong, *kind, Place::Sync);
        assert!(words.contains("Shorten"), "{words}");
    }
}

#[test]
fn an_altered_negotiation_is_never_answered_with_a_lower_demand() {
    for kind in SourceKind::ALL {
        let words = cell(Code::NegotiationAltered, *kind, Place::Job("d"));
        assert!(words.contains("Do not lower") && Code::NegotiationAltered.stops_run(), "{words}");
    }
}

#[test]
fn the_kind_is_known_from_what_a_report_calls_its_source() {
    for (label, kind) in [
        ("//fs1/data", SourceKind::Smb),
        ("smb://fs1/data", SourceKind::Smb),
        ("AGENT://fs1/srv", SourceKind::Agent),
        (r"\\fs1\data", SourceKind::LocalWindows),
        (r"D:\data", SourceKind::LocalWindows),
        ("/srv/data", SourceKind::Local),
        ("", SourceKind::Local),
    ] {
        assert_eq!(SourceKind::of_label(label), kind, "{label}");
    }
}
