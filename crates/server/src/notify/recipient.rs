//! What is refused of recipients and of the mail server, as a person writes them.

use crate::service_error::ServiceError;
use octo_api::notify::{MailServer, Recipient, Security, Way};
use octo_job::check_name;
use octo_job::schedule::zone;

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

/// Refuses an invalid recipient.
pub fn check(recipient: &Recipient) -> Result<(), ServiceError> {
    check_name(&recipient.name)?;
    match way(recipient)? {
        Way::Mail(addresses) => {
            if addresses.is_empty() || addresses.len() > ADDRESSES_MAX {
                return Err(ServiceError::field("mail", format!("allowed are 1 to {ADDRESSES_MAX} addresses")));
            }
            addresses.iter().try_for_each(|address| check_address("mail", address))?;
        }
        Way::Webhook(url) => check_url("webhook", url)?,
        Way::Heartbeat(url) => check_url("heartbeat", &url.replace(JOB, "job"))?,
    }
    if recipient.credential.is_some() && recipient.webhook.is_none() {
        return Err(ServiceError::field("credential", "only a webhook is signed; the mail server has its own"));
    }
    if let Some(name) = &recipient.time_zone {
        zone(name).map_err(|why| ServiceError::field("time_zone", format!("{name:?}: {why}")))?;
    }
    recipient
        .jobs
        .iter()
        .flatten()
        .try_for_each(|name| check_name(name).map_err(|error| ServiceError::field("jobs", error.detail)))
}

/// The way to a recipient. An error if none or several are given.
pub fn way(recipient: &Recipient) -> Result<Way<'_>, ServiceError> {
    let wrong = || ServiceError::field("recipient", "exactly one of mail, webhook and heartbeat must be given");
    recipient.way().ok_or_else(wrong)
}

/// Refuses an invalid mail server.
pub fn check_server(server: &MailServer) -> Result<(), ServiceError> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if server.host.is_empty() || server.host.len() > 253 || !server.host.chars().all(is_part) {
        return Err(ServiceError::field("host", format!("{:?}: allowed is a name or an address", server.host)));
    }
    if server.port == Some(0) {
        return Err(ServiceError::field("port", "allowed are 1 to 65535"));
    }
    if server.security == Security::None && server.credential.is_some() {
        return Err(ServiceError::field("security", "without TLS a password would be read by anybody on the way"));
    }
    check_address("from", &server.from)
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
        return wrong("it is not a web address");
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || url.len() > URL_BYTES_MAX || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return wrong("it is not a web address");
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
            let error = check(&serde_json::from_str::<Recipient>(text).unwrap()).expect_err(text);
            assert_eq!(error.field.as_deref(), Some(field), "{text}: {error}");
            assert!(!error.detail.contains("pw"), "{error}");
        }
        for right in [r#"{"name":"a","mail":["a+b@c.de"]}"#, r#"{"name":"a","heartbeat":"https://x/{job}?a=b"}"#] {
            check(&serde_json::from_str::<Recipient>(right).unwrap()).unwrap();
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
        assert_eq!(check_server(&server(Security::None)).unwrap_err().field.as_deref(), Some("security"));
        assert_eq!((server(Security::Tls).port(), server(Security::Starttls).port()), (465, 587));
        check_server(&server(Security::Starttls)).unwrap();
    }
}
