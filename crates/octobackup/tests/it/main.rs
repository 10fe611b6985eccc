//! The real program, end to end.
