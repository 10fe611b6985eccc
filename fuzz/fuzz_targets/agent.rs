//! Both decoders of the agent's protocol: an even first byte makes the rest a hostile agent's answer, an odd one a hostile
//! server's request.
//!
//! Run with `cargo +nightly fuzz run agent`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((choice, rest)) if choice % 2 == 0 => octo_agent::fuzzing::answers(rest),
        Some((_, rest)) => octo_agent::fuzzing::orders(rest),
        None => {}
    }
});
