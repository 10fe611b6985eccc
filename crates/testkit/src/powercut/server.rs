//! A server whose data directory loses its power: its first start with the first job, days later in its life, and what must hold
//! afterwards: nothing that it said it had is lost, and no message is sent twice unless its first delivery is in doubt.

use super::check::{Cut, Machine, integrity};
use super::filesystem::Filesystem;
use super::recorder::Recorder;
use super::rows::{self, Outbox, Rows};
use super::scenario::Source;
use super::serving::Running;
use super::shell::{attempt, end};
use super::sink::{Delivery, Sink};
use super::tree;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of the user who logs on, and of the account.
const PASSWORD: &str = "correct horse battery";
/// An address at which nobody is: a port below those that anybody is given.
const NOBODY: &str = "http://127.0.0.1:1/";

/// What is done with a server, and the code that it ends with.
enum Act {
    /// A command. Words that begin with `@` stand for a folder or a file.
    Does(&'static [&'static str], i32),
    /// What is held is approved.
    Approves,
    /// As a browser.
    LogsOn,
    /// The recipient has an address at last, and accepts what waited.
    IsTold,
}

/// One start of a server.
pub(super) struct Life {
    pub name: &'static str,
    pub change: fn(&Source) -> io::Result<()>,
    /// What time does to the database, before the server starts.
    ages: Option<&'static str>,
    acts: &'static [Act],
    /// How a run of the job ends.
    ends: i32,
}

use Act::{Approves, Does, IsTold, LogsOn};

/// Makes all that lies back older than the server keeps it, and lets slots be missed.
const AGES: &str = "
    UPDATE run SET queued_at = queued_at - 8640000, started_at = started_at - 8640000, finished_at = finished_at - 8640000
        WHERE id <= 2;
    UPDATE outbox SET queued_at = queued_at - 8640000 WHERE id = 1 AND sent_at IS NOT NULL;
    UPDATE job SET slots_until = slots_until - 259200;";

pub(super) const LIVES: &[Life] = &[
    Life {
        name: "server, first start",
        change: Source::fill,
        ages: None,
        acts: &[Does(&["job", "add", "demo", "@source", "@mirror"], 0), Does(&["run", "demo"], 0)],
        ends: 0,
    },
    Life {
        name: "server, settings",
        change: Source::change_and_hold_a_socket,
        ages: None,
        acts: &[
            Does(&["job", "edit", "demo", "--schedule", "@schedule", "--set", "catch_up=skip"], 0),
            Does(&["credential", "set", "smtp", "backup@example.org", "--password-file", "@password"], 0),
            Does(
                &["notify", "mail-server", "127.0.0.1:2525", "--from", "backup@example.org", "--credential", "smtp"],
                0,
            ),
            Does(&["notify", "set", "hook", "--webhook", NOBODY, "--when", "always"], 0),
            Does(&["user", "add", "alice", "--role", "viewer", "--password-file", "@password"], 0),
            LogsOn,
            Does(&["token", "add", "grafana", "@token", "--role", "viewer"], 0),
            Does(&["host", "add", "fileserver"], 0),
            Does(&["run", "demo"], 1),
        ],
        ends: 1,
    },
    Life {
        name: "server, held deletions",
        change: Source::lose_most_and_the_socket,
        ages: None,
        acts: &[Does(&["run", "demo"], 4), Approves],
        ends: 0,
    },
    Life {
        name: "server, messages and old history",
        change: Source::change_a_few,
        ages: None,
        acts: &[
            IsTold,
            Does(&["job", "edit", "demo", "--set", "keep_versions=1s"], 0),
            Does(&["run", "demo"], 0),
            IsTold,
        ],
        ends: 0,
    },
    Life {
        name: "server, prune of history",
        change: Source::change_a_few,
        ages: Some(AGES),
        acts: &[Does(&["run", "demo"], 0), IsTold],
        ends: 0,
    },
];

/// What was recorded of it.
pub(super) struct Served<'a> {
    life: &'a Life,
    filesystem: Filesystem,
    /// Where the program believes its disk to be.
    place: PathBuf,
    source: PathBuf,
    /// What the server knew, before it was started, when each act was done, and in the end; and so many entries were in the log
    /// then.
    moments: Vec<(usize, Rows)>,
    /// Messages that were taken.
    reported: Vec<Delivery>,
}

