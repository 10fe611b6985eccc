//! The server as a process that cannot outlive us.
//!
//! A small shell stands between: it holds the reading end of a pipe whose writing end only we have, and when that end
//! closes, however we ended, it stops the server and all its children. (A parent-death signal would not do: the kernel
//! forgets it when Samba changes its user.)

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const START_TIME_MAX: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Starts its arguments but the first in a session of their own, says its id, and ends it when a line comes or the
/// input closes. In the latter case we were killed: it then removes the folder that is the first argument. Samba's RPC
/// helper leaves the session of the server for one of its own, and is ended by the id it left in the folder. Whether a
/// session has ended is seen in /proc: to `kill -0` the dead that nobody has waited for are alive.
const GUARDIAN: &str = r#"
trap '' INT TERM HUP
end() {
  # The leader tells the others. Asked twice, they hang.
  for whom in "-TERM $1" "-KILL -$1"; do
    kill $whom 2>/dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
      grep -qsE "[)] [^ZX] [0-9]+ [0-9]+ $1 " /proc/[0-9]*/stat || return
      sleep 0.1
    done
  done
}
folder=$1 remove=yes
shift
setsid "$@" </dev/null >&2 &
server=$!
echo $server
read -r _ && remove=no
helper=$(cat "$folder/pid/samba-dcerpcd.pid" 2>/dev/null)
grep -qsF -- "$folder/" "/proc/$helper/cmdline" || helper=
end $server
[ -z "$helper" ] || end $helper
[ "$remove" = no ] || rm -rf -- "$folder"
"#;

/// A running server. Dropping it stops it and waits until it is gone.
pub(super) struct Server {
    guardian: Child,
    input: Option<ChildStdin>,
    pid: u32,
}

impl Server {
    /// Starts `command` with its output in `log`, and waits until every address of `ready` accepts
    /// connections. If we are killed, `folder` is removed.
    pub fn start(command: &Command, folder: &Path, log: &Path, ready: &[String]) -> Server {
        let log_file = File::create(log).expect("the server's log");
        // The environment is for the server, not for the shell: the shim has no business there.
        let envs = command.get_envs().filter_map(|(key, value)| Some((key, value?)));
        let mut shell = Command::new("sh");
        shell.args(["-c", GUARDIAN, "guardian"]).arg(folder).arg("env");
        shell.args(envs.map(|(key, value)| format!("{}={}", key.display(), value.display())));
        shell.arg(command.get_program()).args(command.get_args());
        // /usr/sbin is not in every user's path.
        shell.env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()));
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log_file);
        // A signal to the group of the test must not reach the guardian.
        shell.process_group(0);
        let mut guardian = shell.spawn().expect("sh");
        let input = guardian.stdin.take();
        let mut line = String::new();
        let output = guardian.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("the guardian speaks");
        let pid = line.trim().parse().expect("the guardian says the server's id");
        let server = Server { guardian, input, pid };
        ready.iter().for_each(|address| server.wait_until_ready(log, address));
        server
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Kills the server and its children without a word.
    pub fn kill(self) {
        let group = format!("-{}", self.pid);
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
    }

    fn wait_until_ready(&self, log: &Path, ready: &str) {
        let begun = Instant::now();
        while TcpStream::connect(ready).is_err() {
            let said = || std::fs::read_to_string(log).unwrap_or_default();
            assert!(Path::new(&format!("/proc/{}", self.pid)).exists(), "the server ended at once: {}", said());
            assert!(begun.elapsed() < START_TIME_MAX, "the server does not listen on {ready}: {}", said());
            thread::sleep(POLL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut input) = self.input.take() {
            let _ = input.write_all(b"stop\n");
        }
        let _ = self.guardian.wait();
    }
}
