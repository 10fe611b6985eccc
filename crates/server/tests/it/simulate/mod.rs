//! A seeded world for the server: jobs, slots, runs, messages and history under kills, clocks that jump, a disk that is full
//! or read-only, and people who change their minds; several of that at once. The server is the real one; what it must be
//! true to is said by `model`, `messages` and `answers`.
//!
//! Everything happens on one thread, so that a seed and a commit make the same world each time. `cargo xtask simulate
//! --world server` plays new ones.

mod act;
mod answers;
mod calendar;
mod carrier;
mod dice;
mod fate;
pub mod kept;
mod messages;
mod model;
mod play;
mod seen;
mod server;
pub mod shrink;
pub mod step;

pub use play::play;
pub use step::scenario;
