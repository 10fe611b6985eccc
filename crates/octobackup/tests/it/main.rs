//! The real program, end to end: on local folders and on a real Samba.

mod held;
mod local;
mod secrets;
mod share;
mod stop;
mod world;