fn mirror(place: &Path) -> PathBuf {
    place.join("served mirror")
}

/// The recipient keeps its address for as long as the server lives.
fn hook_is_at(server: &Running<'_>, sink: &Sink) -> Result<(), String> {
    server.does(&["notify", "set", "hook", "--webhook", &sink.url, "--when", "always"], 0).map(drop)
}

/// Lets the recipient accept all that waits.
fn is_told(server: &Running<'_>, sink: &Sink, data: &Path, scratch: &Path) -> Result<(), String> {
    hook_is_at(server, sink)?;
    let all = || Ok(rows::outbox(data, scratch)?.values().all(|message| message.is_taken));
    server.wait_until(all, || hook_is_at(server, sink), "an empty outbox")
}

impl Life {
    fn act(&self, act: &Act, server: &Running<'_>, sink: &Sink, work: &Work<'_>) -> Result<(), String> {
        match act {
            Does(words, ends) => {
                let words: Vec<String> = words.iter().map(|word| work.word(word)).collect();
                server.does(&words.iter().map(String::as_str).collect::<Vec<_>>(), *ends).map(drop)
            }
            Approves => server.mirrors("demo", 0),
            LogsOn => server.log_on("alice", PASSWORD),
            IsTold => is_told(server, sink, &work.place.join("server"), work.scratch),
        }
    }
}

/// The folders of a recording.
struct Work<'a> {
    place: &'a Path,
    source: &'a Path,
    scratch: &'a Path,
}

impl Work<'_> {
    fn word(&self, word: &str) -> String {
        let path = match word {
            "@source" => self.source.to_owned(),
            "@mirror" => mirror(self.place),
            "@password" => self.scratch.join("password"),
            "@token" => self.scratch.join("token"),
            "@schedule" => return crate::clock::far_from_now(),
            word => return word.to_owned(),
        };
        path.display().to_string()
    }

    fn write_password(&self) -> io::Result<()> {
        let path = self.scratch.join("password");
        fs::write(&path, PASSWORD)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
    }
}

/// What was known at which entry of the log, and what the sink took.
type Lived = (Vec<(usize, Rows)>, Vec<Delivery>);

/// Lets the server live on the recorded disk.
pub(super) fn record<'a>(
    machine: &Machine<'_>,
    recorder: &Recorder,
    filesystem: Filesystem,
    place: &Path,
    source: &Path,
    life: &'a Life,
) -> Served<'a> {
    let mount = recorder.mount(filesystem, place);
    let data = place.join("server");
    let work = Work { place, source, scratch: &machine.folder };
    // What is known is read first: it was on the disk when so many entries were in the log.
    let moment = || rows::read_at_work(&data, &machine.folder).map(|rows| (recorder.entries(), rows));
    let lived = || -> Result<Lived, String> {
        work.write_password().map_err(|e| e.to_string())?;
        if let Some(sql) = life.ages {
            for database in rows::databases(&data)? {
                attempt(Command::new("sqlite3").arg(database).arg(sql))?;
            }
        }
        let mut moments = vec![moment()?];
        let sink = Sink::start(recorder.clock()).map_err(|e| e.to_string())?;
        let server = Running::start(machine, 0, place, place)?;
        for act in life.acts {
            life.act(act, &server, &sink, &work)?;
            moments.push(moment()?);
        }
        server.stop()?;
        let last = moment()?;
        if life.ages.is_some() && last.1.has_row("run VALUES(1,") {
            return Err("what is older than it is kept was not forgotten".to_owned());
        }
        moments.push(last);
        Ok((moments, sink.taken()))
    };
    let (moments, reported) = lived().unwrap_or_else(|error| end(&format!("{}: {error}", life.name)));
    drop(mount);
    Served { life, filesystem, place: place.to_owned(), source: source.to_owned(), moments, reported }
}

