//! The pipeline of the example `tail`, with half-written lines, rotations and crashes at any moment.

use std::fs;
use std::iter::repeat_n;
use std::time::Duration;

use proptest::prelude::*;
use qopen_assembler::Time;

use super::pages::{Contacts, Sent, expected};
use super::pipeline::log::Log;
use super::pipeline::{Pipeline, list_path};

#[derive(Clone, Debug)]
enum Step {
    /// The next page, or a copy of an earlier one. Each is a line, of which a half may come first.
    Append {
        copy_of: Option<prop::sample::Index>,
        half: bool,
    },
    Rotate,
    CopyAndTruncate,
    Look,
    Save,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let copy = proptest::option::weighted(0.2, any::<prop::sample::Index>());
    prop_oneof![
        6 => (copy, any::<bool>()).prop_map(|(copy_of, half)| Step::Append { copy_of, half }),
        1 => Just(Step::Rotate),
        1 => Just(Step::CopyAndTruncate),
        4 => Just(Step::Look),
        2 => Just(Step::Save),
        2 => Just(Step::Crash),
    ]
}

/// The pages of three lists in any order. Pages of equal length make files that resemble each other.
fn pages() -> impl Strategy<Value = Vec<Sent>> {
    let page = |at: usize| {
        let (mark, number) = (["a", "b", "c"][at % 3], at / 3);
        let ids = [number, number + 1].map(|it| format!("{it}"));
        let name = format!("{}", number % 2);
        Sent::new(mark, number < 3, &[(&ids[0], &name), (&ids[1], &name)])
    };
    Just((0..12).map(page).collect::<Vec<_>>()).prop_shuffle()
}

proptest! {
    // Each saves to a disk.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn each_list_of_a_log_comes_out_once_and_whole(
        pages in pages(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (path, folder) = (folder.path().join("log"), folder.path());
        let mut log = Log::open(&path).unwrap();
        let mut pipeline = Pipeline::open(&path, folder).unwrap();
        let mut sent = 0;
        let rest = pages.len() + 1;
        let append = Step::Append { copy_of: None, half: false };
        let ending = repeat_n(append, rest).chain([Step::Look]);
        for step in steps.into_iter().chain(ending) {
            match step {
                Step::Append { copy_of, half } => {
                    let page = match copy_of.filter(|_| sent > 0) {
                        Some(copy_of) => copy_of.get(&pages[..sent]),
                        None if sent < pages.len() => {
                            sent += 1;
                            &pages[sent - 1]
                        }
                        None => continue,
                    };
                    match half {
                        true => log.append_half(1, page).unwrap(),
                        false => log.append(1, page).unwrap(),
                    }
                }
                Step::Rotate => log.rotate().unwrap(),
                Step::CopyAndTruncate => log.copy_and_truncate().unwrap(),
                Step::Look => pipeline.look(Time::ZERO).unwrap(),
                Step::Save => pipeline.save().unwrap(),
                Step::Crash => pipeline = Pipeline::open(&path, folder).unwrap(),
            }
        }
        log.finish().unwrap();
        pipeline.look(Time::since_epoch(Duration::from_secs(2))).unwrap();
        let lists = expected(&pages);
        for key in lists.keys() {
            prop_assert!(!list_path(folder, key).exists(), "{} was not quiet", key);
        }
        pipeline.look(Time::since_epoch(Duration::from_secs(5))).unwrap();
        prop_assert_eq!(pipeline.gaps, 0);
        for (key, expected) in &lists {
            let list = fs::read(list_path(folder, key)).unwrap();
            prop_assert_eq!(&serde_json::from_slice::<Contacts>(&list).unwrap(), expected);
        }
    }
}
