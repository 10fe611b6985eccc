//! Numbers, sizes and durations as people read them: in reports, tables and messages. How people write them is read by the code that
//! takes the setting.

/// `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 file`, `1,234 files`.
pub fn count(number: u64, one: &str) -> String {
    format!("{} {one}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// `3.4 GiB`; below 1 KiB in bytes.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return count(bytes, "byte");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 and more would be printed as 1024.0.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `0.4 s`, `12 s`, `3 min 5 s`, `2 h 5 min`.
pub fn duration(millis: u64) -> String {
    let secs = millis / 1000;
    match secs {
        0..10 => format!("{secs}.{} s", millis % 1000 / 100),
        10..60 => format!("{secs} s"),
        60..3600 => format!("{} min {} s", secs / 60, secs % 60),
        _ => format!("{} h {} min", secs / 3600, secs / 60 % 60),
    }
}

/// `12.3 MiB/s`; `None` where nothing sensible can be said.
pub fn speed(bytes: u64, millis: u64) -> Option<String> {
    let per_sec = u128::from(bytes).checked_mul(1000)?.checked_div(u128::from(millis))?;
    (bytes > 0).then(|| format!("{}/s", size(u64::try_from(per_sec).unwrap_or(u64::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(
            (thousands(0), thousands(999), thousands(1_234_567)),
            ("0".into(), "999".into(), "1,234,567".into())
        );
        assert_eq!((size(1), size(1023), size(1024)), ("1 byte".into(), "1,023 bytes".into(), "1.0 KiB".into()));
        assert_eq!(size((1 << 20) - 1), "1.0 MiB");
        assert_eq!(
            (duration(420), duration(59_900), duration(7_500_000)),
            ("0.4 s".into(), "59 s".into(), "2 h 5 min".into())
        );
        assert_eq!((speed(1 << 20, 500), speed(5, 0), speed(0, 5)), (Some("2.0 MiB/s".into()), None, None));
    }

    proptest! {
        #[test]
        fn thousands_only_adds_commas(number in any::<u64>()) {
            prop_assert_eq!(thousands(number).replace(',', ""), number.to_string());
            prop_assert!(!size(number).is_empty());
        }
    }
}
