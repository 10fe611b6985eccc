//! What happens in a world: a plain list of steps, derived from a seed. Any part of a list is a list again: what makes no
//! sense any more is refused by the server.

use super::calendar::{SCHEDULES, ZONES};
use super::dice::Dice;

/// A job as a person wants it; numbers are places in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Draft {
    pub job: u8,
    /// 0 is none.
    pub schedule: u8,
    /// 0 is the server's default.
    pub zone: u8,
    pub catch_up: u8,
    pub queues: bool,
    /// 0 is none.
    pub blackout: u8,
    pub delays: bool,
    pub retries: u8,
    pub host: u8,
    pub disk: u8,
    pub is_limited: bool,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Well,
    Problems,
    /// Deletions are held: one of two sets.
    Held(u8),
    Failed,
    /// It failed for a cause that may pass.
    MayPass,
    Panics,
}

/// What the other side of a way does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Works,
    Refuses,
    Hangs,
    /// It takes the message, and nobody hears that.
    LosesAnswer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Add(Draft),
    Edit(Draft),
    Rename {
        job: u8,
        to: u8,
    },
    Pause {
        job: u8,
        paused: bool,
    },
    Remove {
        job: u8,
    },
    Start {
        job: u8,
        dry: bool,
        approve: bool,
    },
    Cancel {
        nth: u8,
    },
    Dismiss {
        job: u8,
    },
    Defaults {
        zone: u8,
        catch_up: u8,
    },
    Recipient {
        name: u8,
        way: u8,
        when: u8,
    },
    Forget {
        name: u8,
    },
    Test {
        name: u8,
    },
    Digest {
        schedule: u8,
    },
    /// The nth run under way ends.
    End {
        nth: u8,
        how: How,
    },
    /// Time passes, and runner and delivery look.
    Look {
        secs: u32,
    },
    /// The machine sleeps, or nobody looked for another cause.
    Sleep {
        secs: u32,
    },
    /// Somebody sets the clock.
    Jump {
        secs: i64,
    },
    Ways([Way; 3]),
    Full,
    ReadOnly,
    Locked,
    /// The disk is as it should be again.
    Mend,
    /// The nth commit from here on fails.
    FailCommit {
        nth: u8,
    },
    /// A statement fails after so many steps of SQLite's machine.
    FailStatement {
        ops: u16,
    },
    Kill,
    /// The server dies before or after the nth commit from here on.
    KillAt {
        nth: u8,
        is_after: bool,
    },
    /// The server is stopped, and started again.
    Stop,
    /// All runs under way end well.
    EndAll,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Seconds since 1970.
    pub start: i64,
    pub runs_max: u8,
    pub per_host_max: u8,
    pub per_disk_max: u8,
    pub steps: Vec<Step>,
}

/// Near changes of the clocks, ends of months and of years; the last is any day.
const STARTS: [i64; 6] = [1_774_738_800, 1_792_882_800, 1_772_949_600, 1_793_505_600, 1_767_200_400, 1_785_877_200];
const JOBS: u8 = 4;

/// The world of a seed.
pub fn scenario(seed: u64) -> Scenario {
    let mut dice = Dice::new(seed);
    let start = dice.one_of(&STARTS) + i64::try_from(dice.below(7200)).unwrap_or(0);
    let mut limit = || u8::try_from(1 + dice.below(3)).unwrap_or(1);
    let (runs_max, per_host_max, per_disk_max) = (limit(), limit(), limit());
    let mut steps = vec![Step::Recipient { name: 0, way: 0, when: 0 }, Step::Add(draft(&mut dice))];
    for _ in 0..10 + dice.below(40) {
        steps.push(step(&mut dice));
    }
    Scenario { start, runs_max, per_host_max, per_disk_max, steps }
}

