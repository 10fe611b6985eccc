//! Names for what is restored beside something else.

use octo_core::{Code, Error, Meta, Name, RelPath, RestoreTarget};

/// Names that are tried for a file that is kept beside another.
const NAMES_TRIED: u32 = 1000;

/// What is at one path.
pub fn look(target: &dyn RestoreTarget, path: &RelPath) -> Result<Option<Meta>, Error> {
    let looked = target.look(std::slice::from_ref(path)).pop();
    looked.unwrap_or_else(|| Err(Error::new(Code::TargetFailed, "a look without an answer")))
}

/// A free name beside `name`, such as `report (state 12).docx`; or that of one of which `is_same` says that it is there already.
pub fn beside(
    target: &dyn RestoreTarget,
    folder: &RelPath,
    name: &Name,
    words: &str,
    is_same: impl Fn(&RelPath, &Meta) -> Result<bool, Error>,
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
        match look(target, &place)? {
            None => return Ok((place, false)),
            Some(meta) if is_same(&place, &meta)? => return Ok((place, true)),
            Some(_) => {}
        }
    }
    Err(Error::new(Code::TargetMoved, format!("{}: all names beside it are taken", folder.join(name))))
}
