//! The remarks of a report: what is worth a line and concerns no single entry.

use crate::context::Context;
use crate::deletion::Verdict;
use crate::mirror_ops::MirrorOps;
use crate::prepare::Ready;
use octo_core::guard::Way;
use octo_core::printable::counted;
use octo_core::retention::KeepVersions;

/// What is worth a line in the report and concerns no single entry.
pub fn of(context: &Context<'_>, ready: &Ready, ops: &MirrorOps<'_>, verdict: &Verdict) -> Vec<String> {
    let mut remarks = Vec::new();
    let dry_run = context.options.dry_run;
    if let Some(run) = ready.interrupted {
        remarks.push(match dry_run {
            false => format!("the run before this one (state {run}) did not end; its work was taken up"),
            true => format!(
                "another run (state {run}) is under way, or did not end: the next run first takes up what it left, so it may find \
                     less to do, and files renamed that are called new here"
            ),
        });
    }
    let verb = if dry_run { "are" } else { "were" };
    if ops.suspects.were_torn() {
        remarks.push(format!("the machine had crashed: files written shortly before {verb} copied again"));
    }
    if ops.suspects.were_damaged() > 0 {
        let files = counted(ops.suspects.were_damaged() as u64, "file", "files");
        remarks.push(format!(
            "{files} that the mirror's disk had damaged {verb} compared with the source, and what differs {verb} copied again"
        ));
    }
    let counts = context.counts();
    if counts.shifted > 100 && counts.shifted * 2 > counts.replaced + counts.restamped {
        let how = match (context.options.keep_versions, dry_run) {
            (KeepVersions::No, false) => "They were copied again",
            (KeepVersions::No, true) => "They would be copied again",
            (_, false) => "They were read and compared; those with the same content only got the new time",
            (_, true) => "They would be read and compared; those with the same content only get the new time",
        };
        remarks.push(format!(
            "{} files of the same size differ in time by whole hours: most likely a time zone or daylight saving change. \
             {how}. To set the times without reading the files: --restamp-shift=+1h (or what the shift is)",
            counts.shifted
        ));
    }
    if ready.damaged_hashes > 0 {
        remarks.push(format!(
            "{} of hashes were damaged and are lost: \"octobackup verify --record\" records the hashes of these files again",
            counted(ready.damaged_hashes, "record", "records")
        ));
    }
    // Where it holds deletions, that is said with them.
    let is_said = verdict.because.iter().any(|hold| hold.kind.way() == Way::ReleaseBrake);
    if let Some(run) = ready.marker.braked_by.filter(|_| !is_said) {
        remarks.push(format!(
            "state {run} replaced suspiciously many files: no older versions are removed, and deletions are held, until \
                 somebody says that the files are right: --release-brake"
        ));
    }
    // Later runs know their rules; a pattern may be for what comes and goes.
    if (dry_run || ready.was_empty) && counts.source_files + counts.source_folders > 0 {
        remarks.extend(context.options.filter.unmatched().into_iter().map(unmatched));
    }
    if dry_run {
        remarks.extend(crate::copy::space_remark(context));
    }
    remarks.extend(crate::holders::remark(context, ready.run));
    remarks.extend(ops.abilities.losses());
    remarks.extend(context.remarks());
    remarks.extend(context.metadata_remarks());
    remarks.extend(context.target.remarks());
    remarks.extend(context.source.remarks());
    remarks
}

/// `line` as gitignore would write it.
fn unmatched(line: &str) -> String {
    match line.strip_prefix('!') {
        Some(pattern) => format!("the pattern {pattern:?}, which is to be included, matched nothing"),
        None => format!("the exclude pattern {line:?} matched nothing"),
    }
}
