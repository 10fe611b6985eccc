//! What becomes of an entry of a state where something may be already. Pure.

use octo_core::{Abilities, Kind, Meta};

/// What becomes of files that are there already, with other content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// They stay, and the state's file gets another name beside them.
    #[default]
    KeepBoth,
    /// The state's file replaces them.
    Replace,
    /// The state's file replaces those that were written before it; newer ones stay.
    ReplaceOlder,
    /// They stay, and the state's file is not restored.
    Keep,
}

/// What becomes of one entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing is there: it is made.
    Create,
    /// It is there already. Of a folder: what is in it is looked at.
    Same,
    /// It is made under another name.
    Beside,
    /// It replaces what is there.
    Replace,
    /// What is there stays.
    Leave,
    /// What is there is of another kind, and is not replaced.
    InTheWay,
}

/// Decides. Times are compared as the target keeps them.
pub fn decide(existing: Existing, was: &Meta, there: Option<&Meta>, abilities: &Abilities) -> Action {
    let Some(there) = there else { return Action::Create };
    let time = abilities.times.represent(was.write_time);
    match (was.kind, there.kind) {
        (Kind::Folder, Kind::Folder) => return Action::Same,
        (Kind::File, Kind::File) if was.size_bytes == there.size_bytes && time == there.write_time => {
            return Action::Same;
        }
        _ => {}
    }
    match existing {
        Existing::KeepBoth => Action::Beside,
        Existing::Keep => Action::Leave,
        _ if was.kind == Kind::Folder || there.kind == Kind::Folder => Action::InTheWay,
        Existing::Replace => Action::Replace,
        Existing::ReplaceOlder if there.write_time < time => Action::Replace,
        Existing::ReplaceOlder => Action::Leave,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::Timestamp;

    #[test]
    fn nothing_is_replaced_unasked_and_no_folder_ever() {
        let abilities = Abilities::full("test");
        let file = |size, time| Meta::new(Kind::File, size, Timestamp(time));
        let folder = Meta::new(Kind::Folder, 0, Timestamp(5));
        let link = Meta::new(Kind::Link, 0, Timestamp(5));
        let of = |existing, was: Meta, there: Option<Meta>| decide(existing, &was, there.as_ref(), &abilities);
        use Existing::{Keep, KeepBoth, Replace, ReplaceOlder};
        for existing in [Keep, KeepBoth, Replace, ReplaceOlder] {
            assert_eq!(of(existing, file(1, 5), None), Action::Create);
            assert_eq!(of(existing, file(1, 5), Some(file(1, 5))), Action::Same);
            assert_eq!(of(existing, folder, Some(folder)), Action::Same);
        }
        for (existing, other, older, newer, kind) in [
            (KeepBoth, Action::Beside, Action::Beside, Action::Beside, Action::Beside),
            (Keep, Action::Leave, Action::Leave, Action::Leave, Action::Leave),
            (Replace, Action::Replace, Action::Replace, Action::Replace, Action::InTheWay),
            (ReplaceOlder, Action::Leave, Action::Replace, Action::Leave, Action::InTheWay),
        ] {
            assert_eq!(of(existing, file(1, 5), Some(file(2, 5))), other);
            assert_eq!(of(existing, file(1, 5), Some(file(1, 4))), older);
            assert_eq!(of(existing, file(1, 5), Some(file(1, 6))), newer);
            assert_eq!(of(existing, file(1, 5), Some(folder)), kind);
            assert_eq!(of(existing, folder, Some(file(1, 5))), kind);
            assert_eq!(
                of(existing, folder, Some(link)),
                kind,
                "a link is never followed, and never taken for a folder"
            );
        }
    }
}
