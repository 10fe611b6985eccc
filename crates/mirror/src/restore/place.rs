//! Gives restored entries their names.

use super::decide::Action;
use octo_core::{Code, Done, Error, Meta, Name, RelPath, Target};

/// Names that are tried for a file that is kept beside another.
const NAMES_TRIED: u32 = 1000;

/// The last look and the rename. `seen` is what was there when it was decided.
pub fn put(
    target: &dyn Target,
    stage: &RelPath,
    place: &RelPath,
    action: Action,
    seen: Option<&Meta>,
) -> Result<(), Error> {
    let moved = |what: &str| Err(Error::new(Code::TargetMoved, format!("{place}: {what}")));
    let there = target.look(place)?;
    let done = match action {
        Action::Replace if there.as_ref().map(of_note) == seen.map(of_note) => target.rename_over(stage, place)?,
        Action::Replace => return moved("it was changed there while the restore was under way"),
        _ if there.is_some() => return moved("something was put there while the restore was under way"),
        _ if target.abilities().rename_noreplace => target.rename_new(stage, place)?,
        _ => target.rename_over(stage, place)?,
    };
    match done {
        Done::Yes => Ok(()),
        Done::Exists => moved("something was put there while the restore was under way"),
        Done::Missing | Done::NotEmpty => moved("the folder that it goes into is gone"),
    }
}

/// What makes an entry another one.
fn of_note(meta: &Meta) -> (octo_core::Kind, u64, octo_core::Timestamp, Option<octo_core::FileId>) {
    (meta.kind, meta.size_bytes, meta.write_time, meta.id)
}

/// A free name beside `name`, such as `report (state 12).docx`; or that of one of which `is_same` says that it is there already.
pub fn beside(
    target: &dyn Target,
    folder: &RelPath,
    name: &Name,
    words: &str,
    is_same: impl Fn(&Meta) -> bool,
) -> Result<(RelPath, bool), Error> {
    let bytes = name.as_bytes();
    // What begins with a dot has no extension.
    let dot = bytes.iter().rposition(|b| *b == b'.').filter(|at| *at > 0).unwrap_or(bytes.len());
    let (stem, extension) = bytes.split_at(dot);
    for number in 1..=NAMES_TRIED {
        let number = if number == 1 { String::new() } else { format!(" {number}") };
        let name = [stem, words.as_bytes(), number.as_bytes(), extension].concat();
        let place = Name::new(name).map(|name| folder.join(&name));
        let place = place.map_err(|bad| Error::new(Code::TargetEntry, bad.reason()))?;
        match target.look(&place)? {
            None => return Ok((place, false)),
            Some(meta) if is_same(&meta) => return Ok((place, true)),
            Some(_) => {}
        }
    }
    Err(Error::new(Code::TargetMoved, format!("{}: all names beside it are taken", folder.join(name))))
}
