//! `pins.json`: the states that a person wants to be kept, with the reason. Part of the backup, not a cache. It must never be
//! taken for empty when it cannot be read: nothing is removed then.

use crate::marker::Marker;
use crate::{layout, small_files};
use octo_core::{Code, Error, Target, Timestamp};
use serde::{Deserialize, Serialize};

const FORMAT: u32 = 1;
/// More than anybody pins.
const PINS_MAX: usize = 1000;
/// A reason is a line.
const WORDS_BYTES_MAX: usize = 500;

/// A state that is kept until it is unpinned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Its number.
    pub state: u64,
    /// Why, as a person wrote it.
    pub words: String,
    /// When.
    pub pinned_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct PinsFile {
    format: u32,
    pins: Vec<Pin>,
}

/// All pins, by state.
pub fn pins(target: &dyn Target) -> Result<Vec<Pin>, Error> {
    let path = layout::pins();
    let Some(bytes) = small_files::read_small(target, &path)? else { return Ok(Vec::new()) };
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let damaged = |error: serde_json::Error| Error::new(Code::RecordsDamaged, format!("{path}: {error}"));
    let head: Head = serde_json::from_slice(&bytes).map_err(damaged)?;
    if head.format > FORMAT {
        let what = format!("the format of {path} is {}, this version knows {FORMAT}", head.format);
        return Err(Error::new(Code::NewerFormat, what));
    }
    Ok(serde_json::from_slice::<PinsFile>(&bytes).map_err(damaged)?.pins)
}

/// Pins a state, or gives its pin other words. The caller holds the mirror's lock.
pub fn pin(target: &dyn Target, pin: Pin) -> Result<(), Error> {
    if pin.words.len() > WORDS_BYTES_MAX || pin.words.contains(|c: char| c.is_control()) {
        let what = format!("allowed is one line of at most {WORDS_BYTES_MAX} bytes");
        return Err(Error::new(Code::Usage, what));
    }
    let mut pins = pins(target)?;
    pins.retain(|other| other.state != pin.state);
    pins.push(pin);
    if pins.len() > PINS_MAX {
        return Err(Error::new(Code::Usage, format!("{PINS_MAX} states are pinned already: unpin some first")));
    }
    Marker::refuse_older_programs(target)?;
    write(target, pins)
}

/// Removes these pins. The caller holds the mirror's lock.
pub(super) fn remove(target: &dyn Target, is_it: impl Fn(&Pin) -> bool) -> Result<bool, Error> {
    let mut pins = pins(target)?;
    let before = pins.len();
    pins.retain(|pin| !is_it(pin));
    let was_any = pins.len() < before;
    if was_any {
        write(target, pins)?;
    }
    Ok(was_any)
}

fn write(target: &dyn Target, mut pins: Vec<Pin>) -> Result<(), Error> {
    pins.sort_by_key(|pin| pin.state);
    let file = PinsFile { format: FORMAT, pins };
    let text = serde_json::to_vec_pretty(&file).map_err(|e| Error::new(Code::RecordsDamaged, e.to_string()))?;
    small_files::write_durable(target, &layout::pins(), &text)
}
