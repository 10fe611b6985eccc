//! The engine's promises, kept on a real disk and on fakes.

mod crash;
mod disk;
mod loopfs;
mod pair;
mod support;
