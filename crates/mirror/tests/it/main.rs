//! The engine's promises, kept on a real disk and on fakes.

mod disk;
mod loopfs;
mod pair;
mod support;
