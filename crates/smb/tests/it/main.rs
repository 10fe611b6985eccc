//! The source over SMB against a real Samba.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod behind_logon;
mod fixture;
mod grudging;
mod hostile;
mod inspect;
mod intent;
mod kerberos;
mod logon;
mod middle_kdc;
mod middleman;
mod names;
mod other_protocols;
mod protection;
mod proxy;
mod reading;
mod reconnect;
mod relay;
mod restore;
mod restore_faults;
mod robust;
mod seeds;
mod sparse;
mod suite;
mod wide;