fn draft(dice: &mut Dice) -> Draft {
    let schedules = u8::try_from(SCHEDULES.len()).unwrap_or(0);
    let often = dice.chance(60);
    Draft {
        job: dice.index(JOBS),
        schedule: if often { 1 + dice.index(4) } else { dice.index(schedules + 1) },
        zone: dice.index(u8::try_from(ZONES.len()).unwrap_or(0) + 1),
        catch_up: dice.index(3),
        queues: dice.chance(30),
        blackout: if dice.chance(20) { 1 + dice.index(2) } else { 0 },
        delays: dice.chance(15),
        retries: dice.index(3),
        host: dice.index(3),
        disk: dice.index(2),
        is_limited: dice.chance(20),
    }
}

fn step(dice: &mut Dice) -> Step {
    match dice.below(100) {
        0..28 => passing(dice),
        28..48 => Step::End { nth: dice.index(3), how: how(dice) },
        48..72 => person(dice),
        _ => fault(dice),
    }
}

fn how(dice: &mut Dice) -> How {
    let plan = dice.index(2);
    dice.one_of(&[
        How::Well,
        How::Well,
        How::Problems,
        How::Held(plan),
        How::Held(plan),
        How::Failed,
        How::MayPass,
        How::Panics,
    ])
}

fn passing(dice: &mut Dice) -> Step {
    let secs = match dice.below(10) {
        0..4 => 5 + dice.below(300),
        4..9 => 600 + dice.below(6 * 3600),
        _ => dice.below(4 * 86_400),
    };
    Step::Look { secs: u32::try_from(secs).unwrap_or(0) }
}

fn person(dice: &mut Dice) -> Step {
    let job = dice.index(JOBS);
    match dice.below(25) {
        0..4 => Step::Add(draft(dice)),
        4..6 => Step::Edit(draft(dice)),
        6 => Step::Rename { job, to: dice.index(JOBS + 2) },
        7..10 => Step::Pause { job, paused: dice.chance(40) },
        10 => Step::Remove { job },
        11..15 => Step::Start { job, dry: dice.chance(20), approve: dice.chance(20) },
        15 | 16 => Step::Cancel { nth: dice.index(4) },
        17 | 18 => Step::Dismiss { job },
        19 => Step::Defaults { zone: dice.index(u8::try_from(ZONES.len()).unwrap_or(1)), catch_up: dice.index(3) },
        20 | 21 => Step::Recipient { name: dice.index(3), way: dice.index(3), when: dice.index(3) },
        22 => Step::Test { name: dice.index(3) },
        23 => Step::Forget { name: dice.index(3) },
        _ => Step::Digest { schedule: dice.index(3) },
    }
}

fn fault(dice: &mut Dice) -> Step {
    const WAYS: [Way; 5] = [Way::Works, Way::Works, Way::Refuses, Way::Hangs, Way::LosesAnswer];
    match dice.below(28) {
        0..4 => Step::Ways([dice.one_of(&WAYS), dice.one_of(&WAYS), dice.one_of(&WAYS)]),
        4 | 5 => Step::Full,
        6 | 7 => Step::ReadOnly,
        8 => Step::Locked,
        9..14 => Step::Mend,
        14 | 15 => Step::FailCommit { nth: dice.index(6) },
        16 | 17 => Step::FailStatement { ops: u16::try_from(dice.below(400)).unwrap_or(0) },
        18 => Step::Kill,
        19..22 => Step::KillAt { nth: dice.index(8), is_after: dice.chance(50) },
        22 => Step::Stop,
        23 | 24 => Step::Sleep { secs: u32::try_from(dice.below(3 * 86_400)).unwrap_or(0) },
        25 => Step::Jump { secs: small(dice) },
        26 => Step::Jump { secs: small(dice) * 48 },
        _ if dice.chance(30) => Step::Jump { secs: small(dice) * 2000 },
        _ => Step::Jump { secs: small(dice) },
    }
}

/// Up to two hours, forward or back.
fn small(dice: &mut Dice) -> i64 {
    i64::try_from(dice.below(4 * 3600)).unwrap_or(0) - 2 * 3600
}
