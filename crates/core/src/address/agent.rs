//! `agent://HOST/FOLDER`: a folder of a machine with an agent. `HOST` is what the server calls it; the folder is absolute,
//! as that machine writes it, with `/` between names (`agent://files-1/srv/data`, `agent://win-2/D:/data`).

use crate::error::{Code, Error};

const SCHEME: &str = "agent://";
/// Where a server listens for agents, unless another port is set.
pub const AGENT_PORT: u16 = 8735;
const NAME_BYTES_MAX: usize = 100;

/// A folder of a machine with an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentAddress {
    /// What the server calls the machine.
    pub host: String,
    /// The folder as its agent takes it.
    pub root: String,
}

/// Whether it is meant as a folder of a machine with an agent.
pub fn is_agent_address(text: &str) -> bool {
    text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// Refuses a name of a machine that could be taken for a path, or for two words.
pub fn check_host_name(name: &str) -> Result<(), Error> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(is_plain) {
        let detail = format!("{name:?} is not a name for a host: use letters, digits, '-', '.' and '_'");
        return Err(Error::new(Code::Usage, detail));
    }
    Ok(())
}

/// `D:` at the beginning: the folder of a Windows machine.
fn has_drive(path: &str) -> bool {
    path.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && path.get(1..2) == Some(":")
}

impl AgentAddress {
    /// Reads what a person wrote.
    pub fn parse(text: &str) -> Result<AgentAddress, Error> {
        let wrong = |why: String| Error::new(Code::Usage, why);
        let rest = if is_agent_address(text) { &text[SCHEME.len()..] } else { "" };
        let Some((host, path)) = rest.split_once('/') else {
            return Err(wrong(
                "it reads agent://HOST/FOLDER, with the absolute path of a folder of that machine".into(),
            ));
        };
        check_host_name(host)?;
        let path = path.trim_end_matches('/');
        if path.split('/').any(|name| name == ".." || name == ".") || path.contains(['\0', '\n', '\r']) {
            return Err(wrong("its folder must be an absolute path without . and ..".into()));
        }
        let root = match path {
            drive if has_drive(drive) && drive.len() == 2 => format!("{drive}/"),
            path if has_drive(path) => path.to_owned(),
            path => format!("/{path}"),
        };
        Ok(AgentAddress { host: host.to_owned(), root })
    }

    /// Whether the machine's names fold case, as far as its folder tells: patterns are matched as on a share then.
    pub fn is_windows(&self) -> bool {
        has_drive(&self.root)
    }
}

impl std::fmt::Display for AgentAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.host, self.root.trim_start_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_both_systems_are_read_and_written_the_same() {
        for (text, host, root) in [
            ("agent://files-1/srv/data", "files-1", "/srv/data"),
            ("AGENT://files-1/srv/data/", "files-1", "/srv/data"),
            ("agent://files-1/", "files-1", "/"),
            ("agent://win-2/D:/data", "win-2", "D:/data"),
            ("agent://win-2/D:", "win-2", "D:/"),
        ] {
            let address = AgentAddress::parse(text).unwrap();
            assert_eq!((&*address.host, &*address.root), (host, root), "{text}");
            assert_eq!(AgentAddress::parse(&address.to_string()), Ok(address), "{text}");
        }
        for bad in
            ["agent://", "agent://files-1", "agent:///srv", "agent://a b/srv", "agent://h/../x", "agent://h/./x", "/x"]
        {
            assert!(AgentAddress::parse(bad).is_err(), "{bad}");
        }
    }
}
