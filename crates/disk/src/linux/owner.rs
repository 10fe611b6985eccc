//! Whose a mirror is: the account that its root and its reserved folder belong to.
//!
//! What root makes in the mirror of another account is made as that account, so that the account's next run can work with
//! it. Only the system call that makes something is done so, with the effective ids of this one thread: there is no moment
//! in which it belongs to root, and what the owner planted in the mirror is met with the owner's rights only. It must
//! never change who reads a source. Any other account is refused before it makes anything.

use crate::linux::account::Account;
use crate::linux::root::Root;
use crate::linux::{fault, filesystem, listing, nameless, stat};
use octo_core::{Code, Error, Name, RESERVED, RelPath};
use rustix::fs::{Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};
use std::ffi::CStr;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// For root: what is made below the root of a mirror belongs to the mirror's owner.
pub(crate) fn keep(root: Root) -> Root {
    let owner = match owners(&root) {
        Ok(Some((ours, top))) if geteuid().is_root() && is_clear(ours, top) => Some(ours),
        _ => None,
    };
    root.owned_by(owner)
}

/// Refuses whom the mirror does not belong to, before anything is made in it.
pub(crate) fn demand(root: &Root) -> Result<(), Error> {
    let owners = owners(root).map_err(|errno| fault::target(errno, "asking for the owner of", &reserved_folder()))?;
    let Some((ours, top)) = owners else { return Ok(()) };
    let me = geteuid();
    let may = me == ours.uid || if me.is_root() { is_clear(ours, top) } else { belongs_to_the_mount(root, ours) };
    if may { Ok(()) } else { Err(foreign(ours.uid)) }
}

/// A folder that is to become a mirror has to be the account's own. Root takes over an empty one: its owner until then
/// could look into the mirror otherwise, and put there what is no copy.
pub(crate) fn claim(root: &Root) -> Result<(), Error> {
    let failed = |errno| fault::target(errno, "taking over", &RelPath::root());
    if !root.exists() || owners(root).map_err(failed)?.is_some() {
        return Ok(());
    }
    let top = root.handle().map_err(failed)?;
    let stat = stat::of_handle(top).map_err(failed)?;
    let is_shared = u32::from(stat.stx_mode) & 0o1002 == 0o1002;
    if everybody_needs(&stat) || (is_shared && !is_empty(root).map_err(failed)?) {
        let detail = "everybody may make files in it, like in /tmp; choose a folder in it that does not exist yet";
        return Err(Error::new(Code::OtherOwner, detail));
    }
    let (uid, me) = (Uid::from_raw(stat.stx_uid), geteuid());
    if !is_shared && (uid == me || made_in(root, &RelPath::root()).is_ok_and(|made| made == uid)) {
        return Ok(());
    }
    if !(me.is_root() || (is_shared && uid == me)) || !is_empty(root).map_err(failed)? {
        return Err(foreign(uid));
    }
    rustix::fs::fchown(top, Some(me), Some(getegid())).map_err(failed)?;
    rustix::fs::fchmod(top, Mode::RWXU).map_err(failed)?;
    // From here on nobody else puts anything there; what came in between was not there to be judged.
    if is_empty(root).map_err(failed)? { Ok(()) } else { Err(foreign(uid)) }
}

/// Whether it is one of the folders for everybody's temporary files, which no mirror may close. Another one that looks alike
/// and is empty, such as the top of a fresh tmpfs, may become a mirror.
fn everybody_needs(folder: &rustix::fs::Statx) -> bool {
    let temporary = [PathBuf::from("/tmp"), "/var/tmp".into(), "/dev/shm".into(), std::env::temp_dir()];
    temporary.iter().filter_map(|path| std::fs::metadata(path).ok()).any(|it| {
        let device = (rustix::fs::major(it.st_dev()), rustix::fs::minor(it.st_dev()));
        (it.st_ino(), device) == (folder.stx_ino, stat::device(folder))
    })
}

