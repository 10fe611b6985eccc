//! From a seed to a scenario.

use super::random::Random;
use super::scenario::{Act, Call, Change, Fault, ListFault, Options, Power, ReadFault, Round, Scenario};
use octo_core::Code;

/// Names, the usual and the others, as [`RelPath::to_text`](octo_core::RelPath::to_text) writes them.
const NAMES: &[&str] = &[
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "A",
    "B",
    "é",
    "É",
    "x.~octo",
    "a.~octo",
    "%41.~octo",
    "con",
    "a:b",
    "dot.",
    "sp ",
    "%41",
    "\\xFF",
    "\\n",
    "~",
    "-rf",
    "*",
    ".octobackup",
    "lost+found",
];

/// Names that differ only in case, with and without bytes that have to be escaped.
const TWINS: &[&str] = &[
    "a",
    "A",
    "ab",
    "Ab",
    "aB",
    "AB",
    "é",
    "É",
    "x.~octo",
    "X.~OCTO",
    "a.~octo",
    "A.~octo",
    "%41.~octo",
    "lost+found",
];

/// What the worlds are about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Focus {
    /// Everything that there is.
    #[default]
    Everything,
    /// Names that differ only in case, on a disk for which they are one name.
    Case,
    /// Many runs, of whose states some go out of the middle.
    Retention,
}

impl Focus {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Focus> {
        match name {
            "everything" => Some(Focus::Everything),
            "case" => Some(Focus::Case),
            "retention" => Some(Focus::Retention),
            _ => None,
        }
    }

    /// What it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Focus::Everything => "everything",
            Focus::Case => "case",
            Focus::Retention => "retention",
        }
    }
}

/// A name too long for an escape.
const LONG: &str = "a very long name.~octo";

struct Maker {
    random: Random,
    focus: Focus,
    names: Vec<String>,
    /// Paths that were used so far.
    used: Vec<String>,
}

/// The scenario of this seed.
pub fn generate(seed: u64, focus: Focus) -> Scenario {
    let mut random = Random::new(seed);
    let of = if focus == Focus::Case { TWINS } else { NAMES };
    let mut names: Vec<String> = (0..random.between(3, 8)).map(|_| (*random.one_of(of)).to_owned()).collect();
    if random.once_in(8) {
        let long = format!("{}{LONG}", "n".repeat(230));
        if focus == Focus::Case {
            names.push(long.replacen('n', "N", 1));
        }
        names.push(long);
    }
    let mut maker = Maker { random, focus, names, used: Vec::new() };
    let mut scenario = Scenario {
        seed,
        hard_links: !maker.random.once_in(5),
        keeps_order: !maker.random.once_in(4),
        // How states are shown where upper and lower case are the same is another matter than which of them go.
        folds_case: maker.random.once_in(4) || focus == Focus::Case,
        coarse_times: maker.random.once_in(10),
        metadata: maker.random.once_in(2),
        workers: if maker.random.once_in(20) { 3 } else { 1 },
        rounds: Vec::new(),
    };
    let mut options = maker.options();
    let rounds = if focus == Focus::Retention { maker.random.between(6, 16) } else { maker.random.between(2, 6) };
    for number in 0..rounds {
        if maker.random.once_in(4) {
            options = maker.options();
        }
        let round = maker.round(number == 0, options.clone());
        scenario.rounds.push(round);
    }
    scenario
}

impl Maker {
    fn round(&mut self, first: bool, options: Options) -> Round {
        let changes = if first { self.random.between(3, 25) } else { self.random.below(9) };
        let hours = match self.random.below(if self.focus == Focus::Retention { 80 } else { 20 }) {
            4..30 if self.focus == Focus::Retention => 0,
            0 => 24 * 400,
            1 => -24 * 100,
            2 => 24 * 40,
            3 => 24 * 10,
            _ => self.random.between(1, 30) as i64,
        };
        let faults = match self.random.below(10) {
            2..=6 if self.focus == Focus::Retention => 0,
            0..=1 => 0,
            2..=4 => 1,
            5..=7 => 2,
            _ => 3,
        };
        Round {
            changes: (0..changes).map(|_| self.change(first)).collect(),
            person: if first || self.focus == Focus::Retention { Vec::new() } else { self.person() },
            hours,
            options,
            faults: (0..faults).map(|_| self.fault()).collect(),
        }
    }

