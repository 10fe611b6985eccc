//! The source over SMB against a real Samba.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod fixture;
mod hostile;
mod inspect;
mod intent;
mod logon;
mod names;
mod proxy;
mod reading;
mod seeds;
mod suite;
