//! Worlds in which a promise was broken once, as short as they could be made.

use super::step::{Draft, How, Scenario, Step};

const USUAL: Scenario =
    Scenario { start: 1_772_952_184, runs_max: 1, per_host_max: 2, per_disk_max: 2, steps: Vec::new() };
const NOTHING: Draft = Draft {
    job: 0,
    schedule: 0,
    zone: 0,
    catch_up: 0,
    queues: false,
    blackout: 0,
    delays: false,
    retries: 0,
    host: 0,
    disk: 0,
    is_limited: false,
};

/// What was broken, and the world.
pub fn all() -> Vec<(&'static str, Scenario)> {
    let other_zone = vec![
        Step::Add(Draft { schedule: 3, ..NOTHING }),
        Step::Look { secs: 13_675 },
        Step::Defaults { zone: 2, catch_up: 0 },
        Step::Look { secs: 4 },
    ];
    let refused_and_done = vec![
        Step::Add(Draft { schedule: 1, zone: 5, catch_up: 2, blackout: 1, retries: 2, host: 1, disk: 1, ..NOTHING }),
        Step::Add(Draft { job: 3, schedule: 1, zone: 5, retries: 2, disk: 1, ..NOTHING }),
        Step::Look { secs: 2979 },
        Step::End { nth: 0, how: How::Held(0) },
        Step::FailStatement { ops: 64 },
        Step::End { nth: 1, how: How::MayPass },
        Step::Edit(Draft { schedule: 4, zone: 5, ..NOTHING }),
    ];
    let far_ahead = vec![
        Step::Add(Draft { retries: 2, ..NOTHING }),
        Step::Jump { secs: 80 * 86_400 },
        Step::Start { job: 0, dry: false, approve: false },
        Step::Look { secs: 5 },
        Step::End { nth: 0, how: How::MayPass },
        Step::Jump { secs: -80 * 86_400 },
    ];
    let moved_while_it_runs = vec![
        Step::Add(Draft { job: 2, schedule: 2, zone: 4, queues: true, host: 1, ..NOTHING }),
        Step::Start { job: 2, dry: false, approve: false },
        Step::Look { secs: 5 },
        Step::Edit(Draft { job: 2, schedule: 1, zone: 4, disk: 1, ..NOTHING }),
        Step::Add(Draft { schedule: 4, ..NOTHING }),
        Step::Start { job: 0, dry: false, approve: false },
        Step::Look { secs: 5 },
    ];
    let at = |start: i64, steps: Vec<Step>| Scenario { start, steps, ..USUAL };
    let one_to_a_disk = Scenario { runs_max: 2, per_disk_max: 1, steps: moved_while_it_runs, ..USUAL };
    vec![
        ("a job gets another disk while it runs, and another run to the old disk begins", one_to_a_disk),
        (
            "the server's defaults name another time zone, and the slots of the old one are waited for",
            at(1_772_952_184, other_zone),
        ),
        ("a change is done, and whoever asked for it is told that it failed", at(1_792_888_810, refused_and_done)),
        (
            "a retry that was queued while the clock was months ahead waits for months, and keeps all slots from running",
            at(1_772_952_184, far_ahead),
        ),
    ]
}
