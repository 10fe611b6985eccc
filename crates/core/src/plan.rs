//! What is to be done with one name, from what both sides say of it. The same answer feeds the dry run, the guard, the
//! report and the engine.

use crate::entry::{Kind, Meta};
use crate::time::{TICKS_PER_SEC, TimeRules, Timestamp};

/// When a file counts as changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compare {
    /// When last write time or size differ.
    #[default]
    TimeAndSize,
    /// Also when the change time is another than when the last run looked, whatever that run compared.
    ChangeTime,
    /// Equal files are read and compared byte by byte.
    Content,
}

/// What the index knows of an entry from the run that copied it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexedFile {
    /// The source's change time then.
    pub change_time: Option<Timestamp>,
    /// Of the copy: inode, size, last write time. The record is believed only if they still hold.
    pub target_inode: u128,
    /// Size of the copy.
    pub size_bytes: u64,
    /// Last write time of the copy.
    pub target_time: Timestamp,
    /// The metadata was read and kept then.
    pub has_metadata: bool,
    /// The source's attributes then.
    pub attributes: u32,
    /// The source's creation time then.
    pub creation_time: Option<Timestamp>,
}

impl IndexedFile {
    /// Whether the record still speaks of this file in the mirror.
    pub fn holds_for(&self, target: &Meta) -> bool {
        // The time of a folder moves with what is changed in it.
        target.id.is_some_and(|id| id.id == self.target_inode)
            && (target.kind == Kind::Folder
                || (target.size_bytes == self.size_bytes && target.write_time == self.target_time))
    }

    /// Whether the metadata kept then is that of the source now. Attributes and creation time are looked at too, because
    /// some servers (Samba) tell the last write time for the change time; but a creation time that may be made up, only where it
    /// cannot have moved by itself.
    pub fn metadata_is_fresh(&self, source: &Meta) -> bool {
        self.has_metadata
            && self.change_time == source.change_time
            && self.attributes == source.attributes
            && (self.creation_time == source.creation_time || source.creation_may_have_moved())
    }
}

/// Whether the metadata of something that both sides have is to be read.
pub fn wants_metadata(source: &Meta, target: &Meta, indexed: Option<&IndexedFile>, rules: &PlanRules) -> bool {
    let is_fresh = |indexed: &IndexedFile| indexed.holds_for(target) && indexed.metadata_is_fresh(source);
    rules.metadata && (rules.refresh_metadata || !indexed.is_some_and(is_fresh))
}

/// What the plan depends on besides the entries.
#[derive(Debug, Clone, Copy)]
pub struct PlanRules {
    /// When a file counts as changed.
    pub compare: Compare,
    /// What times the target can hold.
    pub times: TimeRules,
    /// Files of equal size whose source time is exactly so much later than the mirror's are only restamped.
    pub restamp_shift_secs: Option<i64>,
    /// The copy may not be whole: the power was lost before it was durable.
    pub suspect: bool,
    /// Metadata is read and kept.
    pub metadata: bool,
    /// It is read again although nothing tells that it is newer.
    pub refresh_metadata: bool,
}

/// What is to be done with one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing: equal.
    Unchanged,
    /// Data is equal; what else the source knows of it is newer.
    RefreshMetadata,
    /// Set the time only.
    Restamp,
    /// Compare byte by byte, and replace if that finds a difference.
    Verify,
    /// Copy and replace.
    Replace {
        /// Equal size, and a time that differs by whole hours: a time zone or daylight saving mistake?
        shifted: bool,
    },
    /// Copy to where nothing is.
    Copy,
    /// Make the folder and go into it.
    MakeFolder,
    /// Go into it; its own time may differ.
    Enter {
        /// The folder's last write time has to be set.
        restamp: bool,
    },
    /// Make the link.
    MakeLink,
    /// Make the link again.
    ReplaceLink,
    /// Not read, because its data is elsewhere; a copy is kept.
    KeepNotLocal,
    /// Devices, sockets, pipes.
    NotMirrored,
    /// The mirror has something of another kind in its place: a deletion and a creation.
    KindChange,
    /// Only the mirror has it.
    Vanished,
}

/// Decides for one name. `None` for a side that does not have it; both `None` is [`Action::Unchanged`].
pub fn plan(source: Option<&Meta>, target: Option<&Meta>, indexed: Option<&IndexedFile>, rules: &PlanRules) -> Action {
    match (source, target) {
        (None, None) => Action::Unchanged,
        (None, Some(_)) => Action::Vanished,
        (Some(s), _) if s.kind == Kind::Other => Action::NotMirrored,
        (Some(s), None) => match s.kind {
            Kind::Folder => Action::MakeFolder,
            Kind::Link => Action::MakeLink,
            _ if !s.is_local => Action::KeepNotLocal,
            _ => Action::Copy,
        },
        (Some(s), Some(t)) if s.kind != t.kind => {
            if s.kind == Kind::File && !s.is_local {
                Action::KeepNotLocal
            } else {
                Action::KindChange
            }
        }
        (Some(s), Some(t)) => match s.kind {
            Kind::Folder => Action::Enter { restamp: rules.times.represent(s.write_time) != t.write_time },
            Kind::Link if link_is_equal(s, t, rules) => Action::Unchanged,
            Kind::Link => Action::ReplaceLink,
            _ => plan_file(s, t, indexed.filter(|k| k.holds_for(t)), rules),
        },
    }
}