    fn options(&mut self) -> Options {
        let excludes = if self.focus == Focus::Case { 3 } else { 6 };
        if self.focus == Focus::Retention {
            let random = &mut self.random;
            return Options {
                no_versions: random.once_in(40),
                keep_days: *random.one_of(&[0, 0, 0, 1]),
                keep_hourly: *random.one_of(&[0, 1, 2, 4, 4, 8]),
                max_delete: Some(1000),
                ..Options::default()
            };
        }
        let random = &mut self.random;
        let max_delete = random.once_in(3).then(|| random.below(4));
        Options {
            no_versions: random.once_in(5),
            keep_days: *random.one_of(&[0, 1, 30, 30]),
            keep_hourly: 0,
            max_delete,
            no_delete: random.once_in(20),
            dry_run: random.once_in(40),
            exclude: random
                .once_in(excludes)
                .then(|| self.random.one_of(&self.names).clone())
                .filter(|name| is_plain(name)),
            compare_content: self.random.once_in(20),
            live_copy: self.random.once_in(3),
        }
    }

    /// A path up to three deep; often one that was used before.
    fn path(&mut self) -> String {
        if !self.used.is_empty() && self.random.below(10) < 6 {
            return self.random.one_of(&self.used).clone();
        }
        let depth = *self.random.one_of(&[1, 1, 2, 2, 3]);
        let names: Vec<String> = (0..depth).map(|_| self.random.one_of(&self.names).clone()).collect();
        let path = names.join("/");
        self.used.push(path.clone());
        path
    }

    fn change(&mut self, first: bool) -> Change {
        let path = self.path();
        match self.random.below(25) {
            0..=7 => self.write(path),
            8..=9 if first => self.write(path),
            8..=9 => Change::Restamp { path, hours: *self.random.one_of(&[1, -1, 5]) },
            10..=11 => Change::Folder { path },
            12 | 24 => Change::Link { path, to: (*self.random.one_of(&["a", "../..", "/etc/passwd"])).to_owned() },
            13..=15 if !first => Change::Remove { path },
            16..=19 if !first => Change::Rename { from: path, to: self.path() },
            20..=21 => Change::Details { path, stream_bytes: *self.random.one_of(&[0, 5, 200, 70_000]) },
            22 if !first => Change::Append { path, bytes: 30 },
            23 => Change::Snapshot,
            _ => self.write(path),
        }
    }

    fn write(&mut self, path: String) -> Change {
        let bytes = *self.random.one_of(&[1, 20, 20, 100, 3000, 20_000]);
        let zeros = if self.random.once_in(12) { 70_000 } else { 0 };
        Change::Write { path, bytes, zeros }
    }

