//! Limits of requests and answers.

use std::time::Duration;

/// Larger bodies are no jobs.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// What a stranger may send: a name and a password.
pub(super) const STRANGERS_BODY_BYTES_MAX: usize = 8 << 10;
/// A body that comes more slowly was lost.
pub(super) const BODY_WITHIN: Duration = Duration::from_secs(30);
/// A request that takes longer was lost; events go on after the answer has begun.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(120);
