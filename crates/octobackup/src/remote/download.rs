//! `octobackup download`: a file or a folder of a state, from a server.

use super::answer::{CommandResult, client, plain};
use super::history::state;
use crate::args::history::DownloadArgs;
use crate::exit;
use crate::typed::{path, when};
use octo_api::ApiError;
use octo_api::error::Kind;
use octo_client::escaped;
use octo_core::numbers::{count, size};
use octo_core::{Error, RelPath};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Downloads. The file gets its name once all of it is there.
pub fn download(args: &DownloadArgs) -> CommandResult {
    let usage = |error: Error| ApiError::new(Kind::Invalid, error.detail);
    let below = args.path.as_deref().map(path).transpose().map_err(usage)?.unwrap_or_default();
    let at = state(when(args.at.at.as_deref()).map_err(usage)?);
    let (job, at, format) = (escaped(&args.job), escaped(&at), args.format.word());
    let address = format!("/jobs/{job}/states/{at}/download?path={}&format={format}", escaped(&below.to_text()));
    let client = client(&args.server)?;
    if args.output.as_deref() == Some(Path::new("-")) {
        return Ok(exit_code(client.download(&address, |_| Ok(io::stdout().lock()))?.problems));
    }
    let mut place = PathBuf::new();
    let done = client.download(&address, |media_type| {
        place = args.output.clone().unwrap_or_else(|| usual_name(args, &below, media_type));
        if place.symlink_metadata().is_ok() {
            let what = format!("{} is there already; name another file with -o", place.display());
            return Err(ApiError::new(Kind::Conflict, what));
        }
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        NamedTempFile::new_in(folder).map_err(|error| failed(folder, &error))
    })?;
    done.out.as_file().sync_all().map_err(|error| failed(&place, &error))?;
    done.out.persist_noclobber(&place).map_err(|error| failed(&place, &error.error))?;
    if !args.server.json {
        exit::remark(&format!("{}: {}", plain(&place.display().to_string()), size(done.bytes)));
    }
    Ok(exit_code(done.problems))
}

/// As it was called; an archive, as the folder in it, or the job.
fn usual_name(args: &DownloadArgs, below: &RelPath, media_type: &str) -> PathBuf {
    let name = below.name().map(|name| PathBuf::from(RelPath::root().join(&name).to_os()));
    let name = name.unwrap_or_else(|| args.job.clone().into());
    if media_type == "application/octet-stream" {
        return name;
    }
    let mut packed = name.into_os_string();
    packed.push(format!(".{}", args.format.word()));
    packed.into()
}

fn failed(place: &Path, error: &io::Error) -> ApiError {
    ApiError::new(Kind::Internal, format!("{}: {error}", place.display()))
}

fn exit_code(problems: u64) -> u8 {
    if problems == 0 {
        return exit::COMPLETE;
    }
    let _ = io::stdout().flush();
    let what = count(problems, "problem");
    exit::complain(&format!(
        "{what}: entries are damaged or missing; octobackup-problems.txt in the archive names them"
    ));
    exit::PROBLEMS
}
