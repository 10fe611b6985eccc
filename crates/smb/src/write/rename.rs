//! Gives what is staged its name, by the handle that it was written with.

use super::look::look;
use super::send::Connected;
use crate::attempts::is_loss;
use crate::wire::attribute;
use crate::wire::change::{self, Make, class, disposition, right};
use crate::wire::reply::Handle;
use crate::wire::request::option;
use octo_core::restore_target::Placing;
use octo_core::{Code, Error};

/// Renames what is open, after a last look at what is there.
pub(super) async fn rename(to: &Connected, handle: Handle, place: &[u16], placing: &Placing) -> Result<(), Error> {
    let moved = |what: &str| Error::new(Code::TargetMoved, format!("{}: {what}", placing.place));
    let mut hidden_from = None;
    if let Some(seen) = &placing.replaces {
        match look(to, place).await? {
            Some(there) if there.is_still(seen) => hidden_from = Some(there),
            _ => return Err(moved("it was changed there while the restore was under way")),
        }
    }
    let is_read_only = hidden_from.is_some_and(|there| there.attributes & attribute::READ_ONLY != 0);
    if let Some(there) = hidden_from.filter(|_| is_read_only) {
        set_attributes(to, place, there.attributes & attribute::SETTABLE & !attribute::READ_ONLY).await?;
    }
    let renamed = to.set_file(handle, class::RENAME, change::rename(place, placing.replaces.is_some())).await;
    match renamed {
        Ok(()) => Ok(()),
        Err(error) => {
            if let Some(there) = hidden_from.filter(|_| is_read_only && !is_loss(&error)) {
                set_attributes(to, place, there.attributes & attribute::SETTABLE).await?;
            }
            match error.code {
                Code::TargetMoved => Err(moved(&error.detail)),
                // Windows says so of a file that somebody has open, too.
                Code::AccessDenied if placing.replaces.is_some() => {
                    Err(Error::new(Code::Locked, format!("it cannot be replaced: in use, or {}", error.detail)))
                }
                _ => Err(error),
            }
        }
    }
}

async fn set_attributes(to: &Connected, path: &[u16], attributes: u32) -> Result<(), Error> {
    let access = right::READ_ATTRIBUTES | right::WRITE_ATTRIBUTES;
    let options = option::OPEN_REPARSE_POINT;
    let make = Make { path, access, attributes: 0, disposition: disposition::OPEN, options };
    let (open, _) = to.make(&make).await?;
    let attributes = if attributes == 0 { attribute::NORMAL } else { attributes };
    to.set_file(open.handle, class::BASIC, change::basic(None, None, attributes)).await?;
    open.close().await.map(drop)
}
