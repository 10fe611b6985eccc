//! `octobackup shares`: which shares a server has, administrative ones included.

use crate::args::SharesArgs;
use crate::args::account::AccountArgs;
use crate::listeners::print;
use crate::password;
use crate::{exit, settings};
use octo_core::printable::printable;
use octo_core::{Code, Error};
use octo_job::mirror_spec::{MirrorSpec, Origin};
use octo_server::share_access::share_access;
use octo_smb::{Share, ShareKind};
use serde_json::json;
use std::ffi::OsStr;

/// Stands in for the share that an address needs; it is the one that is asked.
const IPC: &str = "IPC$";

/// Lists.
pub fn run(args: &SharesArgs) -> Result<u8, Error> {
    let mirror_spec = server(&args.host, &args.account)?;
    let secret = password::ask_for(&mirror_spec, &settings::password(&args.account))?;
    let (address, who, options) = share_access(&mirror_spec, secret)?;
    let mut shares = octo_smb::shares(&address.host, address.port, &who, &options)?;
    shares.sort_by_key(|share| (share.is_administrative, share.name.to_lowercase()));
    let width = shares.iter().map(|share| printable(&share.name).chars().count()).max().unwrap_or(0).min(40);
    for share in &shares {
        print(&if args.json { as_json(share) } else { as_line(share, width) });
    }
    Ok(exit::COMPLETE)
}

/// `HOST`, `//HOST` or `smb://USER@HOST`, each with an optional port and nothing after it.
fn server(host: &str, account: &AccountArgs) -> Result<MirrorSpec, Error> {
    let bare = host.trim_end_matches(['/', '\\']);
    let address =
        if octo_core::address::is_share_address(host) { format!("{bare}/{IPC}") } else { format!("//{bare}/{IPC}") };
    let wrong = |detail: String| Error::new(Code::Usage, format!("HOST: {}", detail.replace("SRC: ", "")));
    let mirror_spec = settings::mirror_spec(OsStr::new(&address), account).map_err(|e| wrong(e.detail))?;
    match &mirror_spec.origin {
        Origin::Smb { address, .. } if address.matches('/').count() == 3 => Ok(mirror_spec),
        _ => Err(wrong(format!("{host:?} names more than a server; allowed are HOST, //HOST and smb://USER@HOST"))),
    }
}

fn kind(kind: ShareKind) -> &'static str {
    match kind {
        ShareKind::Files => "files",
        ShareKind::Printer => "printer",
        ShareKind::Device => "device",
        ShareKind::Pipes => "pipes",
        ShareKind::Other => "other",
    }
}

fn as_line(share: &Share, width: usize) -> String {
    let administrative = if share.is_administrative { "administrative" } else { "" };
    let line = format!(
        "{:<width$}  {:<7}  {administrative:<14}  {}",
        printable(&share.name),
        kind(share.kind),
        printable(&share.comment)
    );
    line.trim_end().to_owned()
}

fn as_json(share: &Share) -> String {
    json!({
        "name": share.name, "kind": kind(share.kind), "is_administrative": share.is_administrative,
        "comment": share.comment,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    fn server_of(host: &str, user: Option<&str>) -> Result<String, Error> {
        let line = ["octobackup", "shares", host].into_iter().chain(user.into_iter().flat_map(|user| ["--user", user]));
        let Command::Shares(args) = Cli::parse_from(line).command else { panic!("another command") };
        server(&args.host, &args.account).map(|mirror_spec| mirror_spec.origin.label())
    }

    #[test]
    fn a_server_is_named_in_any_form_and_alone() {
        for host in ["fs", "//fs", r"\\fs\", "//fs/", "smb://fs"] {
            assert_eq!(server_of(host, Some("me")).as_deref(), Ok("//fs/IPC$"), "{host}");
        }
        assert_eq!(server_of("smb://CORP;me@fs:4450", None).as_deref(), Ok("//fs:4450/IPC$"));
        for host in ["", "//fs/data", "fs/data", "fs:0", "a b"] {
            let error = server_of(host, Some("me")).unwrap_err();
            assert!(error.code == Code::Usage && error.detail.starts_with("HOST: "), "{host}: {error}");
        }
        assert!(server_of("fs", None).unwrap_err().detail.contains("--user"));
    }
}
