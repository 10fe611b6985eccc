//! The agent of octoBackup: a program on the machine whose folders are backed up, and what the server needs to talk to it.
//!
//! The rooms: `wire` is the protocol's bytes, without I/O.

#![allow(dead_code, unused_imports, reason = "the rooms that use the wire are being built")]

mod wire;
