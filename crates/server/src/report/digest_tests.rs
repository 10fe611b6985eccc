//! What the digest says of a job, and to whom it is overdue.

use super::*;

#[test]
fn a_backup_is_too_old_by_its_schedule_or_by_a_limit() {
    let at = |hours: i64| Moment(1_000_000 + hours * 3600);
    let table = [
        (MaxAge::Auto, 23, 9, false),
        (MaxAge::Auto, 25, 1, false),
        (MaxAge::Auto, 25, 2, true),
        (MaxAge::Auto, 24 * 400, 0, false),
        (MaxAge::Secs(48 * 3600), 48, 99, false),
        (MaxAge::Secs(48 * 3600), 49, 0, true),
        (MaxAge::Secs(48 * 3600), -5, 0, false),
        (MaxAge::Secs(u64::MAX), 1_000_000, 9, false),
        (MaxAge::Unlimited, 1_000_000, 9, false),
    ];
    for (max_age, hours, slots, wanted) in table {
        assert_eq!(is_overdue(max_age, at(0), slots, at(hours)), wanted, "{max_age:?} {hours} {slots}");
    }
}

#[test]
fn the_worst_is_what_counts() {
    let light =
        |last, is_overdue, is_paused, is_behind, ran| Standing { is_overdue, is_paused, last, ran, is_behind }.light();
    assert_eq!(light(Some(Ended::Succeeded), true, true, false, true), Light::Overdue);
    for ended in [Ended::Failed, Ended::Cancelled, Ended::Interrupted] {
        // However long ago, and whether or not it is paused since.
        for (is_paused, ran) in [(false, true), (false, false), (true, false)] {
            assert_eq!(light(Some(ended), false, is_paused, false, ran), Light::Failed);
        }
    }
    for ended in [Ended::Held, Ended::Warnings] {
        assert_eq!(light(Some(ended), false, false, false, false), Light::Attention);
        assert_eq!(light(Some(ended), false, true, false, false), Light::Attention);
        assert_eq!(light(Some(ended), false, false, true, true), Light::NotRun);
    }
    assert_eq!(light(Some(Ended::Succeeded), false, false, false, true), Light::Good);
    assert_eq!(light(Some(Ended::Succeeded), false, false, false, false), Light::Idle);
    assert_eq!(light(Some(Ended::Succeeded), false, false, true, true), Light::NotRun);
    assert_eq!(light(Some(Ended::Succeeded), false, true, true, true), Light::Paused);
    assert_eq!(light(None, false, false, true, false), Light::NotRun);
    assert_eq!(light(None, false, true, true, false), Light::Paused);
    assert_eq!(light(None, false, false, false, false), Light::Idle);
}
