//! Copies batches of files: fetches them, stages them, checks that they did not change meanwhile, gives them their place.
//!
//! A copy is stamped with the time and size of its own open handle. If those moved while it was read, or fewer bytes
//! came than announced, it is read again at once, then at the end of the run, then reported; a copy that is not whole
//! never gets a place.

mod again;
mod batch;
mod copier;
pub(crate) mod gathering;
mod hashing;
mod live;
mod metadata;
mod needed;
mod postponed;
mod rounds;
mod stage;
mod task;
mod throttle;
mod top;

pub use copier::Copier;
pub use needed::{note_needed, remark as space_remark};
pub use postponed::{Postponed, may_wait};
#[cfg(any(test, feature = "fuzzing"))]
pub use stage::parts_there;
pub use task::Task;
