//! Saved states that something else has written.

use std::time::Duration;

use qopen_assembler::{
    Assembler, Config, ContentDigest, Entry, Page, PageDigest, PullKey, PullOptions, Saved, Seed,
    Time,
};

fn at(seconds: u64) -> Time {
    Time::since_epoch(Duration::from_secs(seconds))
}

fn page(key: &PullKey, n: u8, has_more: bool) -> Page<[Entry; 1]> {
    let fingerprint = Seed::of(key).fingerprint(&n.to_string());
    let account = Entry { fingerprint, content: ContentDigest::of(&[n]) };
    Page::new(key.clone(), PageDigest::of(&[n]), has_more, [account])
}

fn drain(assembler: &mut Assembler<Entry>) {
    while assembler.poll_event().is_some() {}
}

/// An open pull and one that was complete, with something in every part.
fn saved() -> String {
    let mut assembler = Assembler::<Entry>::new(Config::default());
    for mark in ["open", "ended"] {
        let key = PullKey::new("r", mark);
        assembler.start(at(9), key.clone(), PullOptions::default()).unwrap();
        assembler.handle_page(at(10), page(&key, 1, mark == "open"));
    }
    assembler.handle_timeout(at(14));
    assembler.handle_page(at(15), page(&PullKey::new("r", "ended"), 2, true));
    assembler.handle_unreadable_page(at(15), &PullKey::new("r", "open"), PageDigest::of(b"x"));
    assembler.handle_page(at(15), page(&PullKey::new("r", "unknown"), 1, true));
    assembler.handle_refusal(at(15));
    assembler.handle_outage_began(at(16), at(15));
    assembler.handle_outage_ended(at(17));
    drain(&mut assembler);
    serde_json::to_string(&assembler.save().unwrap()).unwrap()
}

/// What follows a restart.
fn live_on(mut assembler: Assembler<Entry>) {
    for mark in ["open", "ended", "unknown"] {
        let key = PullKey::new("r", mark);
        for n in [1, 3, 3] {
            assembler.handle_page(at(20), page(&key, n, n == 1));
        }
        let _ = assembler.progress(&key);
    }
    assembler.handle_outage_began(at(21), at(20));
    let _ = assembler.poll_timeout();
    assembler.handle_outage_ended(at(22));
    assembler.handle_refusal(at(23));
    drain(&mut assembler);
    assembler.handle_timeout(at(1 << 40));
    drain(&mut assembler);
    assembler.save().unwrap();
}

#[test]
fn a_state_with_any_other_number_is_refused_or_lives_on() {
    let saved = saved();
    let digits = |c: char| c.is_ascii_digit();
    let mut numbers = Vec::new();
    let mut end = 0;
    while let Some(begin) = saved[end..].find(digits).map(|at| end + at) {
        let length = saved[begin..].find(|c: char| !digits(c)).unwrap_or(saved.len() - begin);
        end = begin + length;
        numbers.push(begin..end);
    }
    let mut alive = 0;
    for range in &numbers {
        for number in ["0", "1", "4294967295", "9223372036854775808", "18446744073709551615"] {
            let (before, after) = (&saved[..range.start], &saved[range.end..]);
            let changed = format!("{before}{number}{after}");
            let Ok(read) = serde_json::from_str::<Saved>(&changed) else { continue };
            let Ok(assembler) = Assembler::restore(Config::default(), read) else { continue };
            live_on(assembler);
            alive += 1;
        }
    }
    assert!(numbers.len() > 60 && alive > 3 * numbers.len(), "{alive} of {}", numbers.len());
}
