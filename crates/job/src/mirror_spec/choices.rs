//! The choices that a mirror spec offers, in the words of the command line, the API and a jobs file alike.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// `--encrypt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncryptWhen {
    /// Wherever the server can; where it cannot, the report says so
    #[default]
    Auto,
    /// Always; a server that cannot is refused
    Require,
    /// Only where the server demands it
    Off,
}

/// `--min-dialect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
pub enum MinDialect {
    /// Windows 7, Server 2008 R2
    #[value(name = "2.1")]
    #[serde(rename = "2.1")]
    Smb21,
    /// Windows 8, Server 2012
    #[default]
    #[value(name = "3.0")]
    #[serde(rename = "3.0")]
    Smb30,
    /// Windows 8.1, Server 2012 R2
    #[value(name = "3.0.2")]
    #[serde(rename = "3.0.2")]
    Smb302,
    /// Windows 10, Server 2016
    #[value(name = "3.1.1")]
    #[serde(rename = "3.1.1")]
    Smb311,
}

/// `--compare`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompareBy {
    /// Last write time or size differ
    #[default]
    Time,
    /// Also if the change time is another than when it was copied
    ChangeTime,
    /// Also read and compare files whose time and size are equal
    Content,
}

/// `--metadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetadataKept {
    /// Attributes, creation time, permissions, streams and extended attributes too
    #[default]
    Full,
    /// Data and last write times only
    Basic,
    /// As full, and read again for every entry: for servers that report no change time, as Samba does
    Refresh,
}

/// `--live-files`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LiveFiles {
    /// Keep the last whole copy
    #[default]
    Keep,
    /// Copy the beginning, as far as it goes when it is read
    Copy,
}

/// `--backup-intent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// Ask for it, and go on without where it does not help
    #[default]
    Auto,
    /// Ask for it; any access denied makes the run fail
    Require,
    /// Do not ask
    Off,
}
