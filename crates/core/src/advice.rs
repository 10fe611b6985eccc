//! What a person can do about a cause, by what the source is and by where it is read.
//!
//! [`Code::advice`] is the neutral text of a cause, true for every source. Here is what is better said for one kind of source or
//! in one place. It must never speak of what that source does not have: of TCP port 445 to an agent, of shadow copies to a
//! folder on Linux, of an option to somebody who reads the report of a job.

use crate::error::Code;

/// What the files are read from, as far as advice differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A share.
    Smb,
    /// A machine with an agent.
    Agent,
    /// A folder of this machine, and Windows gives it (a share that Windows opens by itself included).
    LocalWindows,
    /// A folder of this machine.
    Local,
}

/// Where the advice is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// By somebody who ran `octobackup sync`.
    Sync,
    /// In the report of a server's job.
    Job,
}

impl SourceKind {
    /// All of them, for tests.
    pub const ALL: &[SourceKind] = &[SourceKind::Smb, SourceKind::Agent, SourceKind::LocalWindows, SourceKind::Local];

    /// The kind of a source that a report names. Reports of every format name it.
    pub fn of_label(label: &str) -> SourceKind {
        let starts = |start: &str| label.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start));
        let has_drive = label.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && label.get(1..2) == Some(":");
        if starts("agent://") {
            SourceKind::Agent
        } else if starts("smb:") || starts("//") {
            SourceKind::Smb
        } else if has_drive || starts(r"\\") {
            SourceKind::LocalWindows
        } else {
            SourceKind::Local
        }
    }
}

/// What to do about `code`, met at a source of this kind and read at this place.
pub fn advice(code: Code, kind: SourceKind, place: Place) -> &'static str {
    of_place(code, place).or_else(|| of_kind(code, kind)).unwrap_or_else(|| code.advice())
}

/// What is done by another command in another place, whatever the source is.
fn of_place(code: Code, place: Place) -> Option<&'static str> {
    Some(match (code, place) {
        (Code::NotMounted, Place::Job) => {
            "This path has held a mirror before, and its marker is gone: most likely the disk is not mounted. Mount it; if the \
             mirror is truly to begin anew: octobackup run JOB --new-target."
        }
        (Code::NotAdopted, Place::Job) => {
            "Give the job an empty folder, or take these files over: octobackup run JOB --adopt (this run then holds every \
             deletion)."
        }
        (Code::SourceChanged, Place::Job) => {
            "If that is intended: octobackup run JOB --accept-source (this run then holds every deletion)."
        }
        (Code::ReplacementsHeld, Place::Job) => {
            "Look at some of the changed files on the source: is something encrypting them? If they are right: octobackup run \
             JOB --release-brake."
        }
        (Code::NoSpace, Place::Sync) => {
            "The remarks of the report say what holds the space. Older versions: octobackup sync with a shorter --keep-versions, \
             such as 7d, first removes what is older, on a full disk too. Other data on that disk: move it away. Or use a larger \
             disk. Nothing was deleted."
        }
        (Code::NoSpace, Place::Job) => {
            "The remarks of the report say what holds the space. Older versions: octobackup job edit JOB --set \
             keep_versions=7d, then octobackup run JOB, first removes what is older, on a full disk too. Other data on that \
             disk: move it away. Or use a larger disk. Nothing was deleted."
        }
        (Code::Usage, Place::Job) => "Look at the job's settings: octobackup job show JOB.",
        _ => return None,
    })
}

