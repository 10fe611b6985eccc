//! The one service layer: everything that may be done with a server. REST, command line and web pages sit on
//! it and add nothing but form.
//!
//! Every method checks its input before it changes anything, and every change is in the audit log, in the same
//! transaction. Secrets go in and never come out.

mod access;
mod apply;
mod backup;
mod credential_uses;
mod credentials;
mod digest;
mod download;
mod history;
mod hosts;
mod jobs;
mod notify;
mod overlap_check;
mod page;
mod restore;
mod runs;
mod server;
#[expect(clippy::module_inception, reason = "the service is what this folder is about")]
mod service;

pub use access::LoggedOn;
pub use apply::ApplyRequest;
pub(crate) use credential_uses::{check as check_credential_use, use_of};
pub(crate) use credentials::{account, unlocked};
pub use download::DownloadAsked;
pub use history::{DiffAsked, FindNames};
pub use jobs::JobView;
pub use octo_api::{PAGE_DEFAULT, PAGE_MAX};
pub use page::ByName;
pub(crate) use restore::restore_folder;
use service::conflict;
pub use service::{Caller, Service};
