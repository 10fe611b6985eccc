//! The command line of notifications: recipients, mail server, outbox and digest.

use super::ServerArgs;
use super::words::one_of;
use clap::{Args, Subcommand};
use octo_api::notify::{Security, When};

/// `octobackup notify`.
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Set or show the mail server
    MailServer(MailServerArgs),
    /// Add or change a recipient
    Set(NotifyAddArgs),
    /// List recipients
    List(ServerArgs),
    /// Remove a recipient
    Remove(NotifyNameArgs),
    /// Send a test message and wait until it is accepted
    Test(NotifyNameArgs),
    /// Set when the digest is sent [default: daily 07:00]
    Digest(DigestScheduleArgs),
    /// List sent and queued messages, newest first
    Outbox(OutboxArgs),
}

/// `octobackup notify mail-server`.
#[derive(Debug, Args)]
pub struct MailServerArgs {
    /// Name, and port if it is not the usual one
    #[arg(value_name = "HOST[:PORT]", requires = "from")]
    pub host: Option<String>,
    /// The sender's address
    #[arg(long, value_name = "ADDRESS", requires = "host")]
    pub from: Option<String>,
    /// Its port [default: 587 with starttls, 465 with tls, 25 with none]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// Protection of the connection: starttls, tls, or none
    #[arg(long, value_name = "HOW", default_value_t, value_parser = one_of::<Security>())]
    pub security: Security,
    /// The credential to log on with
    #[arg(long, value_name = "NAME")]
    pub credential: Option<String>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup notify set`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("way").required(true).args(["mail", "webhook", "heartbeat"])))]
pub struct NotifyAddArgs {
    /// The recipient's name; an existing one is replaced
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Mail to this address (may be repeated)
    #[arg(long, value_name = "ADDRESS")]
    pub mail: Vec<String>,
    /// POST JSON to this URL
    #[arg(long, value_name = "URL")]
    pub webhook: Option<String>,
    /// Call this URL after each good run; {job} becomes the job's name
    #[arg(long, value_name = "URL")]
    pub heartbeat: Option<String>,
    /// Which messages: always, problems, or digest
    #[arg(long, value_name = "WHEN", default_value_t, value_parser = one_of::<When>())]
    pub when: When,
    /// Only for this job (may be repeated)
    #[arg(long = "job", value_name = "JOB")]
    pub jobs: Vec<String>,
    /// The credential whose secret signs webhooks
    #[arg(long, value_name = "NAME", requires = "webhook")]
    pub credential: Option<String>,
    /// Show times in this zone [default: that of the server's defaults]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// A recipient, by name.
#[derive(Debug, Args)]
pub struct NotifyNameArgs {
    /// Their name
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup notify outbox`.
#[derive(Debug, Args)]
pub struct OutboxArgs {
    /// At most N
    #[arg(long, value_name = "N", default_value_t = octo_api::SHOWN_DEFAULT)]
    pub limit: u32,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup notify digest`.
#[derive(Debug, Args)]
pub struct DigestScheduleArgs {
    /// When, as for a job: "daily 07:00", "mon..fri 06:30"; "never" for no digest
    #[arg(value_name = "WHEN")]
    pub schedule: String,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `octobackup digest`.
#[derive(Debug, Args)]
pub struct DigestArgs {
    /// Of the last N hours
    #[arg(long, value_name = "N", default_value_t = octo_api::DIGEST_HOURS_DEFAULT)]
    pub hours: u32,
    /// As a page for a browser or a mail client
    #[arg(long, conflicts_with = "json")]
    pub html: bool,
    /// Show times in this zone, such as Europe/Berlin [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    #[command(flatten)]
    pub server: ServerArgs,
}
