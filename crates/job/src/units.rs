//! Sizes, durations, modes and limits as people write them. How they are shown is in [`octo_core::numbers`].
//!
//! Every parser here is strict: what it does not understand it refuses, with the forms that are allowed.

use octo_core::guard::MaxDelete;

/// The word for the guard's own limits, or the usual permissions.
pub const DEFAULT: &str = "default";
/// The word for no limit.
pub const UNLIMITED: &str = "unlimited";

/// `10M`: a whole number with an optional K, M, G, T (1000) or Ki, Mi, Gi, Ti (1024), and an optional B.
pub fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit.strip_suffix(['b', 'B']).unwrap_or(unit).to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1_000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        "ki" => 1 << 10,
        "mi" => 1 << 20,
        "gi" => 1 << 30,
        "ti" => 1 << 40,
        _ => return Err(format!("{unit:?} is not a unit; allowed are K, M, G, T and KiB, MiB, GiB, TiB")),
    };
    let number: u64 =
        number.parse().map_err(|_| "it must be a whole number with an optional unit, such as 10M".to_owned())?;
    match number.checked_mul(factor) {
        Some(0) => Err("it must be more than 0".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("it is too large".to_owned()),
    }
}

/// `30d`, `12h`, `8w`: seconds.
pub fn duration_secs(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor: u64 = match unit {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        "y" => 365 * 86_400,
        _ => return Err("it must be a whole number with a unit: s, m, h, d, w or y, such as 30d".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "it must be a whole number with a unit, such as 30d".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "it is too long".to_owned())
}

/// The same for something that is waited for: not for no time at all.
pub fn wait_secs(text: &str) -> Result<u64, String> {
    match duration_secs(text)? {
        0 => Err("it must be more than 0".to_owned()),
        secs => Ok(secs),
    }
}

/// `+1h`, `-2h`: seconds. A time zone's shift is whole quarters of an hour, and at most a day.
pub fn shift_secs(text: &str) -> Result<i64, String> {
    let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return Err("it begins with + or -, such as +1h".to_owned()),
    };
    let secs = i64::try_from(duration_secs(rest)?).unwrap_or(i64::MAX);
    if secs == 0 || secs > 86_400 || secs % 900 != 0 {
        return Err("it must be whole quarters of an hour and at most 24h, such as +1h or -30m".to_owned());
    }
    Ok(sign * secs)
}

/// `500` or `10%`.
pub fn max_delete(text: &str) -> Result<MaxDelete, String> {
    let wrong = || "it must be a number of files such as 500, or a percentage from 0% to 100%".to_owned();
    match text.strip_suffix('%') {
        Some(percent) => match digits(percent).and_then(|p| u8::try_from(p).ok()) {
            Some(percent) if percent <= 100 => Ok(MaxDelete::Percent(percent)),
            _ => Err(wrong()),
        },
        None => digits(text).map(MaxDelete::Files).ok_or_else(wrong),
    }
}

/// `0640,0750`: permissions of files and of folders, octal.
pub fn modes(text: &str) -> Result<(u32, u32), String> {
    let wrong = || "it must be two octal permissions, of files and of folders, such as 0640,0750".to_owned();
    let one = |part: &str| {
        let octal = (3..=4).contains(&part.len()) && part.bytes().all(|b| (b'0'..=b'7').contains(&b));
        u32::from_str_radix(part, 8).ok().filter(|mode| octal && *mode <= 0o777).ok_or_else(wrong)
    };
    let (file, folder) = text.split_once(',').ok_or_else(wrong)?;
    let (file, folder) = (one(file)?, one(folder)?);
    if file & 0o600 != 0o600 || folder & 0o700 != 0o700 {
        return Err("the owner must be able to read and write files (6) and to do everything in folders (7)".to_owned());
    }
    Ok((file, folder))
}

fn digits(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

/// The leading digits, and the rest.
fn split(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_with_both_kinds_of_units() {
        for (text, wanted) in
            [("1", 1), ("10M", 10_000_000), ("10m", 10_000_000), ("10MB", 10_000_000), ("2KiB", 2048), ("1Gi", 1 << 30)]
        {
            assert_eq!(bytes(text), Ok(wanted), "{text}");
        }
        for text in ["", "M", "0", "-1", "1.5M", "10X", "10 M", "99999999999T", "10MiBB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_and_shifts_need_a_unit() {
        assert_eq!(duration_secs("30d"), Ok(30 * 86_400));
        assert_eq!(duration_secs("0d"), Ok(0));
        assert_eq!(shift_secs("+1h"), Ok(3600));
        assert_eq!(shift_secs("-30m"), Ok(-1800));
        for text in ["", "30", "d", "-1d", "1.5h", "99999999999999999y"] {
            assert!(duration_secs(text).is_err(), "{text}");
        }
        for text in ["1h", "+0h", "+25h", "+1s", "+", "++1h"] {
            assert!(shift_secs(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_and_modes_refuse_what_makes_no_sense() {
        assert_eq!(max_delete("500"), Ok(MaxDelete::Files(500)));
        assert_eq!(max_delete("10%"), Ok(MaxDelete::Percent(10)));
        for text in ["", "%", "101%", "-5", "+5", "5.5%", "300%"] {
            assert!(max_delete(text).is_err(), "{text}");
        }
        assert_eq!(modes("0640,0750"), Ok((0o640, 0o750)));
        assert_eq!(modes("600,700"), Ok((0o600, 0o700)));
        for text in ["", "0640", "0640,0650", "0440,0750", "4755,0750", "0640,+750", "999,999"] {
            assert!(modes(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,20}") {
            let _ = (bytes(&text), duration_secs(&text), shift_secs(&text), max_delete(&text), modes(&text));
        }
    }
}
