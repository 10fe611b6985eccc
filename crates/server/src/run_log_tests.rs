//! The log of a run: read in parts, bounded, forgotten with its run.

use super::*;
use octo_core::Phase;
use octo_core::{Change, Code, Kind as Of, RelPath};
use octo_testkit::clock::TestClock;

fn open(data: &Path) -> RunLog {
    RunLog::open(data, 7, Arc::new(TestClock::real())).unwrap()
}

fn texts(data: &Path) -> Vec<String> {
    read(data, 7, 0, 100_000).unwrap().lines.into_iter().map(|line| line.text).collect()
}

fn path_of(name: &str) -> RelPath {
    RelPath::parse(name.as_bytes()).unwrap()
}

#[test]
fn lines_come_in_parts_and_a_torn_one_is_left_out() {
    let data = tempfile::tempdir().unwrap();
    assert_eq!(read(data.path(), 7, 0, 10).unwrap(), LogPart { lines: Vec::new(), next: 0, is_over: false });
    let log = open(data.path());
    (0..5).for_each(|n| log.line(Level::Info, &format!("line {n}\nand more")));
    let first = read(data.path(), 7, 0, 3).unwrap();
    let second = read(data.path(), 7, first.next, 3).unwrap();
    let both: Vec<_> = first.lines.iter().chain(&second.lines).map(|line| line.text.as_str()).collect();
    assert_eq!(
        both,
        ["line 0\nand more", "line 1\nand more", "line 2\nand more", "line 3\nand more", "line 4\nand more"]
    );
    assert_eq!(
        read(data.path(), 7, second.next, 3).unwrap(),
        LogPart { lines: Vec::new(), next: second.next, is_over: false }
    );
    for beyond in [second.next + 1, u64::MAX] {
        assert_eq!(read(data.path(), 7, beyond, 3).unwrap().lines, []);
    }
    // The power goes in the middle of a line.
    let file = OpenOptions::new().append(true).open(path(data.path(), 7)).unwrap();
    (&file).write_all(br#"{"at":"2026-08-0"#).unwrap();
    assert_eq!(
        read(data.path(), 7, second.next, 3).unwrap(),
        LogPart { lines: Vec::new(), next: second.next, is_over: false }
    );
    open(data.path()).line(Level::Error, "after it");
    assert_eq!(read(data.path(), 7, second.next, 3).unwrap().lines[0].text, "after it");
}

#[test]
fn of_many_changes_and_problems_only_the_first_are_told_and_the_rest_of_the_run_still_is() {
    let data = tempfile::tempdir().unwrap();
    let log = open(data.path());
    let detail = "x".repeat(1 << 20);
    let problem = Problem { code: Code::Locked, path: path_of("locked"), detail };
    for n in 0..ITEMS_MAX + 9 {
        let change = Change::Created { path: path_of(&format!("f{n}")), kind: Of::File, size_bytes: 1 };
        log.event(&Event::Change(&change));
        log.event(&Event::Problem(&problem));
    }
    log.event(&Event::Phase(Phase::Settle));
    log.line(Level::Info, "ended");
    let texts = texts(data.path());
    let lines = |start: &str| texts.iter().filter(|text| text.starts_with(start)).count();
    assert_eq!(lines("from here on, changes"), 1);
    assert_eq!(lines("from here on, problems"), 1);
    assert!(lines("+ f") <= ITEMS_MAX as usize && lines("locked: ") > 100);
    assert_eq!(texts.last().unwrap(), "ended");
    assert_eq!(texts[texts.len() - 2], Phase::Settle.words());
    let bytes = std::fs::metadata(path(data.path(), 7)).unwrap().len();
    assert!(bytes < ITEMS_BYTES_MAX + 64 * 1024, "{bytes}");
}

#[test]
fn a_log_goes_when_its_run_is_forgotten_and_nothing_else_does() {
    let data = tempfile::tempdir().unwrap();
    forget(data.path(), || unreachable!("there is no log")).unwrap();
    for run in [7, 8, 9] {
        RunLog::open(data.path(), run, Arc::new(TestClock::real())).unwrap().line(Level::Info, "x");
    }
    let note = data.path().join(FOLDER).join("note.txt");
    std::fs::write(&note, "a person's").unwrap();
    forget(data.path(), || Err(ServiceError::new(Kind::Internal, "the database is away"))).unwrap_err();
    assert_eq!(all(data.path()).unwrap().len(), 3);
    forget(data.path(), || Ok(BTreeSet::from([8]))).unwrap();
    assert_eq!(all(data.path()).unwrap(), [8]);
    assert!(note.exists());
}
