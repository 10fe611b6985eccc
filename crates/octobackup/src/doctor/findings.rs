//! What the facts mean: a pure function from [`Facts`] to findings in plain words, each with what to do about it.

use crate::doctor::facts::{Examples, Facts, Limit, Place, Privilege, Seen, ShareFacts};
use crate::exit;
use octo_core::advice::{Place as Reader, advice};
use octo_core::numbers::{count, duration, size, thousands};
use octo_core::printable::printable;
use octo_core::time::TICKS_PER_SEC;
use octo_core::{Error, RelPath};
use octo_smb::{Dialect, Encryption, PreviousVersions};
use serde::Serialize;

/// From here on a difference of clocks is worth a look.
const SKEW_SECS_MAX: u64 = 60;
/// Examples said in words; JSON has more.
const SAID_MAX: usize = 3;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing needs to be done.
    Note,
    /// A run would be less than complete, or safe, or clear.
    Look,
    /// A run would fail.
    Failed,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about; stable, for scripts.
    pub topic: &'static str,
    /// How much it matters.
    pub verdict: Verdict,
    /// What was found.
    pub says: String,
    /// What it means and what to do; may be empty.
    pub advice: String,
}

impl Verdict {
    /// What the program ends with.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Ok | Verdict::Note => exit::COMPLETE,
            Verdict::Look => exit::PROBLEMS,
            Verdict::Failed => exit::FAILED,
        }
    }
}

fn finding(topic: &'static str, verdict: Verdict, says: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { topic, verdict, says: printable(&says.into()), advice: advice.into() }
}

fn failed(topic: &'static str, error: &Error, source: &str) -> Finding {
    finding(topic, Verdict::Failed, error.to_string(), advice(error.code, source, Reader::Sync))
}

/// Everything there is to say, in a fixed order.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let (mut all, source) = (Vec::new(), facts.source.as_str());
    if let Some(share) = &facts.share {
        of_connection(&mut all, share);
        all.push(clock(facts, share));
        all.push(privilege((&share.privilege, source), facts.seen.as_ref().is_ok_and(|seen| seen.limit.is_none())));
        all.push(previous_versions(&share.previous_versions, source));
        all.push(listings(share));
    }
    match &facts.seen {
        Ok(seen) => of_source(&mut all, seen, source),
        Err(error) => all.push(failed("source", error, source)),
    }
    match &facts.place {
        Some(Ok(place)) => of_target(&mut all, place, facts.seen.as_ref().ok(), source),
        Some(Err(error)) => all.push(failed("target", error, source)),
        None => {}
    }
    all
}

fn of_connection(all: &mut Vec<Finding>, share: &ShareFacts) {
    let security = &share.security;
    all.push(match security.dialect {
        Dialect::Smb3_1_1 => finding("protocol", Verdict::Ok, security.dialect.to_string(), ""),
        older => finding(
            "protocol",
            Verdict::Note,
            format!("{older}, which is not the newest"),
            "SMB 3.1.1 (Windows Server 2016 and later) protects the beginning of a connection best.",
        ),
    });
    let others =
        if security.signing_demanded { "the server demands it of everybody" } else { "octoBackup always asks for it" };
    all.push(match security.signing {
        Some(how) => finding("signing", Verdict::Ok, format!("every message is signed ({how}); {others}"), ""),
        None => finding(
            "signing",
            Verdict::Look,
            "nothing is signed: it is a guest's session",
            "Who can reach the network in between can alter what is copied. Log on with an account.",
        ),
    });
    let listen = match security.signing {
        Some(_) => "Nobody in between can alter anything, but who can listen to the network can read the files.",
        None => "Who can listen to the network can read the files.",
    };
    all.push(match security.encryption {
        Encryption::Active(cipher) => {
            finding("encryption", Verdict::Ok, format!("every message is encrypted ({cipher})"), "")
        }
        Encryption::Possible => finding(
            "encryption",
            Verdict::Note,
            "not encrypted, though the server could",
            format!("{listen} Log on with an account, and without --encrypt off."),
        ),
        Encryption::Impossible => finding(
            "encryption",
            Verdict::Note,
            "not encrypted: the server cannot",
            format!("{listen} Encryption needs SMB 3 on the server, and must not be switched off there."),
        ),
    });
}

fn clock(facts: &Facts, share: &ShareFacts) -> Finding {
    let Some(server) = share.security.server_time else {
        return finding("clock", Verdict::Note, "the server does not tell its time", "");
    };
    let secs = server.0.abs_diff(facts.now.0) / TICKS_PER_SEC.unsigned_abs();
    if secs < SKEW_SECS_MAX {
        return finding("clock", Verdict::Ok, "the server's clock and ours agree", "");
    }
    let which = if server > facts.now { "ahead of" } else { "behind" };
    let says = format!("the server's clock is {} {which} ours", duration(secs.saturating_mul(1000)));
    let advice = "Copies are not affected: a file's time is compared with its own copy. Times in reports and of versions are \
                  misleading, and Kerberos refuses more than 5 minutes. Let both machines take their time from the same source.";
    finding("clock", Verdict::Look, says, advice)
}

