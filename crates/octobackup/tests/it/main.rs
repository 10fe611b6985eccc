//! The real program, end to end: on local folders and on a real Samba.
#![allow(clippy::disallowed_methods, reason = "tests read the clock and delete what they made")]
#![allow(clippy::unwrap_used, reason = "a test fails in no other way")]

mod access;
mod admin;
mod agent;
mod backup;
mod calls;
mod clock;
mod connection;
mod doctor;
mod endless;
mod fair;
mod generate;
mod held;
mod history;
mod hung;
mod jobs;
mod lasting;
mod live;
mod local;
mod log;
mod metadata;
mod metrics;
mod night;
mod notify;
mod openapi;
mod outage;
mod owner;
mod posix;
#[cfg(target_os = "linux")]
mod powercut;
mod reparse;
mod restore;
mod run_log;
mod secrets;
mod server;
mod share;
mod shown;
mod stop;
mod tampered;
mod terminal;
mod unmounted;
mod unread;
mod verify;
mod wine;
mod world;
