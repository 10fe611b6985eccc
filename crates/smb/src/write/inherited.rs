//! The access list of a restored file of which the state has none, or none that the account may set.
//!
//! A file is staged at the root of the target, and a rename keeps its list: without this it would be as open as the root is. It
//! gets the list of what it replaces, or else the one that a new file in its folder inherits. (MS-SMB2 2.2.37, 2.2.39.)

use super::details::ends;
use super::send::Connected;
use crate::wire::attribute;
use crate::wire::change::{Make, disposition, part, right};
use crate::wire::reply::Handle;
use crate::wire::request::option;
use octo_core::restore_target::{LostParts, Placing};
use octo_core::{Code, Error, Part};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Gives what is staged the list of its place, before it goes there. What cannot be done is said.
pub(super) async fn set(
    to: &Connected,
    (handle, rights, is_private): (Handle, u32, bool),
    place: &[u16],
    placing: &Placing,
) -> Result<LostParts, Error> {
    let mut lost = Vec::new();
    let mut say = |error: Error| match ends(&error) {
        true => Err(error),
        false => {
            let detail = format!("the access list of its place is not set: {}", error.detail);
            lost = vec![(Part::Security, Error::new(error.code, detail))];
            Ok(())
        }
    };
    let of_replaced = match &placing.replaces {
        Some(_) => of_replaced(to, place).await.map(Some).or_else(|error| say(error).map(|()| None))?,
        None => None,
    };
    let wanted = match of_replaced {
        Some(list) => Ok(list),
        None => of_new(to, &probe(place, placing)).await,
    };
    let done = match wanted {
        Ok(list) if rights & right::WRITE_DACL != 0 => match to.set_security(handle, part::DACL, &list).await {
            // A share without permissions has none to lose.
            Err(error) if error.code == Code::TargetEntry && !is_private => Ok(()),
            done => done,
        },
        Ok(_) => Err(Error::new(Code::AccessDenied, "the account may not set access lists")),
        Err(error) => Err(error),
    };
    done.or_else(say)?;
    Ok(lost)
}

async fn of_replaced(to: &Connected, place: &[u16]) -> Result<Vec<u8>, Error> {
    let access = right::READ_CONTROL | right::READ_ATTRIBUTES | right::SYNCHRONIZE;
    let options = option::OPEN_REPARSE_POINT;
    of(to, &Make { path: place, access, attributes: 0, disposition: disposition::OPEN, options }).await
}

/// What a new file inherits there: one is made for it that goes as it is closed, by whom ever. One that a server left as it died has
/// the same name, and goes with it.
async fn of_new(to: &Connected, path: &[u16]) -> Result<Vec<u8>, Error> {
    let access = right::READ_CONTROL | right::READ_ATTRIBUTES | right::DELETE | right::SYNCHRONIZE;
    let options = option::NON_DIRECTORY_FILE | option::OPEN_REPARSE_POINT | option::DELETE_ON_CLOSE;
    let (attributes, disposition) = (attribute::HIDDEN, disposition::OPEN_OR_CREATE);
    of(to, &Make { path, access, attributes, disposition, options }).await
}

async fn of(to: &Connected, make: &Make<'_>) -> Result<Vec<u8>, Error> {
    let (open, _) = to.make(make).await?;
    let list = to.access_list(open.handle).await;
    // What is still open cannot be replaced.
    let closed = open.close().await;
    let list = list?;
    closed.map(|_| list)
}

/// A name beside `place` that nothing else has, and the same each time: that of the staging folder, and a number for the name.
fn probe(place: &[u16], placing: &Placing) -> Vec<u16> {
    let folder = place.iter().rposition(|unit| *unit == u16::from(b'\\')).map_or(0, |at| at + 1);
    let mut number = DefaultHasher::new();
    place[folder..].hash(&mut number);
    let staging = placing.stage.names().next().map_or_else(String::new, |name| name.to_string());
    let name = format!("{staging}-{:016x}", number.finish());
    place[..folder].iter().copied().chain(name.encode_utf16()).collect()
}