fn of_kind(code: Code, kind: SourceKind) -> Option<&'static str> {
    use SourceKind::{Agent, Local, LocalWindows, Smb};
    Some(match (code, kind) {
        (Code::AccessDenied, Smb) => {
            "Give the backup account read access, or make it a member of Backup Operators so that backup intent opens \
             everything."
        }
        (Code::AccessDenied, Agent) => {
            "Let the agent's service read it: look at the account that it runs as on that machine, and at the permissions there."
        }
        (Code::AccessDenied, Local) => "Give the user that octoBackup runs as read access on this machine.",
        (Code::AccessDenied, LocalWindows) => {
            "Give the account that octoBackup runs as read access, or make it a member of Backup Operators."
        }
        (Code::Locked, Smb) => {
            "Close the program that holds the file, or let the server make shadow copies: the newest one is then read instead."
        }
        (Code::ChangedWhileRead, Smb) => {
            "The file is written to all the time. Let the server make shadow copies: the newest one is then read instead."
        }
        (Code::SourceEntry, Smb) => "Check the server's disk and event log.",
        (Code::SourceEntry, Agent) => "Check the disk and the system log of the agent's machine.",
        (Code::SourceEntry, Local | LocalWindows) => "Check the source's disk and the system log of this machine.",
        (Code::ServerFails, Smb) => {
            "The server ended the connection or did not answer each time, and serves everything else. Look at the entry on the \
             server itself, and at the server's disk, event log and virus scanner. An existing copy was kept, and nothing in \
             this folder was deleted."
        }
        (Code::Unreachable, Smb) => "Check the name, the network and the firewall (TCP port 445).",
        (Code::Unreachable, Agent) => {
            "See whether the machine is on and its agent runs (systemctl status octobackup-agent there), and whether it reaches \
             this server's port for agents. When it was last seen: octobackup host list."
        }
        (Code::OwnData, Agent) => {
            "Choose another folder: the agent keeps its key and certificate in this one. They need no copy, because an agent that \
             lost them is paired anew."
        }
        (Code::LogonFailed, Smb) => "Check user, domain and password; check that the account is not locked or expired.",
        (Code::LogonFailed, Agent) => {
            "Pair the machine anew: octobackup host add HOST makes a token, octobackup-agent enroll uses it there."
        }
        (Code::ConnectionLost, Smb) => {
            "The next run continues where this one stopped. If it is lost each time before anything is copied, check that SMB 2 \
             or 3 is switched on there."
        }
        (Code::Insecure, Agent) => {
            "Pair the machine anew: octobackup host add HOST makes a token, octobackup-agent enroll uses it there."
        }
        (Code::TimedOut, Local | LocalWindows) => {
            "Check the source's disk. The next run continues where this one stopped."
        }
        (Code::TimedOut, Agent) => {
            "Check the load of the agent's machine and the network. The next run continues where this one stopped."
        }
        (Code::PrivilegeMissing, Smb) => {
            "Make the account a member of Backup Operators on the server and log it on anew."
        }
        (Code::NotLocal, Local) => "Its data is elsewhere (offline). An existing copy was kept.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_exists_and_speaks_of_what_is_there() {
        for (code, kind) in Code::ALL.iter().flat_map(|code| SourceKind::ALL.iter().map(move |kind| (*code, *kind))) {
            for place in [Place::Sync, Place::Job] {
                let words = advice(code, kind, place);
                assert!(words.len() > 5 && words.ends_with('.'), "{code} {kind:?} {place:?}: {words}");
                let never: &[&str] = match kind {
                    SourceKind::Smb => &["agent"],
                    SourceKind::Agent => &["445", "share", "password", "shadow", "Backup Operators"],
                    SourceKind::Local => &["445", "shadow", "Backup Operators", "agent", "event log"],
                    SourceKind::LocalWindows => &["445", "agent", "systemctl"],
                };
                // What cannot happen at a source of this kind.
                let of_shares =
                    matches!(code, Code::ShareNotFound | Code::ShareDenied | Code::DfsLink | Code::NegotiationAltered)
                        || code == Code::NoSmb;
                let is_elsewhere =
                    of_shares && kind != SourceKind::Smb || code == Code::AgentCloned && kind != SourceKind::Agent;
                for word in never.iter().filter(|_| !is_elsewhere) {
                    assert!(!words.contains(word), "{code} {kind:?} {place:?} speaks of {word}: {words}");
                }
                let names_option = words.contains("--") && !words.contains("octobackup ");
                assert!(place == Place::Sync || !names_option, "{code} {kind:?}: {words}");
            }
        }
    }

    #[test]
    fn an_altered_negotiation_is_never_answered_with_a_lower_demand() {
        for kind in SourceKind::ALL {
            let words = advice(Code::NegotiationAltered, *kind, Place::Job);
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
}
