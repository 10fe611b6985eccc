//! What a person can do about a cause: one table from the cause, the kind of source and the place where it is read.
//!
//! The side that is at fault (source, target, this machine, the way between) is part of the cause: a permission on the source
//! is [`Code::AccessDenied`], one in the mirror [`Code::TargetDenied`]. A cell must never speak of what is not there: of TCP
//! port 445 to an agent, of shadow copies to a folder on Linux, of an option to somebody who reads the report of a job. The
//! compiler asserts that each cell exists; each was read by a person.

use crate::address::{AGENT_PORT, SMB_PORT};
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
pub enum Place<'a> {
    /// By somebody who ran `octobackup sync`, or another command that works without a server.
    Sync,
    /// In the report of a server's job of this name.
    Job(&'a str),
    /// At the machine of an agent, by who installs or starts it.
    AgentMachine,
}

impl SourceKind {
    /// All of them, for tests.
    pub const ALL: &[SourceKind] = &[SourceKind::Smb, SourceKind::Agent, SourceKind::LocalWindows, SourceKind::Local];

    /// The kind of a source that a report names. Reports of every format name it.
    pub fn of_label(label: &str) -> SourceKind {
        let starts = |start: &str| label.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start));
        let has_drive = label.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && label.get(1..2) == Some(":");
        if host_of_agent(label).is_some() {
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

fn host_of_agent(label: &str) -> Option<&str> {
    const SCHEME: &str = "agent://";
    let is_agent = label.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
    is_agent.then(|| label[SCHEME.len()..].split('/').next().unwrap_or_default())
}

/// What to do about `code`, met at the source that a report calls `source`, for who reads it at `place`. Commands name the job
/// and the host.
pub fn advice(code: Code, source: &str, place: Place<'_>) -> String {
    let host = host_of_agent(source).filter(|host| !host.is_empty()).unwrap_or("NAME");
    let ports = [("{smb_port}", SMB_PORT), ("{agent_port}", AGENT_PORT)];
    let text = cell(code, SourceKind::of_label(source), place).replace("{host}", host);
    let text = ports.iter().fold(text, |text, (name, port)| text.replace(name, &port.to_string()));
    match place {
        Place::Job(job) => text.replace("{job}", job),
        Place::Sync | Place::AgentMachine => text,
    }
}

fn cell(code: Code, kind: SourceKind, place: Place<'_>) -> &'static str {
    let row = row(code);
    let of_place = match place {
        Place::Sync => None,
        Place::Job(_) => row.job,
        Place::AgentMachine => row.agent_machine,
    };
    of_place.unwrap_or(match kind {
        SourceKind::Smb => row.smb,
        SourceKind::Agent => row.agent,
        SourceKind::LocalWindows => row.windows,
        SourceKind::Local => row.local,
    })
}

/// The cells of one cause: by kind of source, and what is said instead in one place, whatever the source is.
struct Row {
    smb: &'static str,
    agent: &'static str,
    windows: &'static str,
    local: &'static str,
    job: Option<&'static str>,
    agent_machine: Option<&'static str>,
}

const fn every(text: &'static str) -> Row {
    by_kind(text, text, text, text)
}

/// For a share, an agent, a folder that Windows gives, and any other folder of this machine.
const fn by_kind(smb: &'static str, agent: &'static str, windows: &'static str, local: &'static str) -> Row {
    Row { smb, agent, windows, local, job: None, agent_machine: None }
}

impl Row {
    const fn of_share(self, smb: &'static str) -> Row {
        Row { smb, ..self }
    }

    const fn of_agent(self, agent: &'static str) -> Row {
        Row { agent, ..self }
    }

    const fn in_job(self, text: &'static str) -> Row {
        Row { job: Some(text), ..self }
    }

    const fn at_agent(self, text: &'static str) -> Row {
        Row { agent_machine: Some(text), ..self }
    }
}

macro_rules! table {
    ($($code:ident => $row:expr;)*) => {
        fn row(code: Code) -> Row { match code { $(Code::$code => $row,)* } }
    };
}

table! {
    // What one entry of the source met.
    AccessDenied => by_kind(
        "Give the backup account read access, or make it a member of Backup Operators so that backup intent opens everything.",
        "Let the agent's service read it: look at the account that it runs as on that machine, and at the permissions there.",
        "Give the account that octoBackup runs as read access, or make it a member of Backup Operators.",
        "Give the user that octoBackup runs as read access on this machine.",
    )
    .at_agent("Run it as the account of the agent's service (root or an administrator for enroll), and look at the permissions.");
    Locked => every("Close the program that holds the file. An existing copy was kept; the next run tries again.").of_share(
        "Close the program that holds the file, or let the server make shadow copies: the newest one is then read instead. An \
         existing copy was kept; the next run tries again.",
    );
    FromSnapshot => every("Nothing to do: the copy is whole, and as old as said here. The next run tries the file itself again.");
    LiveCopy => every("Nothing to do: the copy is the file's beginning. It bears an earlier time, so the next run copies again.");
    NotFound => every("Nothing to do: it was deleted or renamed while the run was under way. The next run settles it.");
    NotLocal => every("What is offline or in the cloud is not fetched back for a backup. An existing copy was kept.");
    ChangedWhileRead => every(
        "The file is written to all the time. An existing copy was kept; the next run tries again. If it is only appended to, as \
         logs are, live_files=copy copies its beginning.",
    )
    .of_share(
        "The file is written to all the time. Let the server make shadow copies: the newest one is then read instead. An \
         existing copy was kept; the next run tries again.",
    );
    KindMoved => every("Nothing to do: the next run settles it.");
    BadName => every("No file can have this name. Nothing in this folder was deleted. Check the source's disk for a damaged filesystem.");
    DuplicateName => every("The first of them was copied. Nothing in this folder was deleted. Check the source's disk for a damaged filesystem.");
    ContentDamaged => every("The disk may be failing: see the system log. The next run copies it again from the source. A good copy from another state: octobackup verify --repair.");
    ChangedInMirror => every("Somebody or another program writes into the mirror. The next run puts the file back.");
    MayBeTorn => every("Its content may not be whole. The next run copies it again.");
    ReservedName => every(
        "The source has an entry named .octobackup at its root. It is left out, because the mirror keeps its own data there.",
    );
    NotMirrored => every("Nothing to do. Exclude it to make this message disappear.");
    ListingCut => every("Nothing in this folder was deleted. The next run lists it again.");
    ServerFails => by_kind(
        "The server ended the connection or did not answer each time, and serves everything else. Look at the entry on the \
         server itself, and at the server's disk, event log and virus scanner. An existing copy was kept, and nothing in this \
         folder was deleted.",
        "That machine did not answer each time, and serves everything else. Look at the entry there, and at its disk and system \
         log. An existing copy was kept, and nothing in this folder was deleted.",
        FAILS,
        FAILS,
    );
    OtherDevice => every(
        "Nothing below it was touched, in the source or in the mirror. Give it a job of its own, exclude it, or unmount it.",
    );
    DfsLink => every(
        "It is not followed, and what the mirror has there stays. Make a job of its own for the share that it leads to, or exclude \
         it.",
    );
    OwnFolder => every(
        "Keys lie in it: nothing of it is read, and nothing of it was deleted in the mirror. Exclude it to make this message \
         disappear.",
    );
    Acknowledged => every(
        "Nothing to do. It is a problem again if the acknowledgement is withdrawn, or if something else is wrong with it.",
    );
    PathTooLong => every(
        "Shorten the names of the folders above it, or make a job for a folder further down. An existing copy was kept, and \
         nothing in this folder was deleted.",
    );
    SourceEntry => by_kind(
        "Check the server's disk and event log.",
        "Check the disk and the system log of the agent's machine.",
        "Check the source's disk and the event log of this machine.",
        "Check the source's disk and the system log of this machine.",
    );

    // What one entry of the mirror met: the source's kind does not matter.
    NameEscaped => every(
        "The target's filesystem cannot hold the original name. The copy is complete; its name ends in .~octo and can be turned \
         back.",
    );
    TimeRecorded => every(
        "The target's filesystem cannot hold this time: the copy bears the nearest one, and the true one is kept in \
         .octobackup/meta/meta.db and compared. The copy is complete. Check the file's time on the source: most likely it is \
         wrong.",
    );
    NestedMirror => every("Nothing below it was touched. Move that mirror out of this one.");
    TargetDenied => every(
        "Let the user that octoBackup runs as change this entry and its folder in the mirror: look at their owner, mode and \
         attributes there (ls -ld, lsattr). The source is not at fault.",
    );
    TargetEntry => every(
        "Look at the entry in the mirror: something may have been put there by hand, or another program may hold it open.",
    );
    TargetMoved => every("Something else writes into the mirror. It was left alone; the next run settles it.");
    ReplacementsHeld => every(
        "Look at some of the changed files on the source: is something encrypting them? If they are right, run again with \
         --release-brake.",
    )
    .in_job(
        "Look at some of the changed files on the source: is something encrypting them? If they are right: octobackup run {job} \
         --release-brake.",
    );
    DoesNotFit => every(
        "Everything else was copied, and an older copy of it was kept. Free space on the target, use a larger disk, or exclude \
         the file. A file larger than the target's filesystem can hold needs another filesystem.",
    );

    // What ended a run at the target.
    NoSpace => every(
        "The remarks of the report say what holds the space. Older versions: octobackup sync with a shorter --keep-versions, such \
         as 7d, first removes what is older, on a full disk too. Other data on that disk: move it away. Or use a larger disk.",
    )
    .in_job(
        "The remarks of the report say what holds the space. Older versions: octobackup job edit {job} --set keep_versions=7d, \
         then octobackup run {job}, first removes what is older, on a full disk too. Other data on that disk: move it away. Or \
         use a larger disk.",
    )
    .at_agent("Free space on the disk where the agent keeps its state.");
    TargetFailed => every(
        "Check that the target's disk is mounted and healthy, and that the user octoBackup runs as may write there.",
    )
    .at_agent("Check the disk where the agent keeps its state, and that it may write there.");
    OtherOwner => every(
        "Run it as the account that the mirror belongs to, or give the whole mirror to the account that runs. Nothing was \
         changed.",
    );
    TargetBusy => every("Wait until it has ended. Each target has one run at a time.");
    NotMounted => every(
        "This path has held a mirror before, and its marker is gone: most likely the disk is not mounted. Mount it; to start a new \
         mirror there, use --new-target.",
    )
    .in_job(
        "This path has held a mirror before, and its marker is gone: most likely the disk is not mounted. Mount it; to start a new \
         mirror there: octobackup run {job} --new-target.",
    );
    NotAdopted => every(
        "Choose an empty folder, or use --adopt to take these files over (the first run then holds every deletion).",
    )
    .in_job(
        "Give the job an empty folder, or take these files over: octobackup run {job} --adopt (this run then holds every \
         deletion).",
    );
    SourceChanged => every("If that is intended, use --accept-source (the next run then holds every deletion).")
        .in_job("If that is intended: octobackup run {job} --accept-source (this run then holds every deletion).");
    NewerFormat => every("Use that version, or a newer one.");
    RecordsDamaged => every(
        "Look at the named file in .octobackup. The mirrored files themselves are plain files and can be read as they are.",
    );
    Nested => every("Choose a target that lies outside the source and outside every other mirror.");
    OwnData => every(
        "Choose a folder that neither contains nor lies in octoBackup's own data, configuration, logs and keys. To copy these, use \
         octobackup backup.",
    )
    .of_agent(
        "Choose another folder: the agent keeps its key and certificate in this one. They need no copy, because an agent that lost \
         them is paired again.",
    );

    // What ended a run on this machine.
    TooManyOpenFiles => every(
        "Raise the limit of open files (LimitNOFILE in the service's unit, ulimit -n in a shell), or see what else holds so \
         many. Neither the source nor the target is at fault. Nothing was deleted.",
    )
    .at_agent("Raise the limit of open files (LimitNOFILE in the agent's unit), or see what else holds so many.");
    InternalError => every(
        "Neither the source nor the target is at fault. Nothing was deleted. If the detail names threads or memory, see what uses \
         them on this machine (TasksMax in the service's unit). Otherwise report it as a bug, with the log of the run.",
    )
    .at_agent("If the detail names threads or memory, see what uses them on this machine. Otherwise report it as a bug.");
    Usage => every("See octobackup help.")
        .in_job("Look at the job's settings: octobackup job show {job}.")
        .at_agent("See octobackup-agent --help.");
    Cancelled => every(CONTINUES);

    // What ended a run at the source, or on the way to it.
    LogonFailed => by_kind(
        "Check user, domain and password; check that the account is not locked or expired.",
        PAIR_AGAIN,
        "Check that the account octoBackup runs as may use that share.",
        "Check that the user octoBackup runs as may read there.",
    )
    .at_agent(
        "A token works once, for one machine and for an hour. On the server, `octobackup host add NAME` makes a new one; here, \
         `octobackup-agent enroll` uses it.",
    );
    AgentCloned => every(
        "One of the machines is a copy of the other, made with the agent's key, or the agent runs there twice. It is \
         unknown which of them is meant, so nothing was read. See which they are: octobackup host show {host}. Pair one of them again, under \
         a name of its own (octobackup host add NAME, then octobackup-agent enroll there), or stop the one that is not needed.",
    );
    ShareNotFound => every(
        "Check the name of the share. Administrative shares (c$) need an administrator's or a backup operator's account.",
    );
    ShareDenied => every(
        "Check the permissions of the share itself, and the remote restrictions of local accounts \
         (LocalAccountTokenFilterPolicy).",
    );
    SourceMissing => by_kind(
        "Check the path below the share. Nothing was changed in the mirror.",
        "Check the path, and that it lies in the agent's roots (agent.toml on that machine). Nothing was changed in the mirror.",
        "Check the path, and that the account octoBackup runs as may read it. Nothing was changed in the mirror.",
        "Check the path, that its disk is mounted, and that the user octoBackup runs as may read it. Nothing was changed in the \
         mirror.",
    );
    Unreachable => every("Check the name and the network.")
    .of_share("Check the name, the network and the firewall (TCP port {smb_port}).")
    .of_agent(
        "See whether the machine is on and its agent runs (systemctl status octobackup-agent there), and whether it reaches this \
         server's port for agents. When it was last seen: octobackup host list.",
    )
    .at_agent(
        "Check the server's name, that it listens for agents ([agents] in octobackup.toml), the network and the firewall (TCP \
         port {agent_port} of the server, unless another is named there).",
    );
    ConnectionLost => every(CONTINUES).of_share(
        "The next run continues where this one stopped. If it is lost each time before anything is copied, check that SMB 2 or 3 \
         is enabled there.",
    )
    .at_agent("The agent reconnects by itself. If it is lost each time, look at the network and at the server's log.");
    TimedOut => every("Check the source's disk. The next run continues where this one stopped.")
    .of_share("Check the server's load and the network. The next run continues where this one stopped.")
    .of_agent("Check the load of the agent's machine and the network. The next run continues where this one stopped.")
    .at_agent("Check the server's load and the network. The agent reconnects by itself.");
    Protocol => every(
        "Nothing was deleted. If it happens again, something between here and the server alters the traffic.",
    )
    .at_agent("See that the address is the server's port for agents. If it is, something in between alters the traffic.");
    Insecure => every("Raise the server's security settings, or lower the required level knowingly.").of_agent(PAIR_AGAIN)
    .at_agent(
        "See that the address is the server's own. If the server was installed again, pair this machine again: `octobackup host add NAME` \
         there makes a token.",
    );
    NegotiationAltered => every(
        "Do not lower the demands on security. Find out who or what is between here and the server (a proxy, a WAN accelerator, \
         another machine with its address), and change the account's password if you find nobody who may be there. Nothing was \
         copied.",
    );
    NoSmb => every(
        "Check the address and the port. If the server offers only SMB 1, enable SMB 2 or 3 there: SMB 1 is not supported.",
    );
    PrivilegeMissing => by_kind(
        "Make the account a member of Backup Operators on the server and log it on again.",
        "Let the agent's service run as an account that may read everything there, and restart it.",
        "Make the account that octoBackup runs as a member of Backup Operators and log it on again.",
        "Let octoBackup run as a user that may read everything there, such as root.",
    );
}

const FAILS: &str = "The disk did not answer each time, and serves everything else. Look at the entry itself, and at the source's \
                     disk. An existing copy was kept, and nothing in this folder was deleted.";
const CONTINUES: &str = "The next run continues where this one stopped.";
const PAIR_AGAIN: &str =
    "Pair the machine again: octobackup host add {host} makes a token, octobackup-agent enroll uses it there.";

#[cfg(test)]
#[path = "advice_tests.rs"]
mod tests;
