//! Many robots, and many writers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::sync::Barrier;

use super::given::{
    Given, List, account, column, count, given, must_fit_together, only, plain, publish, since,
};
use super::subject::Subject;
use crate::{CompareOptions, ListInfo, ListKind, Record, Sink, SinkError};

pub(super) fn a_thousand_robots_are_published_together_and_alone(subject: &dyn Subject) {
    let (sink, mut reader) = (subject.sink(), subject.reader());
    let all = |mark: &str, ids: &[&str]| -> Vec<Given> {
        (0..1_000).map(|n| given(&format!("robot {n:04}"), mark, 1, &plain(ids))).collect()
    };
    publish(&*sink, &all("m1", &["a", "b"])).unwrap();
    let (found, gone) = publish(&*sink, &all("m2", &["b", "c"])).unwrap();
    assert_eq!((found.unwrap().len(), gone.len()), (1_000, 1_000));
    assert!(gone.is_sorted());
    let one = given("robot 0500", "m3", 1, &plain(&["b"]));
    assert_eq!(only(publish(&*sink, &[one])).since, since("m2", 1));
    let tables = ["robot_account", "list", "change", "pull"].map(|it| count(&mut *reader, it));
    assert_eq!(tables, [1_999, 2_001, 2_001, 1_000]);
    for robot in ["robot 0000", "robot 0500", "robot 0999"] {
        must_fit_together(&mut *reader, robot);
    }
}

/// Lists of one robot come from two processes. Each is compared with the list that it replaces, or is refused.
pub(super) fn two_writers_of_one_robot_make_one_history(subject: &dyn Subject) {
    const LISTS: u32 = 12;
    let mut reader = subject.reader();
    publish(&*subject.sink(), &[given("r", "first", 1, &plain(&["a", "b"]))]).unwrap();
    let barrier = Barrier::new(2);
    let write = |writer: &str| {
        let sink = subject.sink();
        let mut done = Vec::new();
        barrier.wait();
        for n in 0..LISTS {
            let ids = [format!("{writer} {n}"), "a".to_owned(), format!("both {}", n % 3)];
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let mut list = given("r", &format!("{writer}{n}"), 1, &plain(&ids));
            list.order = sink.next_order().unwrap();
            let (mark, order) = (list.mark.to_string(), list.order);
            match publish(&*sink, &[list]) {
                Ok(_) => done.push((order, mark)),
                Err(SinkError::Superseded | SinkError::Replaced { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        done
    };
    let done = std::thread::scope(|scope| {
        let both = ["x", "y"].map(|writer| scope.spawn(move || write(writer)));
        both.map(|it| it.join().unwrap()).concat()
    });
    let last = done.iter().max().unwrap();
    let lists = "SELECT mark_id FROM qopen.pull WHERE complete";
    assert_eq!(column(&mut *reader, lists), [&*last.1]);
    assert_eq!(count(&mut *reader, "list"), 1 + done.len() as u64);
    must_fit_together(&mut *reader, "r");
}

pub(super) fn writers_of_different_robots_do_not_disturb_each_other(subject: &dyn Subject) {
    const LISTS: usize = 10;
    let barrier = Barrier::new(4);
    let write = |robot: &str| {
        let sink = subject.sink();
        // All of them create the tables.
        barrier.wait();
        for n in 0..LISTS {
            let ids = [format!("{n}"), "always".to_owned()];
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let mut list = given(robot, &format!("m{n}"), 1, &plain(&ids));
            list.order = sink.next_order().unwrap();
            publish(&*sink, &[list]).unwrap();
        }
    };
    let robots = ["p", "q", "r", "s"];
    std::thread::scope(|scope| {
        robots.map(|robot| scope.spawn(move || write(robot))).map(|it| it.join().unwrap())
    });
    let mut reader = subject.reader();
    for robot in robots {
        must_fit_together(&mut *reader, robot);
    }
    assert_eq!(count(&mut *reader, "list"), 4 * LISTS as u64);
}

/// The robot of [`publish_without_end`].
const VICTIM: &str = "victim";

/// The line that [`publish_without_end`] prints before each step.
const STEP: &str = "qopen step";

/// The list with that number: its customers have the number for a name.
fn numbered(n: usize) -> List {
    let ids = (0..2_000).filter(|id| !(id + n).is_multiple_of(7));
    let one = |id: usize| account(&format!("{id:04}"), |it| it.profile.name = format!("{n}"));
    ids.map(one).collect()
}

/// Publishes lists to a database until the process is killed. Prints a line on standard output before each step.
///
/// # Panics
/// If the database fails, or standard output is closed.
pub fn publish_without_end(sink: &dyn Sink) {
    let step = || {
        let mut out = std::io::stdout();
        writeln!(out, "{STEP}").and_then(|()| out.flush()).unwrap();
    };
    let robot = VICTIM.parse().unwrap();
    let start = sink.next_order().unwrap().unwrap_or_default();
    for n in 1.. {
        step();
        let list = numbered(n);
        let mark = format!("m {start} {n}").parse().unwrap();
        let mut writer = sink.begin(ListKind::Complete).unwrap();
        writer.begin_list(&ListInfo::new(&robot, &mark, 1)).unwrap();
        list.values().for_each(|it| writer.write(&Record::new(&robot, it)).unwrap());
        step();
        writer.settle().unwrap();
        writer.compare(CompareOptions::default(), &mut |_, _| Ok(())).unwrap();
        step();
        writer.commit().unwrap();
    }
}

pub(super) fn a_publication_that_is_killed_leaves_the_old_list_or_the_new_one(
    subject: &dyn Subject,
) {
    let sink = subject.sink();
    publish(&*sink, &[given(VICTIM, "first", 1, &numbered(0))]).unwrap();
    for steps in 1..=12 {
        let mut publisher = subject.publisher().stdout(Stdio::piped()).spawn().unwrap();
        let out = publisher.stdout.take().unwrap();
        // The output of a test program has other text before it.
        let lines = BufReader::new(out).lines().map_while(Result::ok);
        let seen = lines.filter(|line| line.contains(STEP)).take(steps).count();
        publisher.kill().unwrap();
        publisher.wait().unwrap();
        assert_eq!(seen, steps, "the publisher ended by itself");
        let mut reader = subject.reader();
        let names = "SELECT count(*), count(DISTINCT name), min(name), max(accounts) FROM qopen.robot_account
             JOIN qopen.pull USING (robot_id) WHERE complete";
        let row = reader.query(names).remove(0);
        let n: usize = row[2].parse().unwrap();
        let expected = numbered(n).len().to_string();
        assert_eq!(row[..], [expected.clone(), "1".to_owned(), row[2].clone(), expected]);
        must_fit_together(&mut *reader, VICTIM);
        // The next list needs no repair.
        let next = given(VICTIM, &format!("next {steps}"), 1, &numbered(0));
        publish(&*sink, &[next]).unwrap();
        must_fit_together(&mut *reader, VICTIM);
    }
}
