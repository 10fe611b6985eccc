//! What can go wrong, as codes that stay the same for ever, with words an administrator can act on.
//!
//! An [`Error`] concerns one entry unless its code says that it stops the run ([`Code::stops_run`]). The code decides
//! whether a retry may help and, in the table of [`crate::advice`], what advice is printed; the detail says what happened here
//! and now.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No: something has to be changed first.
    Never,
    /// Later in the same run: the file is in use, or was being written.
    AtEndOfRun,
    /// In a later run: the network or the server failed.
    NextRun,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $retry:ident, $stops:literal, $title:literal;)*) => {
        /// A stable code for each cause.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, for tests and for the manual.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The stable text of the code, as reports and scripts see it.
            pub fn as_str(self) -> &'static str { match self { $(Code::$name => $text,)* } }

            /// Whether a retry may help.
            pub fn retry(self) -> Retry { match self { $(Code::$name => Retry::$retry,)* } }

            /// Whether the whole run ends with it; otherwise it concerns one entry.
            pub fn stops_run(self) -> bool { match self { $(Code::$name => $stops,)* } }

            /// The cause in a few plain words, as a heading.
            pub fn title(self) -> &'static str { match self { $(Code::$name => $title,)* } }
        }
    };
}

codes! {
    /// The account may not read it.
    AccessDenied, "access-denied", Never, false, "access denied";
    /// In use by another program (sharing violation).
    Locked, "locked", AtEndOfRun, false, "in use by another program";
    /// It was in use, and a previous version was copied instead.
    FromSnapshot, "from-snapshot", Never, false, "in use, and read from a previous version instead";
    /// It is written all the time, and its beginning was copied.
    LiveCopy, "live-copy", Never, false, "written all the time, and copied as far as it went";
    /// It was listed and is gone.
    NotFound, "not-found", NextRun, false, "gone since it was listed";
    /// Its data is offline or would be recalled from the cloud or tape.
    NotLocal, "not-local", Never, false, "data is not on the server (offline or in the cloud)";
    /// Time or size moved while it was read.
    ChangedWhileRead, "changed-while-read", AtEndOfRun, false, "changed while it was read";
    /// It is not what the listing said: a file became a folder or a link.
    KindMoved, "kind-moved", AtEndOfRun, false, "changed its kind (file, folder, link) during the run";
    /// Its content is not what was copied, though size and time are.
    ContentDamaged, "content-damaged", Never, false, "content damaged: it is not what was copied";
    /// Somebody changed it in the mirror: size or time is not that of the copy.
    ChangedInMirror, "changed-in-mirror", NextRun, false, "changed in the mirror since it was copied";
    /// It got its place shortly before the machine crashed.
    MayBeTorn, "may-be-torn", NextRun, false, "written shortly before the machine crashed";
    /// The source sent a name that cannot be one.
    BadName, "bad-name", Never, false, "impossible name sent by the source";
    /// The source listed the same name twice.
    DuplicateName, "duplicate-name", Never, false, "same name listed twice by the source";
    /// A name that belongs to octoBackup.
    ReservedName, "reserved-name", Never, false, "name reserved for octoBackup";
    /// The name is stored in an escaped form.
    NameEscaped, "name-escaped", Never, false, "stored under an escaped name";
    /// The last write time is beyond what the target's filesystem knows.
    TimeRecorded, "time-recorded", Never, false, "last write time recorded beside the file";
    /// Devices, sockets and pipes are not mirrored.
    NotMirrored, "not-mirrored", Never, false, "devices, sockets and pipes are not mirrored";
    /// A listing ended early.
    ListingCut, "listing-cut", NextRun, false, "folder could not be listed to its end";
    /// Asking for it ends the connection, or is never answered, though the server works otherwise.
    ServerFails, "server-fails", AtEndOfRun, false, "the server fails when it is asked for this";
    /// Another filesystem is mounted inside the source or the target.
    OtherDevice, "other-device", Never, false, "another filesystem is mounted there";
    /// A folder in which this program keeps keys.
    OwnFolder, "own-folder", Never, false, "a folder that octoBackup keeps for itself";
    /// Another mirror lives below the target.
    NestedMirror, "nested-mirror", Never, false, "another mirror lies inside this mirror";
    /// Something in the mirror's place could not be read, written or removed, for another reason than permissions.
    TargetEntry, "target-entry", NextRun, false, "could not be written in the mirror";
    /// The mirror's permissions do not let the user that octoBackup runs as change something there.
    TargetDenied, "target-denied", Never, false, "access denied in the mirror";
    /// The entry in the mirror is not the one that was listed any more.
    TargetMoved, "target-moved", NextRun, false, "changed in the mirror while the run was under way";
    /// So many files changed at once that replacing them waits for a person.
    ReplacementsHeld, "replacements-held", Never, false, "suspiciously many changed files";
    /// The target has room, but not for this file.
    DoesNotFit, "does-not-fit", AtEndOfRun, false, "does not fit on the target";
    /// A DFS link: the folder lies on another server.
    DfsLink, "dfs-link", Never, false, "a link to a folder of another server (DFS)";
    /// A person knows of it, and has said so.
    Acknowledged, "acknowledged", Never, false, "left out, and acknowledged";
    /// A path that is longer than the source can open.
    PathTooLong, "path-too-long", Never, false, "its path is too long to be opened";
    /// Reading the source failed.
    SourceEntry, "source-entry", NextRun, false, "could not be read from the source";

    /// The target has no space or no quota left, or less than the reserve.
    NoSpace, "no-space", Never, true, "the target is full";
    /// The target cannot be used at all.
    TargetFailed, "target-failed", NextRun, true, "the target failed";
    /// This program, or the whole machine, has too many files open.
    TooManyOpenFiles, "too-many-open-files", NextRun, true, "too many files are open on this machine";
    /// The mirror belongs to another account.
    OtherOwner, "other-owner", Never, true, "the mirror belongs to another account";
    /// Another run works on this target.
    TargetBusy, "target-busy", NextRun, true, "another run works on this target";
    /// A known target has lost its marker.
    NotMounted, "not-mounted", NextRun, true, "the target's disk is not mounted";
    /// The target is not empty and was not made by us.
    NotAdopted, "not-adopted", Never, true, "the target is not empty and is not a mirror of ours";
    /// The source is not the one this mirror was made from.
    SourceChanged, "source-changed", Never, true, "this is another source than last time";
    /// The marker was written by a newer version.
    NewerFormat, "newer-format", Never, true, "the mirror was written by a newer octoBackup";
    /// The target's own records are damaged.
    RecordsDamaged, "records-damaged", Never, true, "the mirror's own records are damaged";
    /// Source and target contain each other, or the target lies inside a mirror.
    Nested, "nested", Never, true, "source and target contain each other";
    /// Source or target is, contains or lies in what octoBackup keeps for itself.
    OwnData, "own-data", Never, true, "a folder that octoBackup keeps for itself";
    /// The user name or password was refused.
    LogonFailed, "logon-failed", Never, true, "the server refused the user name or password";
    /// There is no such share.
    ShareNotFound, "share-not-found", Never, true, "the server has no such share";
    /// Two agents prove the same identity.
    AgentCloned, "agent-cloned", NextRun, true, "two agents are connected with one identity";
    /// The account may not use the share at all.
    ShareDenied, "share-denied", Never, true, "the account may not use this share";
    /// The folder to mirror does not exist.
    SourceMissing, "source-missing", Never, true, "the source folder does not exist or cannot be listed";
    /// No answer from that address.
    Unreachable, "unreachable", NextRun, true, "the server cannot be reached";
    /// The connection was lost.
    ConnectionLost, "connection-lost", NextRun, true, "the connection was lost";
    /// No answer in time.
    TimedOut, "timed-out", NextRun, true, "the server did not answer in time";
    /// The server broke the protocol, or somebody in between did.
    Protocol, "protocol", NextRun, true, "the server sent an invalid message";
    /// The server's security is below what is demanded.
    Insecure, "insecure", Never, true, "the server offers less security than is demanded";
    /// Somebody in between altered the negotiation of a connection.
    NegotiationAltered, "negotiation-altered", Never, true, "ALARM: somebody between here and the server alters the connection";
    /// What answers is no server of SMB 2 or 3.
    NoSmb, "no-smb", Never, true, "what answers there does not speak SMB 2 or 3";
    /// `--backup-intent require`, and something could not be read.
    PrivilegeMissing, "privilege-missing", Never, true, "the account's backup privilege does not work";
    /// A defect of this program, or the system gave it no thread to work with.
    InternalError, "internal-error", NextRun, true, "internal error of octoBackup";
    /// An option or address makes no sense.
    Usage, "usage", Never, true, "invalid command or settings";
    /// Stopped by a person.
    Cancelled, "cancelled", NextRun, true, "cancelled";
}

