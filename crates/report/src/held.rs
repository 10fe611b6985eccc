//! The document of a plan of deletions that waits for approval, as `octobackup held` shows it.

use crate::commands::{MadeBy, approval, quoted, remedy};
use crate::document::{Document, Item, Section, Step, Tone};
use crate::time;
use jiff::tz::TimeZone;
use octo_core::guard::{HoldKind, with_kinds};
use octo_core::numbers::{count, size, thousands};
use octo_core::{Kind, RelPath, Timestamp};

/// A plan and its first entries.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// Names exactly this set of deletions.
    pub id: &'a str,
    /// The state of the mirror that held them.
    pub state: u64,
    /// The mirror.
    pub target: &'a str,
    /// Why they are held.
    pub because: &'a [String],
    /// What each of these reasons is.
    pub kinds: &'a [HoldKind],
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Entries beyond those that are shown.
    pub more: u64,
}

/// One entry of a plan.
#[derive(Debug, Clone, Copy)]
pub struct PlanEntry<'a> {
    /// Where it is.
    pub path: &'a RelPath,
    /// What it is.
    pub kind: Kind,
    /// Its size.
    pub size_bytes: u64,
    /// When it was written last.
    pub write_time: Timestamp,
}

/// Why the deletions are held, with what to do about each reason.
pub(crate) fn reasons(heading: &str, because: &[String], kinds: &[HoldKind], target: &str, by: MadeBy<'_>) -> Section {
    let items = with_kinds(because, kinds).map(|(reason, kind)| {
        let step = Some(remedy(kind, target, by));
        Item { step, ..Item::sentence(reason) }
    });
    Section { heading: heading.into(), items: items.collect(), ..Section::default() }
}

/// The document; times by the clocks of `zone`.
pub fn document<'a>(plan: &Plan<'_>, entries: impl IntoIterator<Item = PlanEntry<'a>>, zone: &TimeZone) -> Document {
    let by = MadeBy::Sync { keeps_versions: true };
    let waiting = format!("{} ({})", count(plan.files, "file"), size(plan.bytes));
    let items = entries.into_iter().map(|entry| match entry.kind {
        Kind::Folder => Item::path(format!("{}/", entry.path)),
        _ => {
            let note = format!("{}, {}", size(entry.size_bytes), time::seconds(entry.write_time, zone));
            Item { notes: vec![note.into()], ..Item::path(entry.path.to_string()) }
        }
    });
    let more = match plan.more {
        0 => String::new(),
        more => format!("... and {} more, in {}/.octobackup/held/plan.jsonl", thousands(more), plan.target),
    };
    let approve = approval(plan.id, plan.target, by).pop().unwrap_or_default();
    let words = "The source is checked again, and only what is still missing there is deleted:";
    let steps = vec![Step { words: words.into(), ..approve }];
    let files = Section {
        heading: "To be deleted".into(),
        items: items.collect(),
        more: more.into(),
        steps,
        ..Section::default()
    };
    Document {
        title: format!("{waiting} wait for approval to be deleted from {}", quoted(plan.target)).into(),
        tone: Tone::Attention,
        about: vec![format!("plan {}, made by state {}", plan.id, plan.state).into()],
        sections: vec![reasons("Why they are held", plan.because, plan.kinds, plan.target, by), files],
    }
}
