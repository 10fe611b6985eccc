//! The JSON report: what the run counted, and every problem.
//!
//! Problems may be millions: they go to an unnamed file beside the report as they happen, never into memory. The report
//! appears under its name whole, or not at all.

use octo_core::{Code, Error, Problem, RunReport};
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A report that is being made.
pub struct ReportFile {
    path: PathBuf,
    spool: Mutex<Spool>,
}

struct Spool {
    file: BufWriter<File>,
    problems: u64,
    fault: Option<std::io::Error>,
}

impl ReportFile {
    /// Makes sure, before the run, that the report can be written, and outside the mirror: there the next run would
    /// delete it.
    pub fn create(path: &Path, mirror: &Path) -> Result<ReportFile, Error> {
        let refused = |why: &str| Error::new(Code::Usage, format!("--report {}: {why}", path.display()));
        match std::fs::symlink_metadata(path) {
            Ok(meta) if !meta.is_file() => return Err(refused("it exists and is not a regular file")),
            _ if path.file_name().is_none() => return Err(refused("it is not the name of a file")),
            _ => {}
        }
        let path = std::path::absolute(path).map_err(|e| refused(&e.to_string()))?;
        let folder = folder_of(&path).canonicalize().map_err(|e| refused(&e.to_string()))?;
        if mirror.canonicalize().is_ok_and(|mirror| folder.starts_with(mirror)) {
            return Err(refused("it lies in the mirror"));
        }
        let file = tempfile::tempfile_in(folder_of(&path)).map_err(|e| refused(&e.to_string()))?;
        let spool = Spool { file: BufWriter::new(file), problems: 0, fault: None };
        Ok(ReportFile { path, spool: Mutex::new(spool) })
    }

    /// One more problem.
    pub fn problem(&self, problem: &Problem) {
        let mut spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
        if spool.fault.is_none() {
            let written = spool.tell(problem);
            spool.fault = written.err();
        }
    }

    /// Puts the report in place.
    pub fn finish(self, report: &RunReport) -> std::io::Result<()> {
        let spool = self.spool.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(fault) = spool.fault {
            return Err(fault);
        }
        let mut problems = spool.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        problems.rewind()?;
        let mut head = serde_json::to_vec(report)?;
        // The closing brace: the list of problems comes before it.
        head.pop();
        let folder = folder_of(&self.path);
        let new = tempfile::NamedTempFile::new_in(folder)?;
        let mut out = BufWriter::new(new.as_file());
        out.write_all(&head)?;
        out.write_all(b",\"problems\":[")?;
        std::io::copy(&mut BufReader::new(problems), &mut out)?;
        out.write_all(b"]}\n")?;
        out.flush()?;
        drop(out);
        new.as_file().sync_all()?;
        new.persist(&self.path).map_err(|e| e.error)?;
        File::open(folder)?.sync_all()
    }
}

impl Spool {
    fn tell(&mut self, problem: &Problem) -> std::io::Result<()> {
        self.file.write_all(if self.problems == 0 { b"\n" } else { b",\n" })?;
        self.problems += 1;
        Ok(serde_json::to_writer(&mut self.file, problem)?)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_core::RelPath;
    use octo_server::launch::blank_report;

    #[test]
    fn every_problem_is_in_the_report() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        let file = ReportFile::create(&path, Path::new("/nonexistent")).unwrap();
        for n in 0..1000 {
            let place = RelPath::parse(format!("a/{n}\u{1b}").as_bytes()).unwrap();
            file.problem(&Problem { code: Code::Locked, path: place, detail: "\"in use\"".into() });
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing half is visible");
        let mut report = blank_report("/src", "/dst", false, octo_core::Timestamp(0));
        report.outcome = octo_core::Outcome::Succeeded;
        file.finish(&report).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(json["problems"].as_array().unwrap().len(), 1000);
        assert_eq!(json["problems"][999]["path"], "a/999%1B");
        assert_eq!(json["outcome"], "succeeded");
    }

    #[test]
    fn a_report_that_cannot_be_written_is_refused_before_the_run() {
        let folder = tempfile::tempdir().unwrap();
        for path in [
            folder.path().to_owned(),
            folder.path().join("none/r.json"),
            PathBuf::from("/dev/null"),
            PathBuf::from("/"),
        ] {
            let created = ReportFile::create(&path, Path::new("/nonexistent")).map(drop);
            assert_eq!(created.map_err(|e| e.code), Err(Code::Usage), "{}", path.display());
        }
    }

    #[test]
    fn a_report_inside_the_mirror_is_refused_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (mirror, link) = (folder.path().join("mirror"), folder.path().join("link"));
        std::fs::create_dir_all(mirror.join("sub")).unwrap();
        std::os::unix::fs::symlink(&mirror, &link).unwrap();
        for path in [mirror.join("r.json"), mirror.join("sub/r.json"), link.join("sub/r.json")] {
            let error = ReportFile::create(&path, &mirror).map(drop).unwrap_err();
            assert!(error.detail.contains("lies in the mirror"), "{}", path.display());
        }
        assert!(ReportFile::create(&folder.path().join("mirror.json"), &link).is_ok());
    }
}