impl Code {
    /// Worth a line in the report, but nothing went wrong: the outcome does not change.
    pub fn is_note(self) -> bool {
        matches!(
            self,
            Code::NameEscaped
                | Code::TimeRecorded
                | Code::NotLocal
                | Code::FromSnapshot
                | Code::LiveCopy
                | Code::Acknowledged
        )
    }

    /// A condition that lasts until somebody changes it, and that a person may acknowledge: it is listed as a note then. What
    /// may be damage or a lie is not among them.
    pub fn may_be_acknowledged(self) -> bool {
        matches!(
            self,
            Code::AccessDenied
                | Code::DfsLink
                | Code::NestedMirror
                | Code::NotMirrored
                | Code::OtherDevice
                | Code::PathTooLong
                | Code::ReservedName
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the detail of an error says that was a panic.
pub const PANICKED: &str = "a panic in the program";

/// Something that went wrong: its code, and what happened here and now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The cause.
    pub code: Code,
    /// What happened, as a sentence fragment; may be empty. Never holds a secret.
    pub detail: String,
}

impl Error {
    /// An error with its detail.
    pub fn new(code: Code, detail: impl Into<String>) -> Error {
        Error { code, detail: detail.into() }
    }

    /// A thread of this program panicked while it did this.
    pub fn panicked(doing: impl fmt::Display) -> Error {
        Error::new(Code::InternalError, format!("{doing}: {PANICKED}"))
    }

    /// The system starts no thread for this.
    pub fn no_thread(doing: impl fmt::Display, error: &std::io::Error) -> Error {
        Error::new(Code::InternalError, format!("{doing}: the system starts no thread: {error}"))
    }

    /// The same error with `context` said first.
    pub fn within(mut self, context: impl fmt::Display) -> Error {
        self.detail = if self.detail.is_empty() { context.to_string() } else { format!("{context}: {}", self.detail) };
        self
    }

    /// The same error with `more` said last.
    pub fn and(mut self, more: impl fmt::Display) -> Error {
        self.detail = if self.detail.is_empty() { more.to_string() } else { format!("{}; {more}", self.detail) };
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() {
            f.write_str(self.code.title())
        } else {
            write!(f, "{} ({})", self.code.title(), self.detail)
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_complete() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|c| c.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(!code.title().is_empty(), "{code}");
        }
    }
}
