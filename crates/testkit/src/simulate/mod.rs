//! A world that follows from a seed: the real engine between a source and a store in memory, with several faults in one run, and a
//! person and a clock between the runs. After each run a model says what must be true.
//!
//! The model ([`model`]) is DESIGN sections 3 and 4 as code, written naively: it must never ask the engine. One seed decides
//! everything; with one worker a side the same seed and the same program give the same world, effect by effect. The engine comes as
//! a function, because this crate leans on core only.

mod apply;
mod batch;
mod clock;
mod generate;
mod model;
mod play;
mod random;
mod scenario;
mod shrink;
mod source;
mod store;
mod view;

pub use batch::{Plan, Sum, play_many};
pub use generate::{Focus, generate};
pub use model::Broken;
pub use play::{Played, play};
pub use random::Random;
pub use scenario::{Act, Call, Change, Fault, ListFault, Options, Power, ReadFault, Round, Scenario};
pub use shrink::shrink;

use crate::tree::Tree;
use octo_core::{Cancel, Clock, Error, Filter, Monitor, RunReport, Source, Target};
use std::time::Duration;

/// What the engine is asked for in one run.
#[derive(Debug, Clone)]
pub struct Asked {
    /// What belongs to the job.
    pub filter: Filter,
    /// What the person set.
    pub options: Options,
    /// Threads a side.
    pub workers: usize,
    /// The plan that is approved.
    pub approve: Option<String>,
    /// A person looked at the suspicious replacements.
    pub release_brake: bool,
    /// The mirror's id, as it was reported by the last run that ended.
    pub known_target: Option<String>,
    /// After so long the source is given up.
    pub idle_max: Option<Duration>,
}

/// What a run leaves behind for its caller: its report, and the mirror's id.
pub type Answer = (RunReport, Option<String>);

/// One run of the engine.
pub type Run = fn(&dyn Source, &dyn Target, &Asked, &dyn Monitor, &dyn Clock, &Cancel) -> Answer;

/// The engine.
#[derive(Clone, Copy)]
pub struct Engine {
    /// One run.
    pub run: Run,
    /// The mirror before a run, as the engine shows it, by the paths under which entries are stored.
    pub before: fn(&dyn Target, u64) -> Result<Tree, Error>,
}
