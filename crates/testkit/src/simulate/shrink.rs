//! Makes a scenario that breaks a rule smaller, as long as it breaks it.

use super::scenario::{Change, Fault, Options, Round, Scenario};

/// Tries at most so often.
const TRIES_MAX: usize = 3000;

/// The smallest scenario found for which `breaks` holds. It holds for `scenario`.
pub fn shrink(scenario: &Scenario, breaks: impl Fn(&Scenario) -> bool) -> Scenario {
    let mut best = scenario.clone();
    let mut tries = 0;
    loop {
        let smaller = candidates(&best).into_iter().find(|candidate| {
            tries += 1;
            tries <= TRIES_MAX && breaks(candidate)
        });
        match smaller {
            Some(smaller) => best = smaller,
            None => return best,
        }
    }
}

/// Everything a little smaller, the largest steps first.
fn candidates(of: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    for number in 0..of.rounds.len() {
        let mut less = of.clone();
        less.rounds.remove(number);
        all.push(less);
    }
    for number in 0..of.rounds.len() {
        let with = |change: &dyn Fn(&mut Round)| {
            let mut less = of.clone();
            change(&mut less.rounds[number]);
            less
        };
        let round = &of.rounds[number];
        all.extend((0..round.faults.len()).map(|at| with(&|round| drop(round.faults.remove(at)))));
        all.extend((0..round.person.len()).map(|at| with(&|round| drop(round.person.remove(at)))));
        let half = round.changes.len() / 2;
        if half > 1 {
            all.push(with(&|round| drop(round.changes.drain(..half))));
            all.push(with(&|round| drop(round.changes.drain(half..))));
        }
        all.extend((0..round.changes.len()).map(|at| with(&|round| drop(round.changes.remove(at)))));
        let plain = Options { keep_days: 30, ..Options::default() };
        if round.options != plain {
            all.push(with(&|round| round.options.clone_from(&plain)));
        }
        if round.hours != 1 {
            all.push(with(&|round| round.hours = 1));
        }
        all.extend((0..round.faults.len()).filter_map(|at| {
            let smaller = smaller_fault(&round.faults[at])?;
            Some(with(&|round| round.faults[at].clone_from(&smaller)))
        }));
        all.extend((0..round.changes.len()).filter_map(|at| {
            let Change::Write { path, bytes, zeros } = &round.changes[at] else { return None };
            let smaller = Change::Write { path: path.clone(), bytes: 1, zeros: 0 };
            ((*bytes, *zeros) != (1, 0)).then(|| with(&|round| round.changes[at].clone_from(&smaller)))
        }));
    }
    let plain = [
        Scenario { hard_links: true, ..of.clone() },
        Scenario { keeps_order: true, ..of.clone() },
        Scenario { folds_case: false, ..of.clone() },
        Scenario { coarse_times: false, ..of.clone() },
    ];
    all.extend(plain.into_iter().filter(|plain| plain != of));
    all
}

fn smaller_fault(fault: &Fault) -> Option<Fault> {
    match fault {
        Fault::Kill { nth, torn: true, power } => Some(Fault::Kill { nth: *nth, torn: false, power: *power }),
        Fault::Kill { nth, torn, power: Some(_) } => Some(Fault::Kill { nth: *nth, torn: *torn, power: None }),
        _ => None,
    }
}