fn privilege((asked, source): (&Result<Privilege, Error>, &str), saw_all: bool) -> Finding {
    const TOPIC: &str = "backup-privilege";
    let found = match asked {
        Ok(found) => found,
        Err(error) => return unasked(TOPIC, "whether the backup privilege works", error, source),
    };
    let missing = "Make the account a member of Backup Operators on the server itself (on a domain controller: of the domain) \
                   and log it on again. For a local account also set LocalAccountTokenFilterPolicy to 1 there: without it \
                   the server takes the privilege away over the network.";
    match (found.by_privilege.count, found.denied.count) {
        (0, 0) => {
            let more =
                if saw_all { "" } else { " To look further, raise --entries or name a folder that is protected." };
            let says = format!(
                "cannot tell: nothing was denied to the account ({} opened by its own rights)",
                entries(found.by_rights)
            );
            let advice = format!(
                "Everything that was tried can be read. Whether the privilege works shows only where something is denied.{more}"
            );
            finding(TOPIC, Verdict::Note, says, advice)
        }
        (0, _) => {
            let says = format!("missing: denied, also with backup intent: {}", some(&found.denied));
            finding(TOPIC, Verdict::Look, says, format!("What is denied will not be in the mirror. {missing}"))
        }
        (_, 0) => {
            let says =
                format!("works: denied to the account, and opened with backup intent: {}", some(&found.by_privilege));
            finding(TOPIC, Verdict::Ok, says, "")
        }
        _ => {
            let says = format!("works, but denied all the same: {}", some(&found.denied));
            let advice = "What is denied although the privilege works is protected in another way, by the share's own \
                          permissions or a filter on the server. It will not be in the mirror.";
            finding(TOPIC, Verdict::Look, says, advice)
        }
    }
}

fn previous_versions(asked: &Result<Option<PreviousVersions>, Error>, source: &str) -> Finding {
    const TOPIC: &str = "previous-versions";
    match asked {
        Ok(Some(PreviousVersions { count: number, newest })) => {
            let newest = newest.map(|at| format!(", the newest of {at} UTC")).unwrap_or_default();
            finding(TOPIC, Verdict::Ok, format!("{} offered{newest}", thousands(u64::from(*number))), "")
        }
        Ok(None) => finding(
            TOPIC,
            Verdict::Note,
            "none are offered",
            "A file that a program keeps open all the time, such as a database, can only be read from a previous version. \
             If there are such files, switch on shadow copies for the volume.",
        ),
        Err(error) => unasked(TOPIC, "which previous versions there are", error, source),
    }
}

fn listings(share: &ShareFacts) -> Finding {
    if share.security.hides_unreadable {
        return finding(
            "listings",
            Verdict::Look,
            "the share hides what the account may not read (access-based enumeration)",
            "A file that vanishes from the list may only be hidden, so every deletion will be held. Switch it off for this \
             share (Set-SmbShare -Name SHARE -FolderEnumerationMode Unrestricted), or use --trust-listings if the account \
             truly sees everything.",
        );
    }
    finding("listings", Verdict::Ok, "the share lists everything, readable or not", "")
}

fn unasked(topic: &'static str, what: &str, error: &Error, source: &str) -> Finding {
    finding(
        topic,
        Verdict::Look,
        format!("could not be found out: {what}: {error}"),
        advice(error.code, source, Reader::Sync),
    )
}

fn of_source(all: &mut Vec<Finding>, seen: &Seen, source: &str) {
    let what = format!("{} in {}, {}", entries(seen.entries), count(seen.folders, "folder"), size(seen.bytes));
    all.push(match seen.limit {
        None => finding("source", Verdict::Ok, format!("{what}: all of it was looked at"), ""),
        Some(limit) => {
            let why = match limit {
                Limit::Entries => "as many as --entries allows",
                Limit::Time => "as much as a minute allows",
                Limit::Folders => "more folders wait than can be kept in mind",
            };
            let advice = "What is said of entries and names concerns these only.";
            finding("source", Verdict::Ok, format!("looked at {what}; that is not all ({why})"), advice)
        }
    });
    if let Some((_, first)) = seen.unlisted.first.first() {
        let paths = Examples { count: seen.unlisted.count, first: paths(&seen.unlisted) };
        let says = format!("could not be listed: {}: {first}", some(&paths));
        all.push(finding("unlisted", Verdict::Look, says, advice(first.code, source, Reader::Sync)));
    }
    if let Some((_, first)) = seen.bad_names.first.first() {
        let paths = Examples { count: seen.bad_names.count, first: paths(&seen.bad_names) };
        let says = format!("names that no file can have, in {}: {first}", some(&paths));
        all.push(finding("bad-names", Verdict::Look, says, advice(first.code, source, Reader::Sync)));
    }
    if seen.not_local > 0 {
        let says =
            format!("{} whose data is not on the server (offline or in the cloud)", count(seen.not_local, "file"));
        all.push(finding("not-local", Verdict::Note, says, "They are not recalled, and not copied."));
    }
    if !seen.stable_ids {
        let advice = "A file that was renamed is copied again.";
        all.push(finding("renames", Verdict::Note, "the source's filesystem gives no lasting file ids", advice));
    }
}