/// Links are compared by time alone: what size one has, sides see differently.
fn link_is_equal(source: &Meta, target: &Meta, rules: &PlanRules) -> bool {
    rules.times.represent(source.write_time) == target.write_time
}

fn plan_file(source: &Meta, target: &Meta, indexed: Option<&IndexedFile>, rules: &PlanRules) -> Action {
    let same_size = source.size_bytes == target.size_bytes;
    let same_time = rules.times.represent(source.write_time) == target.write_time;
    if !source.is_local {
        return Action::KeepNotLocal;
    }
    if same_size && same_time && !rules.suspect {
        let newer = indexed.is_some_and(|k| k.change_time.is_some() && k.change_time != source.change_time);
        return match rules.compare {
            Compare::Content => Action::Verify,
            Compare::ChangeTime if newer => Action::Replace { shifted: false },
            _ if wants_metadata(source, target, indexed, rules) => Action::RefreshMetadata,
            _ => Action::Unchanged,
        };
    }
    if same_size && !rules.suspect && !same_time {
        if rules.restamp_shift_secs.is_some_and(|secs| {
            rules.times.represent(source.write_time) == rules.times.represent(target.write_time.plus_secs(secs))
        }) {
            return Action::Restamp;
        }
        return Action::Replace { shifted: is_hour_shift(source.write_time, target.write_time) };
    }
    Action::Replace { shifted: false }
}

