//! What a notification is about. Its words are made when it is sent.

use crate::moment::Moment;
use serde::{Deserialize, Serialize};

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// That telling works.
    Test,
    /// How a run ended.
    Run(i64),
    /// How all jobs stand: what happened after `since`, up to `until`.
    Digest {
        /// After this moment,
        since: Moment,
        /// up to this one.
        until: Moment,
    },
}
