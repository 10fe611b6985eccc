//! The sample share: what is in it at first, what changes, and how it is compared with a mirror of it.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The share as it is at first: a few hundred documents, names of all kinds, an empty folder.
pub fn fill(share: &Path) -> Result<()> {
    let mut number = 0;
    for team in ["Sales", "Projects", "Archive"] {
        for year in 2021..2026 {
            for month in 1..=20 {
                number += 1;
                let text = format!("{team}, report {month} of {year}\n").repeat(number);
                write(share, &format!("{team}/{year}/report-{month:02}.txt"), &text)?;
            }
        }
    }
    write(share, "Verträge/Ångström & Söhne.txt", "Kaufvertrag\n")?;
    write(share, "見積書/2025年度 予算.txt", "予算\n")?;
    write(share, "Photos/holiday 🦀.jpg", "not really a photo\n")?;
    write(share, "empty.dat", "")?;
    write(share, "Personnel/salaries.csv", "name;salary\nnobody;0\n")?;
    write(share, "Personnel/holidays.csv", "name;days\nnobody;30\n")?;
    write(share, "Board/minutes.txt", "Minutes of the board: strictly confidential\n")?;
    fs::create_dir(share.join("Empty folder"))
}

/// What people do in a day.
pub fn change(share: &Path) -> Result<()> {
    println!("edited:  Sales/2025/report-01.txt, Board/minutes.txt");
    write(share, "Sales/2025/report-01.txt", "corrected\n")?;
    append(share, "Board/minutes.txt", "Second item: even more so\n")?;
    println!("deleted: Archive/2021/report-20.txt, Photos/");
    fs::remove_file(share.join("Archive/2021/report-20.txt"))?;
    fs::remove_dir_all(share.join("Photos"))?;
    println!("added:   Projects/2026/plan.txt");
    write(share, "Projects/2026/plan.txt", "plan\n")
}

fn write(share: &Path, path: &str, text: &str) -> Result<()> {
    let path = share.join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, text)?;
    // Last written long ago, each at another time, to show that times are kept.
    let age_secs = 86_400 + 4_321 * text.len() as u64 % 100_000_000;
    let written = SystemTime::now() - Duration::from_secs(age_secs);
    File::options().write(true).open(&path)?.set_times(FileTimes::new().set_modified(written))
}

fn append(share: &Path, path: &str, text: &str) -> Result<()> {
    use std::io::Write;
    // Opened as it is: writing it anew would lose the ACL that denies it.
    File::options().append(true).open(share.join(path))?.write_all(text.as_bytes())
}

/// One file or folder, as far as a mirror has to keep it.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept {
    folder: bool,
    content: Vec<u8>,
    written_100ns: u128,
}

/// Everything below a folder but what octoBackup keeps for itself.
pub fn files(root: &Path) -> Result<BTreeMap<PathBuf, Kept>> {
    let mut found = BTreeMap::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        for name in names(&root.join(&folder))? {
            let path = folder.join(&name);
            if path == Path::new(".octobackup") {
                continue;
            }
            let full = root.join(&path);
            let meta = fs::symlink_metadata(&full)?;
            let written = meta.modified()?.duration_since(SystemTime::UNIX_EPOCH).map_err(Error::other)?;
            let content = if meta.is_dir() { Vec::new() } else { fs::read(&full)? };
            let kept = Kept { folder: meta.is_dir(), content, written_100ns: written.as_nanos() / 100 };
            found.insert(path.clone(), kept);
            if meta.is_dir() {
                open.push(path);
            }
        }
    }
    Ok(found)
}

/// The names in a folder, in order.
pub fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>>>()?;
    let mut names: Vec<String> = entries.iter().map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}
