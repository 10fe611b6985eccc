//! Where a mirror's files come from.

use octo_core::Account;
use octo_core::path::{bytes_to_text, os_bytes, os_path, text_to_bytes};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where the files come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Origin {
    /// A folder of this machine.
    Local {
        /// Its absolute path, in the reversible text form of paths.
        path: String,
    },
    /// A share.
    Smb {
        /// `//HOST[:PORT]/SHARE[/PATH]`.
        address: String,
        /// Who logs on; empty for a guest, and where tickets say it.
        account: Account,
    },
    /// A folder of a machine with an agent; only a server reaches it.
    Agent {
        /// `agent://HOST/FOLDER`.
        address: String,
    },
}

impl Origin {
    /// A folder of this machine.
    pub fn local(path: &Path) -> Origin {
        Origin::Local { path: bytes_to_text(&os_bytes(path)) }
    }

    /// The folder; `None` for what is elsewhere.
    pub fn local_path(&self) -> Option<PathBuf> {
        let Origin::Local { path } = self else { return None };
        Some(text_to_bytes(path).and_then(os_path).unwrap_or_default())
    }

    /// For reports: without secrets.
    pub fn label(&self) -> String {
        match self {
            Origin::Local { path } => path.clone(),
            Origin::Smb { address, .. } | Origin::Agent { address } => address.clone(),
        }
    }
}
