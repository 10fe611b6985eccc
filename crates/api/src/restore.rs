//! Restores by a server: what is asked for with `POST /jobs/{name}/restores`, and what a run of the kind `restore` says of itself.

use crate::words::words;
use serde::{Deserialize, Serialize};

words! {
    /// What becomes of files that are there already, with another size or time.
    #[derive(Default)]
    Existing {
        /// They stay, and the restored one gets another name beside them.
        #[default]
        KeepBoth = "keep-both",
        /// They are replaced.
        Replace = "replace",
        /// They are replaced if they were last written before the restored one; else they stay.
        ReplaceOlder = "replace-older",
        /// They stay, and the other one is not restored.
        Keep = "keep",
    }
}

/// Where to: one of `folder`, `share` and `source`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreTo {
    /// A folder of the server's machine; one of those that its configuration allows, or below one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// A folder of a share: `//HOST/SHARE/FOLDER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<String>,
    /// The stored account that logs on to the share. The job's own, if none is named and the folder is its source or below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Where the job copies from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub source: bool,
}

impl RestoreTo {
    /// To a folder of the server's machine.
    #[must_use]
    pub fn folder(folder: impl Into<String>) -> RestoreTo {
        RestoreTo { folder: Some(folder.into()), ..RestoreTo::default() }
    }

    /// To a folder of a share.
    #[must_use]
    pub fn share(address: impl Into<String>, credential: Option<String>) -> RestoreTo {
        RestoreTo { share: Some(address.into()), credential, ..RestoreTo::default() }
    }

    /// To where the job copies from.
    #[must_use]
    pub fn source() -> RestoreTo {
        RestoreTo { source: true, ..RestoreTo::default() }
    }
}

/// A restore that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRestore {
    /// A state's number, a moment, or `now`.
    #[serde(default = "now")]
    pub state: String,
    /// Files and folders, by their paths on the source in the reversible text form; everything if there are none.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Where to.
    pub to: RestoreTo,
    /// What becomes of files that are there already.
    #[serde(default)]
    pub existing: Existing,
    /// Look, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

fn now() -> String {
    "now".to_owned()
}

/// A restore, as its run keeps it. Whether it is a dry run says the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// The number of the state.
    pub state: u64,
    /// Files and folders; everything if there are none.
    pub paths: Vec<String>,
    /// Where to.
    pub to: RestoreTo,
    /// What becomes of files that are there already.
    pub existing: Existing,
    /// Jobs that were paused for it, because the folder is their source, lies in it, or contains it: a restore that is not
    /// whole yet must not be mirrored. A person resumes them.
    pub pauses: Vec<String>,
}

impl Restore {
    /// The folder that is restored to, of the server's machine or of a share.
    #[must_use]
    pub fn place(&self) -> &str {
        self.to.folder.as_deref().or(self.to.share.as_deref()).unwrap_or_default()
    }
}