/// What waited was sent once, what was accepted was not sent again, and nothing was sent that is not in the outbox.
fn told_once(before: &Outbox, after: &Outbox, taken: &[Delivery]) -> Result<(), String> {
    let times = |id: u64| taken.iter().filter(|reported| reported.id == id).count();
    for (id, message) in before {
        if times(*id) != usize::from(!message.is_taken) {
            return Err(format!("message {id} was sent {} times, and taken before: {}", times(*id), message.is_taken));
        }
    }
    let is_in = |reported: &Delivery| after.get(&reported.id).is_some_and(|message| message.tells_of(reported.run));
    match taken.iter().find(|reported| times(reported.id) != 1 || !is_in(reported)) {
        Some(reported) => Err(format!("a message was sent more than once, or is not in the outbox: {reported:?}")),
        None => Ok(()),
    }
}

/// Every table of the server's schema has had a row in one of its lives: a new one needs an act that fills it.
pub(super) struct Tables {
    all: BTreeSet<String>,
    filled: BTreeSet<String>,
}

impl Tables {
    pub fn new() -> Tables {
        Tables { all: BTreeSet::new(), filled: BTreeSet::new() }
    }

    pub fn add(&mut self, served: &Served<'_>) {
        for (_, rows) in &served.moments {
            self.all.extend(rows.tables.iter().cloned());
            self.filled.extend(rows.filled.iter().cloned());
        }
    }

    /// Those that no life filled.
    pub fn empty(&self) -> Option<String> {
        let empty: Vec<&str> = self.all.difference(&self.filled).map(String::as_str).collect();
        let what =
            || format!("no life of the server fills {}: powercut/server.rs needs an act that does", empty.join(", "));
        (!empty.is_empty()).then(what)
    }
}

impl Served<'_> {
    /// Checks everything: the server starts by itself, has what it said it has, its job ends well, and the messages reach the recipient.
    pub fn check(&self, machine: &Machine<'_>, cut: &Cut<'_>) -> Result<usize, String> {
        let _mount = self.filesystem.mount_after_cut(cut.image, cut.mount)?;
        let data = cut.mount.join("server");
        self.nothing_is_lost(&data, machine, cut.entries)?;
        let before = rows::outbox(&data, &machine.folder)?;
        for reported in self.reported.iter().filter(|reported| reported.at <= cut.entries) {
            if !before.get(&reported.id).is_some_and(|message| message.tells_of(reported.run)) {
                return Err(format!("a message was sent that is not in the outbox: {reported:?}"));
            }
        }
        let sink = Sink::start(|| 0).map_err(|e| e.to_string())?;
        let server = Running::start(machine, 1, cut.mount, &self.place)?;
        if server.ask(&["job", "show", "demo"])?.code != Some(0) {
            let (source, mirror) = (self.source.display().to_string(), mirror(&self.place).display().to_string());
            server.does(&["job", "add", "demo", &source, &mirror], 0)?;
        }
        server.mirrors("demo", self.life.ends)?;
        is_told(&server, &sink, &data, &machine.folder)?;
        let said = server.ask(&["self-check"])?.said;
        for part in ["database", "key", "data directory", "mirror of demo"] {
            if !said.lines().any(|line| line.starts_with("ok ") && line.contains(part)) {
                return Err(format!("self-check does not find the {part} in order: {said}"));
            }
        }
        server.stop()?;
        told_once(&before, &rows::outbox(&data, &machine.folder)?, &sink.taken())?;
        let (found, wanted) = (tree::read(&mirror(cut.mount))?, tree::read(&self.source)?);
        if let Some(difference) = tree::difference(&found, &wanted) {
            return Err(format!("after the server's run: {difference}"));
        }
        rows::databases(&data)?.iter().try_for_each(|database| integrity(database))?;
        Ok(0)
    }

    /// All that the server had when it last said so, and that nothing has changed since.
    fn nothing_is_lost(&self, data: &Path, machine: &Machine<'_>, entries: usize) -> Result<(), String> {
        let Some(last) = self.moments.iter().rposition(|(at, _)| *at <= entries) else { return Ok(()) };
        let found = rows::read(data, &machine.folder)?;
        let later = self.moments.get(last + 1).unwrap_or(&self.moments[last]);
        found.missing(&self.moments[last].1, &later.1).map_or(Ok(()), Err)
    }
}
