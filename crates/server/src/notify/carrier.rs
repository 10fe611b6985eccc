//! The ways to recipients: what takes one message there.

use super::mail::{self, Account, Text};
use super::{MailServer, web};

/// Takes messages away. `Ok` means that the other side has taken it; after an error it may have, too.
pub trait Carrier: Send + Sync {
    /// One mail.
    fn mail(&self, server: &MailServer, account: Account, to: &[String], text: Text) -> Result<(), String>;

    /// JSON to an address, signed if there is a secret. `id` is the same for the same message.
    fn webhook(&self, url: &str, id: i64, body: &str, secret: Option<&str>) -> Result<(), String>;

    /// Calls an address.
    fn heartbeat(&self, url: &str) -> Result<(), String>;
}

/// Mail servers and web addresses.
pub(super) struct Network;

impl Carrier for Network {
    fn mail(&self, server: &MailServer, account: Account, to: &[String], text: Text) -> Result<(), String> {
        mail::send(server, account, to, text)
    }

    fn webhook(&self, url: &str, id: i64, body: &str, secret: Option<&str>) -> Result<(), String> {
        web::post(url, id, body, secret)
    }

    fn heartbeat(&self, url: &str) -> Result<(), String> {
        web::call(url)
    }
}
