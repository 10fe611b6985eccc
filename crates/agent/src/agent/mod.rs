//! The program on the machine whose folders are backed up: it dials its server and answers, from the folders it may read.
//!
//! Nothing here knows what a server keeps; it imports nothing of `server`.

mod allowed_roots;
mod answer_memory;
mod frames;
#[cfg(test)]
mod hostile_memory_tests;
#[cfg(test)]
mod hostile_server_tests;
pub(crate) mod identity;
mod listing;
mod prefetch;
mod run;
pub(crate) mod serving;
mod walking;

pub use allowed_roots::AllowedRoots;
pub use run::{Event, enroll, run};
pub use serving::Roots;
