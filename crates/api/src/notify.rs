//! Notifications: recipients, the mail server, what was sent and what waits, and the digest's schedule: `/recipients`,
//! `/mail-server`, `/outbox`, `/digest/schedule`.

use crate::moment::Moment;
use crate::words::words;
use serde::{Deserialize, Serialize};

/// A recipient, by exactly one of `mail`, `webhook` and `heartbeat`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recipient {
    /// What they are called. When one is set, the address of the request says it.
    #[serde(default)]
    pub name: String,
    /// Mail addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<Vec<String>>,
    /// An address that is sent JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// An address that is called after each good run; `{job}` in it is the job's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// The credential whose secret signs what a webhook is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Which messages.
    #[serde(default)]
    pub when: When,
    /// Of these jobs only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Vec<String>>,
    /// By the clocks of this zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

words! {
    /// Which messages a recipient gets.
    #[derive(Default)]
    When {
        /// Every run, and the digest.
        Always = "always",
        /// Runs that were not complete, and the digest.
        #[default]
        Problems = "problems",
        /// The digest.
        Digest = "digest",
    }
}

/// By which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way<'a> {
    /// To these addresses.
    Mail(&'a [String]),
    /// To this address.
    Webhook(&'a str),
    /// To this address.
    Heartbeat(&'a str),
}

impl Recipient {
    /// By which way; `None` if none or several are given.
    pub fn way(&self) -> Option<Way<'_>> {
        match (&self.mail, &self.webhook, &self.heartbeat) {
            (Some(addresses), None, None) => Some(Way::Mail(addresses)),
            (None, Some(url), None) => Some(Way::Webhook(url)),
            (None, None, Some(url)) => Some(Way::Heartbeat(url)),
            _ => None,
        }
    }
}

/// The server that takes our mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailServer {
    /// Its name.
    pub host: String,
    /// Its port; what is usual for its security, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the way to it is protected.
    #[serde(default)]
    pub security: Security,
    /// The account to log on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Who our mail is from.
    pub from: String,
}

words! {
    /// How the way to a mail server is protected.
    #[derive(Default)]
    Security {
        /// TLS after a word in the clear; never without.
        #[default]
        Starttls = "starttls",
        /// TLS from the beginning.
        Tls = "tls",
        /// Not at all.
        None = "none",
    }
}

impl MailServer {
    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        })
    }
}

/// What a message is about. Its words are made when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Message {
    /// A test.
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

/// One message to one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Counts up.
    pub id: i64,
    /// The recipient's name.
    pub recipient: String,
    /// What it is about.
    pub message: Message,
    /// When it was queued.
    pub queued_at: Moment,
    /// When it is tried next; nothing, once it was delivered or given up.
    pub next_try_at: Option<Moment>,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last try failed.
    pub last_error: Option<String>,
    /// When it was delivered.
    pub sent_at: Option<Moment>,
}

/// When the digest is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestSchedule {
    /// As for a job, or `never`.
    pub schedule: String,
}