/// Whether two times differ by one to fourteen whole hours: what a wrong time zone or daylight saving does.
fn is_hour_shift(a: Timestamp, b: Timestamp) -> bool {
    let difference = a.0.abs_diff(b.0);
    const HOUR_TICKS: u64 = 3600 * TICKS_PER_SEC.unsigned_abs();
    difference != 0 && difference.is_multiple_of(HOUR_TICKS) && difference <= 14 * HOUR_TICKS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::FileId;
    use proptest::prelude::*;

    const RULES: PlanRules = PlanRules {
        compare: Compare::TimeAndSize,
        times: TimeRules::EXACT,
        restamp_shift_secs: None,
        suspect: false,
        metadata: false,
        refresh_metadata: false,
    };

    fn file(size_bytes: u64, secs: i64) -> Meta {
        Meta {
            id: Some(FileId { volume: 1, id: 7 }),
            ..Meta::new(Kind::File, size_bytes, Timestamp::from_unix(secs, 0))
        }
    }

    fn any_meta() -> impl Strategy<Value = Meta> {
        let kind = prop_oneof![Just(Kind::File), Just(Kind::Folder), Just(Kind::Link), Just(Kind::Other)];
        (kind, 0u64..3, 0i64..3, any::<bool>()).prop_map(|(kind, size, secs, is_local)| Meta {
            is_local,
            ..Meta::new(kind, size, Timestamp::from_unix(secs, 0))
        })
    }

    proptest! {
        /// The rule of the product in one sentence: a file is copied exactly when last write time or size differ.
        #[test]
        fn copies_what_differs_in_time_or_size(s in any_meta(), t in proptest::option::of(any_meta())) {
            let action = plan(Some(&s), t.as_ref(), None, &RULES);
            if s.kind == Kind::File && s.is_local && t.is_none_or(|t| t.kind == Kind::File) {
                let differs = t.is_none_or(|t| t.size_bytes != s.size_bytes || t.write_time != s.write_time);
                let copies = matches!(action, Action::Copy | Action::Replace { .. });
                prop_assert_eq!(copies, differs);
            }
        }

        /// Only a name that the source does not have, or has as another kind, ever counts as a deletion.
        #[test]
        fn deletes_only_what_is_gone_or_of_another_kind(s in proptest::option::of(any_meta()), t in proptest::option::of(any_meta())) {
            match plan(s.as_ref(), t.as_ref(), None, &RULES) {
                Action::Vanished => prop_assert!(s.is_none() && t.is_some()),
                Action::KindChange => prop_assert!(s.unwrap().kind != t.unwrap().kind),
                _ => {}
            }
        }
    }

    #[test]
    fn files_that_are_not_local_are_never_read_nor_dropped() {
        let away = Meta { is_local: false, ..file(5, 5) };
        for target in [None, Some(file(1, 1)), Some(Meta::new(Kind::Folder, 0, Timestamp(0)))] {
            assert_eq!(plan(Some(&away), target.as_ref(), None, &RULES), Action::KeepNotLocal);
        }
    }

    #[test]
    fn shifts_are_seen_and_restamped_only_when_told() {
        let (s, t) = (file(5, 7200), file(5, 3600));
        assert_eq!(plan(Some(&s), Some(&t), None, &RULES), Action::Replace { shifted: true });
        let shifted_by_an_hour = PlanRules { restamp_shift_secs: Some(3600), ..RULES };
        assert_eq!(plan(Some(&s), Some(&t), None, &shifted_by_an_hour), Action::Restamp);
        assert_eq!(
            plan(Some(&t), Some(&s), None, &shifted_by_an_hour),
            Action::Replace { shifted: true },
            "the other direction"
        );
        assert_eq!(
            plan(Some(&file(6, 7200)), Some(&t), None, &shifted_by_an_hour),
            Action::Replace { shifted: false },
            "another size"
        );
    }

    #[test]
    fn a_copy_that_may_not_be_whole_is_copied_again_whatever_its_time_and_size() {
        let suspect = PlanRules { suspect: true, restamp_shift_secs: Some(3600), ..RULES };
        for now in [file(5, 5), file(5, 3605)] {
            assert_eq!(plan(Some(&now), Some(&file(5, 5)), None, &suspect), Action::Replace { shifted: false });
        }
        assert_eq!(plan(Some(&file(5, 5)), Some(&file(5, 5)), None, &RULES), Action::Unchanged);
    }

    #[test]
    fn a_newer_change_time_refreshes_or_copies_and_needs_a_record_that_holds() {
        let source = Meta { change_time: Some(Timestamp(9)), ..file(5, 5) };
        let indexed = IndexedFile {
            change_time: Some(Timestamp(8)),
            target_inode: 7,
            size_bytes: 5,
            target_time: file(5, 5).write_time,
            has_metadata: true,
            attributes: source.attributes,
            creation_time: source.creation_time,
        };
        let stale = IndexedFile { target_inode: 8, ..indexed };
        let by_change = PlanRules { compare: Compare::ChangeTime, ..RULES };
        let plan = |indexed, rules| plan(Some(&source), Some(&file(5, 5)), Some(indexed), rules);
        let full = PlanRules { metadata: true, ..RULES };
        assert_eq!(plan(&indexed, &RULES), Action::Unchanged, "metadata is not wanted");
        assert_eq!(plan(&indexed, &full), Action::RefreshMetadata);
        let same = IndexedFile { change_time: source.change_time, ..indexed };
        assert_eq!(plan(&same, &full), Action::Unchanged);
        let again = PlanRules { refresh_metadata: true, ..full };
        assert_eq!(plan(&same, &again), Action::RefreshMetadata, "a person says so");
        let basic = PlanRules { metadata: false, ..again };
        assert_eq!(plan(&same, &basic), Action::Unchanged, "but it is not wanted");
        let (unread, other) = (IndexedFile { has_metadata: false, ..same }, IndexedFile { target_inode: 8, ..same });
        let hidden = IndexedFile { attributes: 2, ..same };
        assert_eq!(plan(&hidden, &full), Action::RefreshMetadata, "other attributes");
        let source_now = source;
        let created = |created, then| {
            let (source, indexed) =
                (Meta { creation_time: Some(created), ..source_now }, IndexedFile { creation_time: then, ..same });
            super::plan(Some(&source), Some(&file(5, 5)), Some(&indexed), &full)
        };
        let (old, new) = (Some(Timestamp(3)), Timestamp(4));
        assert_eq!(created(new, old), Action::RefreshMetadata, "another creation time");
        let rounded = Timestamp(source.write_time.0 + 4);
        assert_eq!(created(rounded, old), Action::Unchanged, "it is made up and rounded");
        assert_eq!(created(source.write_time, old), Action::Unchanged, "it is made up of the last write time");
        let mixed = Timestamp(source.write_time.0 + TICKS_PER_SEC / 2);
        assert_eq!(created(mixed, old), Action::Unchanged, "it is made up of two times");
        assert_eq!(plan(&unread, &full), Action::RefreshMetadata, "it was never read");
        assert_eq!(plan(&other, &full), Action::RefreshMetadata, "of another copy");
        assert_eq!(plan(&indexed, &by_change), Action::Replace { shifted: false });
        assert_eq!(plan(&stale, &by_change), Action::Unchanged);
    }

    #[test]
    fn links_are_compared_by_time_whatever_size_a_side_gives_them() {
        let link = |size_bytes, ticks| Meta::new(Kind::Link, size_bytes, Timestamp(ticks));
        assert_eq!(plan(Some(&link(9, 1)), Some(&link(0, 1)), None, &RULES), Action::Unchanged);
        assert_eq!(plan(Some(&link(0, 2)), Some(&link(0, 1)), None, &RULES), Action::ReplaceLink);
    }

    #[test]
    fn times_are_compared_as_the_target_stores_them() {
        let rules =
            PlanRules { times: TimeRules { granularity_ticks: 2 * TICKS_PER_SEC, ..TimeRules::EXACT }, ..RULES };
        assert_eq!(plan(Some(&file(5, 5)), Some(&file(5, 4)), None, &rules), Action::Unchanged);
        assert_eq!(plan(Some(&file(5, 6)), Some(&file(5, 4)), None, &rules), Action::Replace { shifted: false });
    }
}
