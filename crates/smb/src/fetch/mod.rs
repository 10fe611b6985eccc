//! Fetching a batch of files: small ones by one message each (open, read, close), many in flight; large ones by a
//! window of reads. What the sink is given always comes from the file's own handle. Files that were on their way when a
//! connection was lost are handed back, to be fetched over another one.

mod begun;
mod budget;
mod details;
mod fetcher;
mod large;
mod small;
mod sparse;

pub(crate) use budget::Budget;
pub(crate) use fetcher::{Batch, fetch};
