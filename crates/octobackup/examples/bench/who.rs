//! The programs that are compared, each told to do the same: signed, not encrypted, data and times.
//!
//! rclone has no option for signing; its client signs whatever it asks as a named user, and the server here would refuse
//! it otherwise. smbclient copies data only: it sets no times and can compare nothing.

use crate::{Asked, Result, enumerate};
use octo_testkit::samba::Samba;
use std::path::{Path, PathBuf};
use std::process::Command;

const USER: &str = "plain";
pub const SHARE: &str = "plainfs";

/// Who copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Octo,
    OctoEncrypted,
    /// With permissions, attributes, creation times and streams, which none of the rivals keeps.
    OctoFull,
    Rclone,
    Smbclient,
    Rsync,
    /// Our own client, listing only.
    Enumeration,
}

impl Who {
    pub fn name(self) -> &'static str {
        match self {
            Who::Octo => "octoBackup",
            Who::OctoEncrypted => "octoBackup, encrypted",
            Who::OctoFull => "octoBackup, with metadata",
            Who::Rclone => "rclone",
            Who::Smbclient => "smbclient",
            Who::Rsync => "rsync",
            Who::Enumeration => "bare enumeration",
        }
    }
}

/// Where the share is served, and by which programs it is read.
pub struct Field<'a> {
    pub asked: &'a Asked,
    /// The benchmark's own program.
    pub myself: PathBuf,
    /// Of rclone, which takes passwords only in a disguise of its own.
    pub disguised: String,
    pub host: String,
    pub port: u16,
    /// For the programs' own memory of what they did.
    pub state: &'a Path,
}

/// rclone's form of the password.
pub fn disguise(asked: &Asked) -> Result<String> {
    let output = Command::new(&asked.rclone).args(["obscure", &Samba::password(USER)]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

impl Field<'_> {
    /// The command that makes `target` what the folder of the share is.
    pub fn over_smb(&self, who: Who, folder: &str, target: &Path) -> Command {
        let (host, port) = (&self.host, self.port);
        match who {
            Who::Rclone => {
                let mut command = Command::new(&self.asked.rclone);
                command.arg("sync").arg(format!(":smb:{SHARE}/{folder}")).arg(target);
                command.args(["--transfers", "16", "--checkers", "16", "--quiet"]);
                command.env("RCLONE_CONFIG", self.state.join("rclone.conf"));
                command.env("RCLONE_SMB_HOST", host).env("RCLONE_SMB_PORT", port.to_string());
                command.env("RCLONE_SMB_USER", USER).env("RCLONE_SMB_PASS", &self.disguised);
                command
            }
            Who::Smbclient => {
                let mut command = Command::new("smbclient");
                let words = format!("lcd {}; recurse on; prompt off; mget *", target.display());
                command.arg(format!("//{host}/{SHARE}")).args(["-p", &port.to_string(), "-D", folder, "-c", &words]);
                command.args(["-U", &format!("{USER}%{}", Samba::password(USER)), "--client-protection=sign"]);
                // It tells every file there.
                command.stderr(std::process::Stdio::null());
                command
            }
            Who::Enumeration => {
                let mut command = Command::new(&self.myself);
                command.args([enumerate::WORD, &format!("smb://{host}:{port}/{SHARE}/{folder}"), USER]);
                command.arg(Samba::password(USER));
                command
            }
            Who::Octo | Who::OctoEncrypted | Who::OctoFull | Who::Rsync => {
                let encrypt = if who == Who::OctoEncrypted { "require" } else { "off" };
                let metadata = if who == Who::OctoFull { "full" } else { "basic" };
                let mut command = self.octo(&format!("smb://{USER}@{host}:{port}/{SHARE}/{folder}"), target);
                command.args(["--backup-intent", "off", "--encrypt", encrypt, "--metadata", metadata]);
                command
            }
        }
    }

    /// The command that makes `target` what `source` is, both on this machine.
    pub fn local(&self, who: Who, source: &Path, target: &Path) -> Command {
        if who != Who::Rsync {
            let mut command = self.octo(&source.display().to_string(), target);
            command.args(["--metadata", "basic"]);
            return command;
        }
        let mut command = Command::new("rsync");
        command.args(["-rt", "--delete"]).arg(format!("{}/", source.display())).arg(target);
        command
    }

    fn octo(&self, source: &str, target: &Path) -> Command {
        let mut command = Command::new(&self.asked.program);
        command.args(["sync", source]).arg(target).arg("--quiet");
        command.env("OCTOBACKUP_PASSWORD", Samba::password(USER)).env("XDG_STATE_HOME", self.state);
        command
    }
}
