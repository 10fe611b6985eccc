//! The effects: asks the server, looks at the source, tries the target. Changes nothing but one folder on the target
//! that is there for a moment.

use crate::args::DoctorArgs;
use crate::doctor::facts::{Facts, Place, Privilege, Seen, ShareFacts};
use crate::doctor::walk::{self, WalkOptions, Walked};
use crate::known_mirrors::KnownMirrors;
use crate::password;
use crate::settings;
use octo_core::{Clock, Code, Error, Target};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_job::mirror_spec::MirrorSpec;
use octo_server::SystemClock;
use octo_server::share_access::share_access;
use octo_smb::{Access, Inspector, Password, SmbSource};
use std::path::Path;

/// Entries tried at once; the search ends after the first lot in which something was denied.
const LOT: usize = 250;

/// Finds everything out. `Err` only for what makes no sense.
pub fn gather(args: &DoctorArgs) -> Result<Facts, Error> {
    let mirror_spec = settings::mirror_spec(&args.source, &args.account)?;
    let target = args.target.as_deref().map(settings::target).transpose()?;
    let secret = password::ask_for(&mirror_spec, &settings::password(&args.account))?;
    let clock = SystemClock::new();
    let place = target.as_deref().map(|path| place(path, &mirror_spec));
    let abilities = place.as_ref().and_then(|place| place.as_ref().ok()).map(|place| &place.abilities);
    let (names, times) = (abilities.map(|abilities| abilities.names.clone()), abilities.map(|it| it.times));
    let filter = mirror_spec.filter()?;
    let wish = WalkOptions { entries_max: args.entries, filter: &filter, names: names.as_ref(), times };
    let source = source(&mirror_spec, secret, &wish, &clock);
    if let Err(error) = &source
        && error.code == Code::Usage
    {
        return Err(error.clone());
    }
    let (share, seen) = match source {
        Ok((share, seen)) => (share, Ok(seen)),
        Err(error) => (None, Err(error)),
    };
    let target = target.map(|path| path.display().to_string());
    Ok(Facts { source: mirror_spec.origin.label(), target, now: clock.now(), share, seen, place })
}

fn source(
    mirror_spec: &MirrorSpec,
    password: Option<Password>,
    wish: &WalkOptions<'_>,
    clock: &dyn Clock,
) -> Result<(Option<ShareFacts>, Seen), Error> {
    if let Some(path) = mirror_spec.origin.local_path() {
        return Ok((None, walk::walk(&LocalSource::open(&path)?, wish, clock)?.seen));
    }
    let (address, who, options) = share_access(mirror_spec, password)?;
    let source = SmbSource::connect(address.clone(), who.clone(), options.clone())?;
    let walked = walk::walk(&source, wish, clock)?;
    drop(source);
    let inspector = Inspector::connect(address, &who, &options)?;
    let privilege = privilege(&inspector, &walked);
    let previous_versions = inspector.previous_versions();
    // Last, so that the server's clock is compared with ours at the same moment.
    let security = inspector.security()?;
    Ok((Some(ShareFacts { security, previous_versions, privilege }), walked.seen))
}

/// Tries to open a sample of entries, without and with backup intent.
fn privilege(inspector: &Inspector, walked: &Walked) -> Result<Privilege, Error> {
    let mut found = Privilege::default();
    for (path, error) in &walked.seen.unlisted.first {
        if error.code == Code::AccessDenied {
            found.denied.add(path.clone());
        }
    }
    for lot in walked.samples.chunks(LOT) {
        for (path, access) in lot.iter().zip(inspector.access(lot)?) {
            match access {
                Access::ByRights => found.by_rights += 1,
                Access::ByPrivilege => found.by_privilege.add(path.clone()),
                Access::Denied if !found.denied.first.contains(path) => found.denied.add(path.clone()),
                Access::Denied | Access::Unknown => {}
            }
        }
        if found.by_privilege.count + found.denied.count > 0 {
            break;
        }
    }
    Ok(found)
}

/// Looks at the mirror's place. Where it does not exist yet, the filesystem of the nearest folder that does is tried.
fn place(path: &Path, mirror_spec: &MirrorSpec) -> Result<Place, Error> {
    if let Some(local) = mirror_spec.origin.local_path() {
        octo_disk::overlap(&local, path)?;
    }
    octo_disk::marker_above(path)?;
    let exists = path.is_dir();
    let nearest = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
    // With `create` a filesystem that cannot be written is an error. There is nothing left to be created.
    let tried = DiskTarget::open(nearest, DiskOptions { create: true, ..DiskOptions::default() })?;
    let id = if exists { octo_mirror::target_id(&tried)? } else { None };
    let was_mirror = KnownMirrors::of_user().id(path)?.is_some();
    Ok(Place {
        exists,
        is_mirror: id.is_some(),
        is_empty: !exists || octo_mirror::is_empty(&tried, &mirror_spec.filter()?)?,
        was_mirror,
        abilities: tried.abilities(),
        space: tried.space()?,
    })
}
