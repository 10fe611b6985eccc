//! `meta/meta.db`: what the filesystem itself cannot hold (links of another system, full names of cut ones, metadata).
//!
//! Part of the backup, not a cache. Every change is a transaction of its own in a write-ahead log, so a killed process
//! loses none of them; [`Records::settle`] makes them durable. It must never touch a file of the mirror. Anyone who
//! has it open is alone with it: a second opener gets [`Code::TargetBusy`].

mod beyond;
mod database;
mod details;
mod fault;
mod open;
mod schema;
mod seen;

pub(crate) use database::{Purpose, Records};
pub(crate) use details::{Detail, ObjectWriter, PieceKind};
pub use fault::is_want_of_room;
