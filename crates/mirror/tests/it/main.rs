//! The engine's promises, kept on a real disk and on fakes.

mod crash;
mod disk;
mod faults;
mod loopfs;
mod pair;
mod support;