fn is_empty(root: &Root) -> Result<bool, Errno> {
    let folder = root.open(&RelPath::root(), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
    // What the filesystem was made with cannot have been put there by somebody.
    let is_own = |name: &CStr| Name::new(name.to_bytes()).is_ok_and(|name| filesystem::keeps_for_itself(root, &name));
    let found = listing::for_each_name(folder.as_fd(), |name| {
        if is_own(name) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(found.is_continue())
}

/// What there is to say when a target could not be opened: whose it is.
pub(crate) fn denied(errno: Errno, path: &Path) -> Option<Error> {
    if errno != Errno::ACCESS {
        return None;
    }
    let uid = Uid::from_raw(std::fs::metadata(path).ok()?.st_uid());
    (uid != geteuid()).then(|| foreign(uid))
}

/// That of the reserved folder, and that of the root; `None` if this is no mirror yet.
fn owners(root: &Root) -> Result<Option<(Account, Account)>, Errno> {
    let open = |path: &RelPath| root.open(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty());
    match open(&reserved_folder()) {
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
        Ok(ours) => Ok(Some((Account::of(&ours)?, Account::of(&open(&RelPath::root())?)?))),
    }
}

/// The account that the mirror belongs to; `None` if this is no mirror yet, or that cannot be found out.
pub(crate) fn of_mirror(root: &Root) -> Option<u32> {
    owners(root).ok().flatten().map(|(ours, _)| ours.uid.as_raw())
}

/// What an account is called.
pub(crate) fn called(uid: u32) -> String {
    name(Uid::from_raw(uid)).unwrap_or_else(|| uid.to_string())
}

/// A reserved folder that somebody planted in a folder of others says nothing about whose the mirror is. And not every
/// process that is called root may become somebody else.
fn is_clear(ours: Account, top: Account) -> bool {
    top.uid == ours.uid && ours.act(|| ()).is_ok()
}

fn reserved_folder() -> RelPath {
    RelPath::parse(RESERVED.as_bytes()).unwrap_or_default()
}

/// Where the mount says whose everything is (FAT and its like, CIFS), what we make has the same owner.
fn belongs_to_the_mount(root: &Root, owner: Account) -> bool {
    made_in(root, &reserved_folder()).is_ok_and(|made| made == owner.uid)
}

/// Whose a file becomes that we make in this folder.
fn made_in(root: &Root, folder: &RelPath) -> Result<Uid, Errno> {
    let folder = root.open(folder, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
    let file = nameless::nameless(&folder).or_else(|_| nameless::unlinked(&folder))?;
    Ok(Account::of(&file)?.uid)
}

fn foreign(owner: Uid) -> Error {
    let numbered = |uid: Uid, sign: &str| name(uid).unwrap_or_else(|| format!("{sign}{}", uid.as_raw()));
    let (is, me) = (numbered(owner, ""), numbered(geteuid(), ""));
    let sudo = numbered(owner, "\\#");
    let detail = format!(
        "it belongs to {is}, and this is {me}; run: sudo -u {sudo} octobackup ..., or give all of it to {me}: chown -R {me} DST"
    );
    Error::new(Code::OtherOwner, detail)
}

fn name(uid: Uid) -> Option<String> {
    let table = std::fs::read_to_string("/etc/passwd").ok()?;
    name_in(&table, uid.as_raw()).map(str::to_owned)
}

/// The name stands first in a line of passwd(5), the number third.
fn name_in(table: &str, uid: u32) -> Option<&str> {
    let uid = uid.to_string();
    let of = |line: &str| line.split(':').nth(2) == Some(uid.as_str());
    table.lines().find(|line| of(line)).and_then(|line| line.split(':').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_called_by_its_name_if_it_has_one() {
        let table = "root:x:0:0:root:/root:/bin/bash\nocto:x:998:42::/var/lib/octo:/bin/false\nbroken\n";
        assert_eq!(name_in(table, 0), Some("root"));
        assert_eq!(name_in(table, 998), Some("octo"));
        assert_eq!(name_in(table, 42), None);
    }
}
