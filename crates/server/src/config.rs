//! `octobackup.toml`: the few things that a server must know before it can open its database. Everything else is in there.

use crate::api::Tls;
use crate::runner::RunLimits;
use crate::service_error::{Kind, ServiceError};
use octo_disk::Protected;
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where the server listens, and where the command line looks for it.
pub const SOCKET: &str = "/run/octobackup/octobackup.sock";
/// Where the API answers over TCP by default.
pub const HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8734);
/// What our own folders are called, as `/etc/octobackup` and `/run/octobackup`.
const OUR_NAME: &str = "octobackup";
/// A file that is larger was named by mistake.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file that it was read from.
    #[serde(skip)]
    file: Option<PathBuf>,
    /// Database, key and logs; private to the service's user.
    #[serde(default = "data_dir")]
    pub data_dir: PathBuf,
    /// Where the command line finds the server; `None` for the usual place.
    socket: Option<PathBuf>,
    /// The API over TCP.
    #[serde(default)]
    pub http: HttpSettings,
    /// Where agents find the server; `None`: no agents.
    pub agents: Option<Agents>,
    /// Folders to which restores may be asked for; none if none is named.
    #[serde(default)]
    pub restore: Vec<PathBuf>,
    /// The form of the log.
    #[serde(default)]
    pub log: LogForm,
    /// How many runs at once.
    #[serde(default)]
    pub limits: RunLimits,
}

/// The entrance over TCP, ready to be opened.
pub struct Listen {
    /// Where.
    pub address: SocketAddr,
    /// `None`: without TLS, which is for loopback only.
    pub tls: Option<Tls>,
    /// What it is called besides the names of its certificate.
    pub names: Vec<String>,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogForm {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Where the API answers over TCP, and how it proves itself. Elsewhere than on loopback only with TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// An address and a port, or "none".
    #[serde(default)]
    listen: At,
    /// TLS with a certificate of one's own, and those that vouch for it, in PEM.
    certificate: Option<PathBuf>,
    /// Its private key.
    key: Option<PathBuf>,
    /// TLS with a certificate that the server makes for these names and addresses.
    #[serde(default)]
    generate_for: Vec<String>,
    /// Other names by which browsers reach it: that of a proxy before it.
    #[serde(default)]
    names: Vec<String>,
}

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
enum At {
    Nowhere,
    Address(SocketAddr),
}

impl Default for At {
    fn default() -> At {
        At::Address(HTTP)
    }
}

impl TryFrom<String> for At {
    type Error = String;

    fn try_from(text: String) -> Result<At, String> {
        if text == "none" {
            return Ok(At::Nowhere);
        }
        let address = text.parse().map(At::Address);
        address.map_err(|_| {
            format!("{text:?} is not allowed; allowed are an address and a port, as \"{HTTP}\", and \"none\"")
        })
    }
}

/// Without TLS the server listens on loopback addresses only.
pub fn check_tls(address: SocketAddr, has_tls: bool) -> Result<(), ServiceError> {
    if has_tls || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let allowed = "TLS is required on any address but loopback: certificate and key, or generate_for = [\"NAME\"]";
    Err(ServiceError::field("http.listen", format!("{address}: {allowed}")))
}

impl HttpSettings {
    /// What is wrong shall be known before anything is opened.
    fn check(&self) -> Result<(), ServiceError> {
        let is_own = self.certificate.is_some();
        if is_own != self.key.is_some() {
            return Err(ServiceError::field("http", "certificate and key belong together"));
        }
        if is_own && !self.generate_for.is_empty() {
            return Err(ServiceError::field("http", "either certificate and key, or generate_for"));
        }
        let At::Address(address) = self.listen else { return Ok(()) };
        check_tls(address, is_own || !self.generate_for.is_empty())
    }

    /// Ready to be opened, with what TLS needs; `None`: there is no such entrance.
    pub fn listen(&self, data_dir: &Path) -> Result<Option<Listen>, ServiceError> {
        let At::Address(address) = self.listen else { return Ok(None) };
        let tls = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Some(Tls::read(certificate, key)?),
            _ if self.generate_for.is_empty() => None,
            _ => Some(Tls::generated(data_dir, &self.generate_for)?),
        };
        Ok(Some(Listen { address, tls, names: self.names.clone() }))
    }

    /// What people call it: in the link for the setup. `address` is where it really listens.
    pub fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.certificate.is_some() || !self.generate_for.is_empty() { "https" } else { "http" };
        let host = match (self.generate_for.first(), address.ip()) {
            (Some(name), _) => name.clone(),
            (None, ip) if !ip.is_unspecified() => return format!("{scheme}://{address}"),
            _ => {
                let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
                if name.trim().is_empty() { "localhost".into() } else { name.trim().to_owned() }
            }
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        format!("{scheme}://{host}:{}", address.port())
    }
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
    /// Reads the file. An error names the line.
    pub fn read(path: &Path) -> Result<Config, ServiceError> {
        let failed = |why: String| ServiceError::new(Kind::Invalid, format!("{}: {why}", path.display()));
        let meta = std::fs::metadata(path).map_err(|e| failed(e.to_string()))?;
        if meta.len() > FILE_BYTES_MAX {
            return Err(failed("it is larger than any settings".into()));
        }
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        let config = Config::parse(&text).map_err(|error| failed(error.to_string()))?;
        Ok(Config { file: Some(path.to_owned()), ..config })
    }

