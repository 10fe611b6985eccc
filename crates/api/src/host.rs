//! Machines with agents: `/hosts`.

use crate::moment::Moment;
use crate::words::words;
use serde::{Deserialize, Serialize};

words! {
    /// How a machine stands with the server.
    HostState {
        /// It has a token that can be used still.
        Invited = "invited",
        /// It had a token, and did not use it in time.
        Expired = "expired",
        /// Its certificate counts.
        Paired = "paired",
        /// No certificate of it counts any more.
        Revoked = "revoked",
    } or newer
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// What jobs call it.
    pub name: String,
    /// Stays the same when it is paired again.
    pub agent: String,
    /// How it stands with the server.
    pub state: HostState,
    /// Whether its agent is connected at this moment.
    pub is_connected: bool,
    /// When its agent was here last.
    pub last_seen: Option<Moment>,
    /// The version of its agent.
    pub version: Option<String>,
    /// How far its clock was ahead of the server's at its last connection, in seconds.
    pub clock_skew_secs: i64,
    /// Operating system and processor; only while it is connected.
    pub system: Option<String>,
    /// What it lets be read; only while it is connected.
    pub roots: Option<Vec<String>>,
    /// The agents that are connected with its identity, the first to come first: more than one if one of them is a copy. Then
    /// nothing of this host is read.
    #[serde(default)]
    pub agents: Vec<ConnectedAgent>,
    /// The jobs that read it.
    pub jobs: Vec<String>,
}

/// An agent that is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectedAgent {
    /// What its machine calls itself.
    pub machine: String,
    /// The address that it came from.
    pub address: String,
    /// The version of its software.
    pub version: String,
}

/// Lets a machine pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddHost {
    /// What jobs call it.
    pub name: String,
}

/// A token for pairing, shown once.
#[derive(Clone, Serialize, Deserialize)]
pub struct Invitation {
    /// The machine that it is for.
    pub host: String,
    /// For `octobackup-agent enroll`.
    pub token: String,
    /// Until when it works.
    pub expires_at: Moment,
}
