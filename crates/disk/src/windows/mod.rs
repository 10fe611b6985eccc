//! Windows: NT calls, all relative to a root handle. Not there yet.
