//! Recipients and the mail server, as a person writes them.

use crate::service_error::ServiceError;
use octo_job::check_name;
use octo_job::schedule::zone;
use serde::{Deserialize, Serialize};

#[cfg(unix)]
/// The setting that holds the mail server.
pub(crate) const MAIL_SERVER: &str = "mail-server";

/// Mail addresses of one recipient.
const ADDRESSES_MAX: usize = 50;
/// The longest that a mail server takes.
const ADDRESS_BYTES_MAX: usize = 254;
const URL_BYTES_MAX: usize = 2048;
/// Stands in a heartbeat's address for the name of the job.
pub(super) const JOB: &str = "{job}";

/// Somebody who is told, and by which way: exactly one of `mail`, `webhook` and `heartbeat`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    /// What they are called.
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
    /// What they are told.
    #[serde(default)]
    pub when: When,
    /// Of these jobs only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<Vec<String>>,
    /// By the clocks of this zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// What somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Every run, and the digest.
    Always,
    /// Runs that were not complete, and the digest.
    #[default]
    Problems,
    /// The digest.
    Digest,
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
    /// By which way. A refusal if none or several are given.
    pub fn way(&self) -> Result<Way<'_>, ServiceError> {
        match (&self.mail, &self.webhook, &self.heartbeat) {
            (Some(addresses), None, None) => Ok(Way::Mail(addresses)),
            (None, Some(url), None) => Ok(Way::Webhook(url)),
            (None, None, Some(url)) => Ok(Way::Heartbeat(url)),
            _ => Err(ServiceError::field("recipient", "exactly one of mail, webhook and heartbeat must be given")),
        }
    }

    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<(), ServiceError> {
        check_name(&self.name)?;
        match self.way()? {
            Way::Mail(addresses) => {
                if addresses.is_empty() || addresses.len() > ADDRESSES_MAX {
                    return Err(ServiceError::field("mail", format!("allowed are 1 to {ADDRESSES_MAX} addresses")));
                }
                addresses.iter().try_for_each(|address| check_address("mail", address))?;
            }
            Way::Webhook(url) => check_url("webhook", url)?,
            Way::Heartbeat(url) => check_url("heartbeat", &url.replace(JOB, "job"))?,
        }
        if self.credential.is_some() && self.webhook.is_none() {
            return Err(ServiceError::field("credential", "only a webhook is signed; the mail server has its own"));
        }
        if let Some(name) = &self.time_zone {
            zone(name).map_err(|why| ServiceError::field("time_zone", format!("{name:?}: {why}")))?;
        }
        self.jobs
            .iter()
            .flatten()
            .try_for_each(|name| check_name(name).map_err(|error| ServiceError::field("jobs", error.detail)))
    }
}

/// The server that takes our mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// How the way to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// TLS after a word in the clear; never without.
    #[default]
    Starttls,
    /// TLS from the beginning.
    Tls,
    /// Not at all.
    None,
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

    /// Refuses what makes no sense.
    pub fn check(&self) -> Result<(), ServiceError> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
        if self.host.is_empty() || self.host.len() > 253 || !self.host.chars().all(is_part) {
            return Err(ServiceError::field("host", format!("{:?}: allowed is a name or an address", self.host)));
        }
        if self.port == Some(0) {
            return Err(ServiceError::field("port", "allowed are 1 to 65535"));
        }
        if self.security == Security::None && self.credential.is_some() {
            return Err(ServiceError::field("security", "without TLS a password would be read by anybody on the way"));
        }
        check_address("from", &self.from)
    }
}

fn check_address(field: &str, address: &str) -> Result<(), ServiceError> {
    let is_right = address.len() <= ADDRESS_BYTES_MAX
        && address
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && address.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>(),;:\\\"[]".contains(&byte));
    if is_right { Ok(()) } else { Err(ServiceError::field(field, format!("{address:?}: allowed is NAME@HOST"))) }
}

fn check_url(field: &str, url: &str) -> Result<(), ServiceError> {
    let wrong =
        |why: &str| Err(ServiceError::field(field, format!("{why}; allowed is https://HOST/PATH or http://HOST/PATH")));
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return wrong("it is no web address");
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || url.len() > URL_BYTES_MAX || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("it is no web address");
    }
    if host.contains('@') {
        return wrong("it holds a password");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_input_names_the_field() {
        let table = [
            (r#"{"name":"ops"}"#, "recipient"),
            (r#"{"name":"ops","mail":["a@b"],"webhook":"https://x"}"#, "recipient"),
            (r#"{"name":"o p","mail":["a@b"]}"#, "name"),
            (r#"{"name":"ops","mail":[]}"#, "mail"),
            (r#"{"name":"ops","mail":["a@b\r\nBcc: c@d"]}"#, "mail"),
            (r#"{"name":"ops","mail":["a@b@c"]}"#, "mail"),
            (r#"{"name":"ops","webhook":"ftp://x"}"#, "webhook"),
            (r#"{"name":"ops","webhook":"https://"}"#, "webhook"),
            (r#"{"name":"ops","webhook":"https://me:pw@x/"}"#, "webhook"),
            (r#"{"name":"ops","heartbeat":"x"}"#, "heartbeat"),
            (r#"{"name":"ops","heartbeat":"https://x/","credential":"c"}"#, "credential"),
            (r#"{"name":"ops","mail":["a@b"],"time_zone":"Mars"}"#, "time_zone"),
            (r#"{"name":"ops","mail":["a@b"],"jobs":["a/b"]}"#, "jobs"),
        ];
        for (text, field) in table {
            let refusal = serde_json::from_str::<Recipient>(text).unwrap().check().expect_err(text);
            assert_eq!(refusal.field.as_deref(), Some(field), "{text}: {refusal}");
            assert!(!refusal.detail.contains("pw"), "{refusal}");
        }
        for right in [r#"{"name":"a","mail":["a+b@c.de"]}"#, r#"{"name":"a","heartbeat":"https://x/{job}?a=b"}"#] {
            serde_json::from_str::<Recipient>(right).unwrap().check().unwrap();
        }
    }

    #[test]
    fn no_password_goes_to_a_mail_server_in_the_clear() {
        let server = |security| MailServer {
            host: "mail".into(),
            port: None,
            security,
            credential: Some("c".into()),
            from: "a@b".into(),
        };
        assert_eq!(server(Security::None).check().unwrap_err().field.as_deref(), Some("security"));
        assert_eq!((server(Security::Tls).port(), server(Security::Starttls).port()), (465, 587));
        server(Security::Starttls).check().unwrap();
    }
}
