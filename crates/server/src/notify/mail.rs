//! One message to a mail server.

use super::{MailServer, Security};
use lettre::message::header::ContentTransferEncoding;
use lettre::message::{Mailbox, MultiPart, SinglePart, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, Message, SmtpTransport, Transport};
use std::io::ErrorKind;
use std::time::Duration;
use zeroize::Zeroizing;

/// A mail server that says nothing for so long is not there.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// What is mailed.
#[derive(Debug, Clone)]
pub struct Text {
    /// The same for the same message, however often it is sent.
    pub id: String,
    /// The subject.
    pub subject: String,
    /// For those who read text.
    pub text: String,
    /// For those who read HTML.
    pub html: String,
}

/// The name and the password for the mail server.
pub type Account = Option<(String, Zeroizing<String>)>;

/// Sends it. `Ok` means that the server has taken it.
pub(super) fn send(server: &MailServer, account: Account, to: &[String], text: Text) -> Result<(), String> {
    let message = message(server, to, text)?;
    let parameters = || TlsParameters::new(server.host.clone()).map_err(|e| format!("TLS cannot be used: {e}"));
    let tls = match server.security {
        Security::None => Tls::None,
        Security::Starttls => Tls::Required(parameters()?),
        Security::Tls => Tls::Wrapper(parameters()?),
    };
    let mut transport = SmtpTransport::builder_dangerous(&server.host).port(server.port()).tls(tls);
    if let Some((name, secret)) = account {
        transport = transport.credentials(Credentials::new(name, secret.to_string()));
    }
    match transport.timeout(Some(SEND_TIMEOUT)).build().send(&message) {
        Ok(_) => Ok(()),
        Err(error) => Err(said(&server.host, &error)),
    }
}

fn message(server: &MailServer, to: &[String], text: Text) -> Result<Message, String> {
    let mailbox = |address: &str| -> Result<Mailbox, String> {
        let address: Address = address.parse().map_err(|e| format!("the address {address}: {e}"))?;
        Ok(Mailbox::new(None, address))
    };
    let mut builder = Message::builder().from(mailbox(&server.from)?).subject(text.subject);
    for address in to {
        builder = builder.to(mailbox(address)?);
    }
    let host = server.from.rsplit('@').next().unwrap_or("octobackup");
    let part = |kind, body: String| {
        SinglePart::builder().header(kind).header(ContentTransferEncoding::QuotedPrintable).body(body)
    };
    let both = MultiPart::alternative()
        .singlepart(part(header::ContentType::TEXT_PLAIN, text.text))
        .singlepart(part(header::ContentType::TEXT_HTML, text.html));
    builder
        .message_id(Some(format!("<{}@{host}>", text.id)))
        .header(AutoSubmitted)
        .multipart(both)
        .map_err(|e| format!("the mail cannot be written: {e}"))
}

/// Asks mail programs not to answer automatically, with a holiday greeting for example (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(AutoSubmitted)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The whole story: the outermost words alone say little.
fn said(host: &str, error: &dyn std::error::Error) -> String {
    let mut words = format!("the mail server {host}: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        let kind = inner.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        // A socket's time limit is reported as "Resource temporarily unavailable (os error 11)".
        if let Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) = kind {
            return format!("the mail server {host} did not answer within {} s", SEND_TIMEOUT.as_secs());
        }
        let inner_words = inner.to_string();
        if !words.contains(&inner_words) {
            words.push_str(": ");
            words.push_str(&inner_words);
        }
        cause = inner.source();
    }
    words
}
