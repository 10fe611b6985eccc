//! What is copied: trees of generated files, one large file, and the source of Rust.

use crate::Result;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name of the one large file.
const LARGE: &str = "disk.img";

/// `files` files of `bytes` bytes, spread evenly over `folders` folders.
pub fn files(root: &Path, folders: usize, files: usize, bytes: usize) -> Result<()> {
    let content = vec![b'o'; bytes];
    for folder in 0..folders {
        let path = root.join(format!("folder-{folder:05}"));
        fs::create_dir_all(&path)?;
        for file in 0..files / folders {
            fs::write(path.join(format!("document-{file:06}.txt")), &content)?;
        }
    }
    Ok(())
}

/// Writes something else into one file of each folder that [`files`] has made.
pub fn change_one_of_each_folder(root: &Path) -> Result<()> {
    for folder in fs::read_dir(root)? {
        fs::write(folder?.path().join("document-000000.txt"), "other content than before")?;
    }
    Ok(())
}

/// One file, of bytes that do not repeat at the size of a block.
pub fn large(root: &Path, mebibytes: u64) -> Result<()> {
    fs::create_dir_all(root)?;
    let mut file = File::create(root.join(LARGE))?;
    for number in 0..mebibytes {
        let block: Vec<u8> = (0..1 << 17).flat_map(|word: u64| ((number << 32) | word).to_le_bytes()).collect();
        file.write_all(&block)?;
    }
    Ok(())
}

/// Removes the large file of a target, if it has one.
pub fn remove_large(root: &Path) -> Result<()> {
    match fs::remove_file(root.join(LARGE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The source of Rust as Debian has it, without its links: not every rival makes them.
pub fn rust(root: &Path) -> Result<()> {
    let installed = fs::read_dir("/usr/src")?.flatten().map(|entry| entry.path());
    let source: PathBuf = installed
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rustc-")))
        .max()
        .ok_or("no source of Rust in /usr/src; run: apt-get install --no-install-recommends rust-web-src")?;
    copy(&source, root)?;
    done(Command::new("find").arg(root).args(["-type", "l", "-delete"]))?;
    // Readable for everybody, as the share's user is not the owner.
    done(Command::new("chmod").args(["-R", "a+rX"]).arg(root))
}

/// A copy with the same times: a target where nothing has to be done.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    done(Command::new("cp").arg("-a").arg(from).arg(to))
}

fn done(command: &mut Command) -> Result<()> {
    if command.status()?.success() { Ok(()) } else { Err(format!("{:?} failed", command.get_program()).into()) }
}