    /// Reads the text.
    pub fn parse(text: &str) -> Result<Config, ServiceError> {
        let config: Config =
            toml::from_str(text).map_err(|e| ServiceError::new(Kind::Invalid, e.to_string().trim_end()))?;
        for (field, path) in [
            ("data_dir", Some(&config.data_dir)),
            ("socket", config.socket.as_ref()),
            ("http.certificate", config.http.certificate.as_ref()),
            ("http.key", config.http.key.as_ref()),
        ] {
            if path.is_some_and(|path| !path.is_absolute()) {
                return Err(ServiceError::field(field, "it must be an absolute path"));
            }
        }
        let is_plain = |path: &PathBuf| {
            path.is_absolute() && path.components().all(|part| !matches!(part, std::path::Component::ParentDir))
        };
        if !config.restore.iter().all(is_plain) {
            return Err(ServiceError::field("restore", "each folder must be an absolute path, without .."));
        }
        config.http.check()?;
        let RunLimits { runs_max, runs_per_host_max, runs_per_disk_max } = config.limits;
        if [runs_max, runs_per_host_max, runs_per_disk_max].iter().any(|limit| !(1..=64).contains(limit)) {
            return Err(ServiceError::field("limits", "each limit is from 1 to 64"));
        }
        Ok(config)
    }

    /// The file with the link for the first administrator.
    pub fn setup_link(&self) -> PathBuf {
        self.data_dir.join("setup-link")
    }

    /// Adds what no job may touch: the configuration, the socket, and the certificate with its key. A folder that has
    /// our name is ours as a whole.
    pub fn protect(&self, protected: &mut Protected) {
        let socket = self.socket();
        let files = [
            ("the server's configuration", self.file.as_deref()),
            ("the server's socket", Some(socket.as_path())),
            ("the server's TLS certificate", self.http.certificate.as_deref()),
            ("the server's TLS key", self.http.key.as_deref()),
        ];
        for (what, file) in files {
            let Some(file) = file else { continue };
            protected.file(what, file);
            if let Some(folder) = file.parent().filter(|folder| folder.file_name().is_some_and(|name| name == OUR_NAME))
            {
                protected.folder(&format!("the folder of {what}"), folder);
            }
        }
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
        let here = config.http.listen(Path::new("/")).unwrap().unwrap();
        assert!(here.address.ip().is_loopback() && here.tls.is_none());
        assert_eq!((config.data_dir, config.limits), (data_dir(), RunLimits::default()));
    }

    #[test]
    fn what_people_call_the_server_is_in_its_link() {
        for (settings, listens_at, url) in [
            ("", "127.0.0.1:8734", "http://127.0.0.1:8734"),
            ("listen = \"[::1]:0\"", "[::1]:5", "http://[::1]:5"),
            ("listen = \"0.0.0.0:0\"\ngenerate_for = [\"b.example\"]", "0.0.0.0:443", "https://b.example:443"),
            ("listen = \"[::]:0\"\ngenerate_for = [\"fd00::1\"]", "[::]:443", "https://[fd00::1]:443"),
            ("certificate = \"/c\"\nkey = \"/k\"", "10.0.0.1:1", "https://10.0.0.1:1"),
        ] {
            let config = Config::parse(&format!("[http]\n{settings}")).unwrap();
            assert_eq!(config.http.url(listens_at.parse().unwrap()), url);
        }
    }

    #[test]
    fn nothing_is_listened_at_where_that_is_wished() {
        let config = Config::parse("[http]\nlisten = \"none\"").unwrap();
        assert!(config.http.listen(Path::new("/")).unwrap().is_none());
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_line() {
        for (text, word) in [
            ("data_dir = \"/x\"\ndata_dri = \"/y\"", "line 2"),
            ("data_dir = \"/x\"\n[limits]\nruns = 3", "runs_per_host_max"),
            ("data_dir = \"x\"", "absolute"),
            ("socket = 3", "line 1"),
            ("restore = [\"/a\", \"b\"]", "absolute"),
            ("restore = [\"/a/../b\"]", "without .."),
            ("log = \"xml\"", "json"),
            ("[agents]\nlisten = \"here\"", "line 2"),
            ("[limits]\nruns_max = 0", "1 to 64"),
            ("[http]\nlisten = \"here\"", "line 2"),
            ("[http]\nlisten = \"here\"", "an address and a port"),
            ("[http]\nlisten = \"0.0.0.0:80\"", "TLS"),
            ("[http]\nlisten = \"[::ffff:10.0.0.1]:80\"", "TLS"),
            ("[http]\ncertificate = \"/c\"", "belong together"),
            ("[http]\nkey = \"k\"", "absolute"),
            ("[http]\ncertificate = \"/c\"\nkey = \"/k\"\ngenerate_for = [\"x\"]", "either"),
        ] {
            let error = Config::parse(text).unwrap_err();
            assert!(error.to_string().contains(word), "{text}: {error}");
        }
    }
}
