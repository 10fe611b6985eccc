//! A source and a mirror's store in memory: fast enough to try every case, and able to do what no real disk does on
//! demand.

mod details;
mod power;
mod source;
mod store;
mod target;
mod tree;

pub use details::Details;
pub use power::PowerLoss;
pub use source::MemSource;
pub use target::MemTarget;
pub use tree::MemTree;
