//! The source over SMB against a real Samba.

mod fixture;
mod hostile;
mod intent;
mod logon;
mod names;
mod proxy;
mod reading;
mod seeds;