fn of_target(all: &mut Vec<Finding>, place: &Place, seen: Option<&Seen>, source: &str) {
    all.push(state(place, source));
    all.push(space(place, seen, source));
    let losses = place.abilities.losses();
    if !losses.is_empty() {
        let says = format!("{} cannot do everything: {}", place.abilities.filesystem, losses.join("; "));
        let advice = "The mirror works all the same. Full support have ext4, XFS, btrfs, ZFS and NTFS.";
        all.push(finding("filesystem", Verdict::Note, says, advice));
    }
    let Some(seen) = seen else { return };
    of_times(all, seen);
    if seen.escaped.count == 0 {
        all.push(finding("names", Verdict::Ok, "every name can be stored as it is", ""));
        return;
    }
    let shown: Vec<_> =
        seen.escaped.first.iter().take(SAID_MAX).map(|(path, stored)| format!("{path} as {stored}")).collect();
    let says = format!(
        "{} cannot be stored as {}: {}{}",
        count(seen.escaped.count, "name"),
        if seen.escaped.count == 1 { "it is" } else { "they are" },
        shown.join(", "),
        more(seen.escaped.count, shown.len())
    );
    let advice = "They are too long for this filesystem or have characters that it cannot hold. The copies are complete; \
                  their names end in .~octo and can be turned back.";
    all.push(finding("names", Verdict::Note, says, advice));
}

fn of_times(all: &mut Vec<Finding>, seen: &Seen) {
    let beyond = &seen.times_beyond;
    if beyond.count == 0 {
        return;
    }
    let shown: Vec<_> =
        beyond.first.iter().take(SAID_MAX).map(|(path, time)| format!("{path} of {time} UTC")).collect();
    let says = format!(
        "{} that this filesystem cannot hold: {}{}",
        count(beyond.count, "last write time"),
        shown.join(", "),
        more(beyond.count, shown.len())
    );
    let advice = "The copies are complete and bear the nearest time that there is; the true one is recorded beside them and \
                  compared. Check these times on the source: most likely they are wrong.";
    all.push(finding("times", Verdict::Note, says, advice));
}

fn state(place: &Place, source: &str) -> Finding {
    const TOPIC: &str = "target";
    let filesystem = &place.abilities.filesystem;
    match (place.is_mirror, place.was_mirror) {
        (true, _) => finding(TOPIC, Verdict::Ok, format!("a mirror of octoBackup, on {filesystem}"), ""),
        (false, true) => {
            let error = Error::new(octo_core::Code::NotMounted, "a mirror was here before, and is gone");
            failed(TOPIC, &error, source)
        }
        (false, false) if !place.is_empty => {
            let error = Error::new(octo_core::Code::NotAdopted, "");
            failed(TOPIC, &error, source)
        }
        (false, false) if place.exists => finding(TOPIC, Verdict::Ok, format!("an empty folder, on {filesystem}"), ""),
        (false, false) => finding(TOPIC, Verdict::Ok, format!("will be made, on {filesystem}"), ""),
    }
}

fn space(place: &Place, seen: Option<&Seen>, source: &str) -> Finding {
    const TOPIC: &str = "space";
    let (free, total) = (place.space.free_bytes, place.space.total_bytes);
    let says = format!("{} free of {}", size(free), size(total));
    let reserve = place.space.reserve_bytes();
    if free < reserve {
        let advice = format!(
            "Copying ends, and the run fails, below {} of free space. {}",
            size(reserve),
            advice(octo_core::Code::NoSpace, source, Reader::Sync)
        );
        return finding(TOPIC, Verdict::Failed, says, advice);
    }
    let needed = seen.map_or(0, |seen| seen.bytes);
    if !place.is_mirror && needed > free - reserve {
        let at_least = if seen.is_some_and(|seen| seen.limit.is_none()) { "" } else { "at least " };
        let says = format!("{says}; the source has {at_least}{}", size(needed));
        let advice = format!("The first run will not fit: {} stay free. Use a larger disk.", size(reserve));
        return finding(TOPIC, Verdict::Look, says, advice);
    }
    finding(TOPIC, Verdict::Ok, says, "")
}

fn entries(number: u64) -> String {
    if number == 1 { "1 entry".to_owned() } else { format!("{} entries", thousands(number)) }
}

fn paths<T>(examples: &Examples<(RelPath, T)>) -> Vec<RelPath> {
    examples.first.iter().map(|(path, _)| path.clone()).collect()
}

/// `a, b, c and 17 more`.
fn some(examples: &Examples<RelPath>) -> String {
    let shown: Vec<_> = examples.first.iter().take(SAID_MAX).map(RelPath::to_string).collect();
    format!("{}{}", shown.join(", "), more(examples.count, shown.len()))
}

fn more(all: u64, shown: usize) -> String {
    match all.saturating_sub(shown as u64) {
        0 => String::new(),
        rest => format!(" and {} more", thousands(rest)),
    }
}