    fn person(&mut self) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.random.once_in(3) {
            acts.push(Act::Approve);
        }
        for _ in 0..2 {
            if self.random.once_in(8) {
                acts.push(match self.random.below(7) {
                    0 => Act::ApproveAnother,
                    1 => Act::ReleaseBrake,
                    2 => Act::Write { path: self.path() },
                    3 => Act::Remove { path: self.path() },
                    4 => Act::Rename { from: self.path(), to: self.path() },
                    5 => Act::Restart,
                    _ => Act::FreeSpace,
                });
            }
        }
        acts
    }

    fn call(&mut self) -> Call {
        match self.random.once_in(2) {
            true => Call::List(self.random.between(1, 8)),
            false => Call::Open(self.random.between(1, 8)),
        }
    }

    /// An effect; the first ones are a run's own checks and records.
    fn effect(&mut self) -> u64 {
        match self.random.below(4) {
            0 => self.random.between(1, 30),
            1 => self.random.between(30, 60),
            2 => self.random.between(60, 120),
            _ => self.random.between(1, 250),
        }
    }

    fn fault(&mut self) -> Fault {
        match self.random.below(108) {
            100..=103 => {
                let codes = [Code::SourceEntry, Code::ServerFails, Code::Locked];
                Fault::Details { nth: self.random.between(1, 10), code: *self.random.one_of(&codes) }
            }
            104..=107 => Fault::Live { nth: self.random.between(1, 8), grows: !self.random.once_in(3) },
            0..=15 => Fault::List { nth: self.random.between(1, 8), how: self.list_fault() },
            16..=30 => Fault::Read { nth: self.random.between(1, 10), how: self.read_fault() },
            31..=32 => Fault::ReadLink { nth: self.random.between(1, 2) },
            33..=45 => Fault::Changes { call: self.call(), change: self.change(false) },
            46..=49 => Fault::Slow { call: self.call(), secs: self.random.between(1, 3000) },
            50..=52 => Fault::Cancel { call: self.call() },
            53..=64 => {
                let codes =
                    [Code::TargetEntry, Code::TargetDenied, Code::NoSpace, Code::TargetFailed, Code::TooManyOpenFiles];
                Fault::Effect { nth: self.effect(), code: *self.random.one_of(&codes) }
            }
            65..=70 => {
                let until_removed = if self.random.once_in(2) { u64::MAX } else { self.random.between(1, 4) };
                Fault::Full { nth: self.effect(), until_removed }
            }
            71..=74 => Fault::LittleRoom { bytes: self.random.below(60_000) },
            75..=97 => Fault::Kill { nth: self.effect(), torn: self.random.once_in(3), power: self.power() },
            98 if self.random.once_in(3) => Fault::Stuck { call: self.call() },
            _ => Fault::Clock { nth: self.effect(), hours: *self.random.one_of(&[24 * 400, -24 * 400, 24 * 20, -1]) },
        }
    }

    fn list_fault(&mut self) -> ListFault {
        let entries = self.random.below(5) as usize;
        match self.random.below(10) {
            0..=4 => {
                let codes = [Code::AccessDenied, Code::ListingCut, Code::NotFound, Code::SourceEntry, Code::KindMoved];
                ListFault::Cut { entries, code: *self.random.one_of(&codes) }
            }
            5 => ListFault::Cut { entries, code: *self.random.one_of(&[Code::ConnectionLost, Code::TimedOut]) },
            6 => ListFault::Twice,
            7..=8 => ListFault::Anew { entries },
            _ => ListFault::BadName,
        }
    }

    fn read_fault(&mut self) -> ReadFault {
        let codes =
            [Code::AccessDenied, Code::Locked, Code::NotFound, Code::SourceEntry, Code::ServerFails, Code::KindMoved];
        match self.random.below(12) {
            0..=3 => ReadFault::Fails { code: *self.random.one_of(&codes) },
            4..=5 => ReadFault::FailsHalfway { code: *self.random.one_of(&codes) },
            6 => ReadFault::FailsHalfway { code: Code::ConnectionLost },
            7 => ReadFault::DataMissing,
            8 => ReadFault::AnnouncesMore,
            9 => ReadFault::TimeMoves,
            10 => ReadFault::DataBeyond,
            _ => ReadFault::Scrambled,
        }
    }

    fn power(&mut self) -> Option<Power> {
        match self.random.below(6) {
            0 => Some(Power::Forgets),
            1 => Some(Power::LeavesZeros),
            2 => Some(Power::LeavesSome(self.random.number())),
            _ => None,
        }
    }
}

/// A name that means itself as a pattern.
fn is_plain(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric())
}
