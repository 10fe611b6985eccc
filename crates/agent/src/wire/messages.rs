//! What is said in JSON: few and small messages, in which later versions may say more.

use super::cursor::believed;
use super::fault;
use octo_core::{Code, Error, SourceFeatures, SourcePin};
use serde::{Deserialize, Serialize};

/// The largest JSON text believed.
pub(crate) const JSON_BYTES_MAX: usize = 64 << 10;

/// The server introduces itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub version: String,
    pub clock_ticks: i64,
}

/// The agent introduces itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Introduction {
    /// Of its software.
    pub version: String,
    /// What its machine calls itself.
    pub host: String,
    /// Its operating system and processor.
    pub system: String,
    /// Its clock, in 100 ns since 1970.
    pub clock_ticks: i64,
    /// What it may read.
    pub roots: Vec<String>,
}

/// A folder is to be read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Open {
    pub root: String,
}

/// Who the folder is and how to use it, or why not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Opened {
    Ok(Shape),
    Error { code: String, detail: String },
}

/// A folder that can be read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub path: String,
    pub volume: String,
    pub folds_case: bool,
    pub stable_ids: bool,
    pub hides_unreadable: bool,
    #[serde(default)]
    pub has_metadata: bool,
    /// It knows `walk`.
    #[serde(default)]
    pub walks: bool,
}

impl Opened {
    pub fn new(opened: Result<(SourcePin, SourceFeatures), Error>) -> Opened {
        match opened {
            Ok((pin, features)) => Opened::Ok(Shape {
                path: pin.path,
                volume: pin.volume,
                folds_case: features.folds_case,
                stable_ids: features.stable_ids,
                hides_unreadable: features.hides_unreadable,
                has_metadata: features.has_metadata,
                walks: true,
            }),
            Err(error) => Opened::Error { code: error.code.as_str().to_owned(), detail: error.detail },
        }
    }

    /// Whatever the agent says, a folder that cannot be opened stops the run.
    pub fn result(self) -> Result<Shape, Error> {
        match self {
            Opened::Ok(shape) => Ok(shape),
            Opened::Error { code, detail } => {
                let code = believed(&code);
                let code = if code.stops_run() { code } else { Code::SourceMissing };
                Err(Error::new(code, printable(&detail)))
            }
        }
    }
}

/// An agent asks for a certificate.
#[derive(Serialize, Deserialize)]
pub(crate) struct PairRequest {
    /// Of the token, in hexadecimal digits; none to renew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The uncompressed point of its key, in hexadecimal digits.
    pub public_key: String,
    pub host: String,
    pub version: String,
}

/// The server's answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PairAnswer {
    Ok { agent: String, certificate: String, authority: String },
    Error(String),
}

/// A stranger's text, fit for a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(1024).map(|c| if octo_core::printable::is_hidden(c) { '\u{FFFD}' } else { c }).collect()
}

/// Reads JSON of a stranger.
pub(crate) fn parse<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|_| fault("a message is not what it should be"))
}

/// Writes JSON.
pub(crate) fn json(message: &impl Serialize) -> Vec<u8> {
    // Our own plain structures: there is nothing in them that could not be written.
    serde_json::to_vec(message).unwrap_or_default()
}
