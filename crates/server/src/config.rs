//! `octobackup.toml`: the few things that a server must know before it can open its database. Everything else is in there.

use crate::refusal::{Kind, Refusal};
use crate::runner::Limits;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Where the server listens, and where the command line looks for it.
pub const SOCKET: &str = "/run/octobackup/octobackup.sock";
/// A file that is larger was named by mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Database, key and logs; private to the service's user.
    #[serde(default = "data_dir")]
    pub data_dir: PathBuf,
    /// Where the command line finds the server; `None` for the usual place.
    socket: Option<PathBuf>,
    /// Where agents find the server; `None`: nobody is listened for.
    pub agents: Option<Agents>,
    /// How many runs at once.
    #[serde(default)]
    pub limits: Limits,
}

/// Listening for agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agents {
    /// The address and port that agents dial.
    pub listen: SocketAddr,
}

fn data_dir() -> PathBuf {
    PathBuf::from("/var/lib/octobackup")
}

impl Config {
    /// Reads the file. A refusal names the line.
    pub fn read(path: &Path) -> Result<Config, Refusal> {
        let failed = |why: String| Refusal::new(Kind::Invalid, format!("{}: {why}", path.display()));
        let meta = std::fs::metadata(path).map_err(|e| failed(e.to_string()))?;
        if meta.len() > FILE_BYTES_MAX {
            return Err(failed("it is larger than any settings".into()));
        }
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        Config::parse(&text).map_err(|refusal| failed(refusal.to_string()))
    }

    /// Reads the text.
    pub fn parse(text: &str) -> Result<Config, Refusal> {
        let config: Config = toml::from_str(text).map_err(|e| Refusal::new(Kind::Invalid, e.to_string().trim_end()))?;
        for (field, path) in [("data_dir", Some(&config.data_dir)), ("socket", config.socket.as_ref())] {
            if path.is_some_and(|path| !path.is_absolute()) {
                return Err(Refusal::field(field, "it must be an absolute path"));
            }
        }
        let Limits { runs_max, runs_per_host_max, runs_per_disk_max } = config.limits;
        if [runs_max, runs_per_host_max, runs_per_disk_max].iter().any(|limit| !(1..=64).contains(limit)) {
            return Err(Refusal::field("limits", "each limit is from 1 to 64"));
        }
        Ok(config)
    }

    /// Where the server listens.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| PathBuf::from(SOCKET))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_is_enough() {
        let config = Config::parse("").unwrap();
        assert_eq!((config.data_dir, config.limits), (data_dir(), Limits::default()));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_line() {
        for (text, word) in [
            ("data_dir = \"/x\"\ndata_dri = \"/y\"", "line 2"),
            ("data_dir = \"/x\"\n[limits]\nruns = 3", "runs_per_host_max"),
            ("data_dir = \"x\"", "absolute"),
            ("socket = 3", "line 1"),
            ("[agents]\nlisten = \"here\"", "line 2"),
            ("[limits]\nruns_max = 0", "1 to 64"),
        ] {
            let refusal = Config::parse(text).unwrap_err();
            assert!(refusal.to_string().contains(word), "{text}: {refusal}");
        }
    }
}
