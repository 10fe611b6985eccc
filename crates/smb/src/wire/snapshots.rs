//! FSCTL_SRV_ENUMERATE_SNAPSHOTS: the previous versions that a share offers (MS-SMB2 2.2.32.2, SRV_SNAPSHOT_ARRAY).

use super::{Bytes, Malformed, name};
use octo_core::Timestamp;

/// The previous versions of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Snapshots {
    /// How many there are; more than there are labels if those did not fit into the answer.
    pub count: u32,
    /// When they were taken, as far as they fitted.
    pub taken: Vec<Timestamp>,
}

/// Parses the output.
pub(crate) fn snapshots(output: &[u8]) -> Result<Snapshots, Malformed> {
    let bytes = Bytes(output);
    let (count, returned) = (bytes.u32(0)?, bytes.len32(4)?);
    if returned == 0 {
        return Ok(Snapshots { count, taken: Vec::new() });
    }
    let labels = bytes.slice(12, bytes.len32(8)?)?;
    let mut taken = Vec::new();
    let mut label = Vec::new();
    for unit in labels.chunks_exact(2) {
        if unit != [0, 0] {
            label.extend_from_slice(unit);
        } else if label.is_empty() {
            // Two NULs end the list.
            break;
        } else {
            taken.push(moment(&name::lossy(&label)).ok_or(Malformed("a previous version has no time for a name"))?);
            label.clear();
        }
    }
    Ok(Snapshots { count, taken })
}

/// `@GMT-2023.11.14-22.13.20` (MS-SMB2 2.2.32.2), always in UTC.
fn moment(label: &str) -> Option<Timestamp> {
    let (date, time) = label.strip_prefix("@GMT-")?.split_once('-')?;
    let [year, month, day] = numbers(date)?;
    let [hour, minute, second] = numbers(time)?;
    let fits = (1601..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    let secs = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    fits.then(|| Timestamp::from_unix(secs, 0))
}

fn numbers(text: &str) -> Option<[i64; 3]> {
    let number = |part: &str| {
        let plain = (2..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| part.parse().ok()).flatten()
    };
    let mut parts = text.split('.').map(number);
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

/// Days of the Gregorian calendar, counted in years that begin in March.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(count: u32, returned: u32, labels: &[&str]) -> Vec<u8> {
        let labels: String = labels.iter().map(|label| format!("{label}\0")).collect::<String>() + "\0";
        let labels: Vec<u8> = labels.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let head = [count, returned, labels.len() as u32];
        head.iter().flat_map(|n| n.to_le_bytes()).chain(labels).collect()
    }

    #[test]
    fn labels_are_moments_in_utc() {
        let output = array(2, 2, &["@GMT-2023.11.14-22.13.20", "@GMT-2024.02.29-00.00.00"]);
        let snapshots = snapshots(&output).unwrap();
        assert_eq!(snapshots.count, 2);
        assert_eq!(snapshots.taken[0], Timestamp::from_unix(1_700_000_000, 0));
        assert_eq!(snapshots.taken[1].to_utc_text(), "2024-02-29 00:00:00");
    }

    #[test]
    fn an_answer_that_only_counts_is_understood() {
        let head: Vec<u8> = [7u32, 0, 350].iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(snapshots(&head), Ok(Snapshots { count: 7, taken: Vec::new() }));
        assert_eq!(snapshots(&array(0, 0, &[])), Ok(Snapshots::default()));
    }

    #[test]
    fn labels_that_are_no_moments_are_refused() {
        for label in [
            "x",
            "@GMT-",
            "@GMT-2023.11.14",
            "@GMT-2023.13.14-22.13.20",
            "@GMT-2023.11.14-24.13.20",
            "@GMT-2023.11.14-22.13.20.1",
            "@GMT-99999999999999999999.11.14-22.13.20",
            "@GMT-2023.+1.14-22.13.20",
            "@GMT-2023.11.14-22.13.20\u{e9}",
        ] {
            assert!(snapshots(&array(1, 1, &[label])).is_err(), "{label}");
        }
        assert!(snapshots(&array(1, 1, &["@GMT-2023.11.14-22.13.20"])[..40]).is_err(), "cut off");
    }
}
