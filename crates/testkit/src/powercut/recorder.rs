//! A disk whose every write is recorded: an image behind `qemu-nbd` with its `blklogwrites` driver, which `nbdfuse` shows as a
//! file and a loop device as a disk. No device mapper and no NBD in the kernel is needed.

use super::filesystem::Filesystem;
use super::shell::{Mount, attempt, end, run};
use super::write_log;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const START_TIME_MAX: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
/// The log's file is sparse; more than any scenario writes.
const LOG_BYTES: u64 = 4 << 30;

/// The disk while it is recorded. Detached and stopped when dropped.
pub(super) struct Recorder {
    folder: PathBuf,
    device: String,
    fuse: Child,
    nbd: Child,
}

impl Recorder {
    /// Begins a new log of what is written to `image`; `folder` holds it.
    pub fn start(folder: &Path, image: &Path) -> Recorder {
        let (socket, log, file) = (folder.join("socket"), folder.join("log"), folder.join("disk"));
        for old in [&socket, &log] {
            let _ = fs::remove_file(old);
        }
        let sized = File::create(&log).and_then(|log| log.set_len(LOG_BYTES)).and_then(|()| File::create(&file));
        if let Err(error) = sized {
            end(&format!("{}: {error}", folder.display()));
        }
        let driver = format!(
            "driver=blklogwrites,file.driver=raw,file.file.driver=file,file.file.filename={},\
             log.driver=raw,log.file.driver=file,log.file.filename={},log-sector-size=512",
            image.display(),
            log.display()
        );
        let mut nbd = daemon("qemu-nbd");
        nbd.args(["--persistent", "--socket"]).arg(&socket).args(["--image-opts", &driver]);
        let nbd = spawn(&mut nbd);
        wait_for("the socket of qemu-nbd", || socket.exists());
        let fuse = spawn(daemon("nbdfuse").arg(&file).arg("--unix").arg(&socket));
        wait_for("nbdfuse", || fs::metadata(&file).is_ok_and(|meta| meta.len() > 0));
        let device = run(Command::new("losetup").args(["--find", "--show"]).arg(&file));
        Recorder { folder: folder.to_owned(), device, fuse, nbd }
    }

    /// Mounts the recorded disk.
    pub fn mount<'a>(&self, filesystem: Filesystem, place: &'a Path) -> Mount<'a> {
        Mount::new(Path::new(&self.device), filesystem.mount_options(), place).unwrap_or_else(|e| end(&e))
    }

    /// How many entries the log has by now.
    pub fn entries(&self) -> usize {
        write_log::count(&self.folder.join("log")).unwrap_or_else(|e| end(&format!("the log of writes: {e}")))
    }

    /// Tells what [`Recorder::entries`] does, also elsewhere; nothing is reported once the recording has ended.
    pub fn clock(&self) -> impl Fn() -> usize + Send + use<> {
        let log = self.folder.join("log");
        move || write_log::count(&log).unwrap_or(usize::MAX)
    }

    /// Ends the recording; the log is where it was written.
    pub fn finish(self) -> PathBuf {
        self.folder.join("log")
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = attempt(Command::new("losetup").arg("--detach").arg(&self.device));
        // The loop device goes once nobody looks at it any more; others who want one look at all of them.
        let disk = self.folder.join("disk");
        let begun = Instant::now();
        while attempt(Command::new("umount").arg(&disk)).is_err() && begun.elapsed() < START_TIME_MAX {
            std::thread::sleep(POLL);
        }
        // Without effect if it has ended.
        let _ = attempt(Command::new("umount").arg("--lazy").arg(&disk));
        let _ = self.fuse.kill();
        let _ = self.fuse.wait();
        // Told by a signal, it flushes and writes the log's head.
        let _ = attempt(Command::new("kill").arg(self.nbd.id().to_string()));
        let _ = self.nbd.wait();
    }
}

/// Does not outlive us.
fn daemon(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--", program]).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn spawn(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|e| end(&format!("{command:?}: {e}; `cargo xtask apt` installs what is needed")))
}

fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        if begun.elapsed() > START_TIME_MAX {
            end(&format!("{what} did not come"));
        }
        std::thread::sleep(POLL);
    }
}
