//! What can go wrong, as codes that stay the same for ever, with words an administrator can act on.
//!
//! An [`Error`] concerns one entry unless its code says that it stops the run ([`Code::stops_run`]). The code decides
//! whether a retry may help and what advice is printed; the detail says what happened here and now.

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
    ($($(#[$doc:meta])* $name:ident, $text:literal, $retry:ident, $stops:literal, $title:literal, $advice:literal;)*) => {
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

            /// What a person can do about it.
            pub fn advice(self) -> &'static str { match self { $(Code::$name => $advice,)* } }
        }
    };
}

codes! {
    /// The account may not read it.
    AccessDenied, "access-denied", Never, false, "access denied",
        "Give the account that reads the source read access.";
    /// In use by another program (sharing violation).
    Locked, "locked", AtEndOfRun, false, "in use by another program",
        "Close the program that holds the file. An existing copy was kept; the next run tries again.";
    /// It was in use, and a previous version was copied instead.
    FromSnapshot, "from-snapshot", Never, false, "in use, and read from a previous version instead",
        "Nothing to do: the copy is whole, and as old as said here. The next run tries the file itself again.";
    /// It was listed and is gone.
    NotFound, "not-found", NextRun, false, "gone since it was listed",
        "Nothing to do: it was deleted or renamed while the run was under way. The next run settles it.";
    /// Its data is offline or would be recalled from the cloud or tape.
    NotLocal, "not-local", Never, false, "data is not on the server (offline or in the cloud)",
        "Files that are offline are not recalled. An existing copy was kept.";
    /// Time or size moved while it was read.
    ChangedWhileRead, "changed-while-read", AtEndOfRun, false, "changed while it was read",
        "The file is written to all the time. An existing copy was kept; the next run tries again.";
    /// It is not what the listing said: a file became a folder or a link.
    KindMoved, "kind-moved", AtEndOfRun, false, "turned into something else while the run was under way",
        "Nothing to do: the next run settles it.";
    /// The source sent a name that cannot be one.
    BadName, "bad-name", Never, false, "impossible name sent by the source",
        "The source sent a name that no file can have. Nothing in this folder was deleted. Check the server for a damaged filesystem.";
    /// The source listed the same name twice.
    DuplicateName, "duplicate-name", Never, false, "same name listed twice by the source",
        "The first one was used. Nothing in this folder was deleted. Check the server for a damaged filesystem.";
    /// A name that belongs to octoBackup.
    ReservedName, "reserved-name", Never, false, "name reserved for octoBackup",
        "The source has an entry named .octobackup at its root. It is left out, because the mirror keeps its own data there.";
    /// The name is stored in an escaped form.
    NameEscaped, "name-escaped", Never, false, "stored under an escaped name",
        "The target's filesystem cannot hold the original name. The copy is complete; its name ends in .~octo and can be turned back.";
    /// The last write time is beyond what the target's filesystem knows.
    TimeRecorded, "time-recorded", Never, false, "last write time recorded beside the file",
        "The target's filesystem cannot hold this time: the copy bears the nearest one, and the true one is kept in .octobackup/meta/meta.db and compared. The copy is complete. Check the file's time on the source: most likely it is wrong.";
    /// Devices, sockets and pipes are not mirrored.
    NotMirrored, "not-mirrored", Never, false, "devices, sockets and pipes are not mirrored",
        "Nothing to do. Exclude it to make this message disappear.";
    /// A listing ended early.
    ListingCut, "listing-cut", NextRun, false, "folder could not be listed to its end",
        "Nothing in this folder was deleted. The next run lists it again.";
    /// Asking for it ends the connection, or is never answered, though the server works otherwise.
    ServerFails, "server-fails", AtEndOfRun, false, "the server fails when it is asked for this",
        "Look at the entry on its own machine, and at the disk there. An existing copy was kept, and nothing in this folder was deleted.";
    /// Another filesystem is mounted inside the source or the target.
    OtherDevice, "other-device", Never, false, "another filesystem is mounted there",
        "Nothing below it was touched, in the source or in the mirror. Give it a job of its own, exclude it, or unmount it.";
    /// A folder in which this program keeps keys.
    OwnFolder, "own-folder", Never, false, "a folder that octoBackup keeps for itself",
        "Keys lie in it: nothing of it is read, and nothing of it was deleted in the mirror. Exclude it to make this message disappear.";
    /// Another mirror lives below the target.
    NestedMirror, "nested-mirror", Never, false, "another mirror lies inside this mirror",
        "Nothing below it was touched. Move that mirror out of this one.";
    /// Something in the mirror's place could not be read, written or removed.
    TargetEntry, "target-entry", NextRun, false, "could not be written in the mirror",
        "Look at the entry in the mirror: its permissions, or something that was put there by hand.";
    /// The entry in the mirror is not the one that was listed any more.
    TargetMoved, "target-moved", NextRun, false, "changed in the mirror while the run was under way",
        "Something else writes into the mirror. It was left alone; the next run settles it.";
    /// So many files changed at once that replacing them waits for a person.
    ReplacementsHeld, "replacements-held", Never, false, "suspiciously many changed files",
        "Look at some of the changed files on the source: is something encrypting them? If they are right, run again with --release-brake.";
    /// The target has room, but not for this file.
    DoesNotFit, "does-not-fit", AtEndOfRun, false, "does not fit on the target",
        "Everything else was copied, and an older copy of it was kept. Free space on the target, use a larger disk, or exclude the file. A file larger than the target's filesystem can hold needs another filesystem.";
    /// A DFS link: the folder lies on another server.
    DfsLink, "dfs-link", Never, false, "a link to a folder of another server (DFS)",
        "It is not followed, and what the mirror has there stays. Make a job of its own for the share that it leads to, or exclude it.";
    /// A person knows of it, and has said so.
    Acknowledged, "acknowledged", Never, false, "left out, and acknowledged",
        "Nothing to do. It is a problem again if the acknowledgement is withdrawn, or if something else is wrong with it.";
    /// A path that is longer than the source can open.
    PathTooLong, "path-too-long", Never, false, "its path is too long to be opened",
        "Shorten the names of the folders above it, or make a job for a folder further down. An existing copy was kept, and nothing in this folder was deleted.";
    /// Reading the source failed.
    SourceEntry, "source-entry", NextRun, false, "could not be read from the source",
        "Check the source's disk.";

    /// The target has no space or no quota left, or less than the reserve.
    NoSpace, "no-space", Never, true, "the target is full",
        "The remarks of the report say what holds the space. Older versions: a shorter time to keep them makes the next run remove what is older, on a full disk too. Other data on that disk: move it away. Or use a larger disk. Nothing was deleted.";
    /// The target cannot be used at all.
    TargetFailed, "target-failed", NextRun, true, "the target failed",
        "Check that the target's disk is mounted, writable and healthy.";
    /// This program, or the whole machine, has too many files open.
    TooManyOpenFiles, "too-many-open-files", NextRun, true, "too many files are open on this machine",
        "Raise the limit of open files (LimitNOFILE in the service's unit, ulimit -n in a shell), or see what else holds so many. Neither the source nor the target is at fault. Nothing was deleted.";
    /// The mirror belongs to another account.
    OtherOwner, "other-owner", Never, true, "the mirror belongs to another account",
        "Run it as the account that the mirror belongs to, or give the whole mirror to the account that runs. Nothing was changed.";
    /// Another run works on this target.
    TargetBusy, "target-busy", NextRun, true, "another run works on this target",
        "Wait until it has ended. Each target has one run at a time.";
    /// A known target has lost its marker.
    NotMounted, "not-mounted", NextRun, true, "the target's disk is not mounted",
        "This path has held a mirror before, and its marker is gone: most likely the disk is not mounted. Mount it; if the mirror is truly to begin anew, use --new-target.";
    /// The target is not empty and was not made by us.
    NotAdopted, "not-adopted", Never, true, "the target is not empty and is not a mirror of ours",
        "Choose an empty folder, or use --adopt to take these files over (the first run then holds every deletion).";
    /// The source is not the one this mirror was made from.
    SourceChanged, "source-changed", Never, true, "this is another source than last time",
        "If that is intended, use --accept-source (the next run then holds every deletion).";
    /// The marker was written by a newer version.
    NewerFormat, "newer-format", Never, true, "the mirror was written by a newer octoBackup",
        "Use that version, or a newer one.";
    /// The target's own records are damaged.
    RecordsDamaged, "records-damaged", Never, true, "the mirror's own records are damaged",
        "Look at the named file in .octobackup. The mirrored files themselves are plain files and can be read as they are.";
    /// Source and target contain each other, or the target lies inside a mirror.
    Nested, "nested", Never, true, "source and target contain each other",
        "Choose a target that lies outside the source and outside every other mirror.";
    /// Source or target is, contains or lies in what octoBackup keeps for itself.
    OwnData, "own-data", Never, true, "a folder that octoBackup keeps for itself",
        "Choose a folder that neither contains nor lies in octoBackup's own data, configuration, logs and keys. To copy these, use octobackup backup.";
    /// The user name or password was refused.
    LogonFailed, "logon-failed", Never, true, "the server refused the user name or password",
        "Check who logs on, and whether that is still allowed.";
    /// There is no such share.
    ShareNotFound, "share-not-found", Never, true, "the server has no such share",
        "Check the name of the share. Administrative shares (c$) need an administrator's or a backup operator's account.";
    /// Two agents prove the same identity.
    AgentCloned, "agent-cloned", NextRun, true, "two agents are connected with one identity",
        "One of the machines is a copy of the other, made with the agent's key, or the agent runs there twice. Which of them is meant, nobody can say, so nothing was read. See which they are: octobackup host show HOST. Pair one of them anew, under a name of its own (octobackup host add NAME, then octobackup-agent enroll there), or stop the one that is not needed.";
    /// The account may not use the share at all.
    ShareDenied, "share-denied", Never, true, "the account may not use this share",
        "Check the permissions of the share itself, and the remote restrictions of local accounts (LocalAccountTokenFilterPolicy).";
    /// The folder to mirror does not exist.
    SourceMissing, "source-missing", Never, true, "the source folder does not exist or cannot be listed",
        "Check the path. Nothing was changed in the mirror.";
    /// No answer from that address.
    Unreachable, "unreachable", NextRun, true, "the server cannot be reached",
        "Check the name, the network and the firewall.";
    /// The connection was lost.
    ConnectionLost, "connection-lost", NextRun, true, "the connection was lost",
        "The next run continues where this one stopped.";
    /// No answer in time.
    TimedOut, "timed-out", NextRun, true, "the server did not answer in time",
        "Check the server's load and the network. The next run continues where this one stopped.";
    /// The server broke the protocol, or somebody in between did.
    Protocol, "protocol", NextRun, true, "the server sent something that makes no sense",
        "Nothing was deleted. If it happens again, something between here and the server alters the traffic.";
    /// The server's security is below what is demanded.
    Insecure, "insecure", Never, true, "the server offers less security than is demanded",
        "Raise the server's settings, or lower the demand knowingly.";
    /// Somebody in between altered the negotiation of a connection.
    NegotiationAltered, "negotiation-altered", Never, true, "ALARM: somebody between here and the server alters the connection",
        "Do not lower the demands on security. Find out who or what is between here and the server (a proxy, a WAN accelerator, another machine with its address), and change the account's password if you find nobody who may be there. Nothing was copied.";
    /// What answers is no server of SMB 2 or 3.
    NoSmb, "no-smb", Never, true, "what answers there does not speak SMB 2 or 3",
        "Check the address and the port. If the server offers only SMB 1, switch SMB 2 or 3 on there: SMB 1 is not spoken here.";
    /// `--backup-intent require`, and something could not be read.
    PrivilegeMissing, "privilege-missing", Never, true, "the account's backup privilege does not work",
        "Give the account that reads the source the privilege to back up files, and log it on anew.";
    /// An option or address makes no sense.
    Usage, "usage", Never, true, "the command makes no sense",
        "See octobackup help.";
    /// Stopped by a person.
    Cancelled, "cancelled", NextRun, true, "cancelled",
        "The next run continues where this one stopped.";
}

impl Code {
    /// Worth a line in the report, but nothing went wrong: the outcome does not change.
    pub fn is_note(self) -> bool {
        matches!(
            self,
            Code::NameEscaped | Code::TimeRecorded | Code::NotLocal | Code::FromSnapshot | Code::Acknowledged
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
            assert!(!code.title().is_empty() && code.advice().ends_with('.'), "{code}");
        }
    }
}
