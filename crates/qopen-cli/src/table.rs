//! Tables on standard output: columns that fit a terminal, and whole fields for programs.
//!
//! A program gets one line per row with a tab between fields, so that `awk` and `cut` find each field, and English
//! whatever the language. Columns with texts that may have spaces are the last ones.

use std::io::IsTerminal as _;

use console::{Style, Term, measure_text_width};

use crate::lang::{self, Lang, Phrase, Text};
use crate::say::{self, answer, flat};
use crate::terminal;

/// Columns between two cells.
const GAP: usize = 2;

/// The content of a cell without a value.
const NOTHING: &str = "-";

/// Characters of a cell that are measured for a terminal, at most.
const MOST: usize = 300;

/// Titles of several tables.
pub(crate) const ROBOT: Text = Text::new("ROBOT", "机器人");
pub(crate) const NAME: Text = Text::new("NAME", "名称");
pub(crate) const KIND: Text = Text::new("KIND", "类型");
pub(crate) const MARK: Text = Text::new("MARK", "标记");
pub(crate) const CUSTOMERS: Text = Text::new("CUSTOMERS", "客户数");

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    title: Text,
    /// The width to which a narrow terminal may cut the cells. `None` for cells that are never cut.
    least: Option<usize>,
    /// Columns of a greater rank leave a narrow terminal first. A column of rank 0 stays.
    rank: u8,
    is_number: bool,
}

impl Column {
    /// A column of texts that are never cut.
    pub(crate) const fn word(title: Text, rank: u8) -> Self {
        Self { title, least: None, rank, is_number: false }
    }

    /// A column of numbers, which are never cut.
    pub(crate) const fn number(title: Text, rank: u8) -> Self {
        Self { title, least: None, rank, is_number: true }
    }

    /// A column of texts that may be cut to `least` columns.
    pub(crate) const fn text(title: Text, rank: u8, least: usize) -> Self {
        Self { title, least: Some(least), rank, is_number: false }
    }
}

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tint {
    Good,
    Doubtful,
    Bad,
}

/// A cell. Its text may come from outside.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: Phrase,
    tint: Option<Tint>,
}

impl Cell {
    /// A cell with that text on one line, `-` if it is empty.
    pub(crate) fn new(text: impl Into<Phrase>) -> Self {
        let text = text.into().map(flat);
        let text = if text.english().trim().is_empty() { NOTHING.into() } else { text };
        Self { text, tint: None }
    }

    /// A cell of a value that may be absent.
    pub(crate) fn of(value: Option<impl ToString>) -> Self {
        Self::new(value.map_or_else(String::new, |it| it.to_string()))
    }

    pub(crate) fn tinted(self, tint: Option<Tint>) -> Self {
        Self { tint, ..self }
    }
}

/// The reader of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A pipe or a file: nothing is cut, and every text is English.
    Program,
    /// A terminal of that many columns, in that language.
    Terminal(usize, Lang),
}

impl Reader {
    /// A person at the terminal of standard error.
    pub(crate) fn of_stderr() -> Self {
        Self::Terminal(terminal::columns(&Term::stderr()), lang::chosen())
    }

    /// The reader of standard output.
    pub(crate) fn of_stdout() -> Self {
        match std::io::stdout().is_terminal() {
            true => Self::Terminal(terminal::columns(&Term::stdout()), lang::chosen()),
            false => Self::Program,
        }
    }

    /// The language of every text for this reader.
    fn lang(self) -> Lang {
        match self {
            Self::Program => Lang::En,
            Self::Terminal(_, lang) => lang,
        }
    }
}

/// Prints a sentence on standard output: in English for a program, at a terminal in the language of the process.
pub(crate) fn line(sentence: &Phrase) {
    answer!("{}", sentence.of(Reader::of_stdout().lang()));
}

/// Prints a table with its titles.
pub(crate) fn print<const N: usize>(columns: &[Column; N], rows: &[[Cell; N]], reader: Reader) {
    let text = render(columns, rows, reader, terminal::answers_have_colours());
    // Cells have no control characters, so that the only ones are the table's own.
    say::bytes_to_reader(text.as_bytes());
}

/// Formats a table with its titles.
pub(crate) fn render<const N: usize>(
    columns: &[Column; N],
    rows: &[[Cell; N]],
    reader: Reader,
    coloured: bool,
) -> String {
    let lang = reader.lang();
    let titles: [Cell; N] = columns.map(|it| Cell::new(it.title));
    let widths: Vec<Option<usize>> = match reader {
        Reader::Program => vec![None; N],
        Reader::Terminal(width, _) => fit(columns, rows, width, lang),
    };
    let mut text = String::new();
    for (at, row) in std::iter::once(&titles).chain(rows).enumerate() {
        let style = |cell: &Cell| style(cell, at == 0).filter(|_| coloured);
        match reader {
            Reader::Program => {
                let cells = row.iter().map(|cell| painted(cell.text.of(lang), style(cell)));
                text.push_str(&cells.collect::<Vec<_>>().join("\t"));
            }
            Reader::Terminal(..) => {
                let shown = row.iter().zip(columns).zip(&widths);
                let shown =
                    shown.filter_map(|((cell, column), width)| Some((cell, column, (*width)?)));
                let shown: Vec<_> = shown.collect();
                for (at, (cell, column, width)) in shown.iter().enumerate() {
                    let cut = cut(cell.text.of(lang), *width);
                    let space = " ".repeat(width.saturating_sub(measure_text_width(&cut)));
                    let is_last = at + 1 == shown.len();
                    let (before, after) = match (column.is_number, is_last) {
                        (true, _) => (&*space, ""),
                        (false, true) => ("", ""),
                        (false, false) => ("", &*space),
                    };
                    text.push_str(before);
                    text.push_str(&painted(&cut, style(cell)));
                    text.push_str(after);
                    if !is_last {
                        text.push_str(&" ".repeat(GAP));
                    }
                }
            }
        }
        text.push('\n');
    }
    text
}

fn style(cell: &Cell, is_title: bool) -> Option<Style> {
    match (is_title, cell.tint) {
        (true, _) => Some(Style::new().bold()),
        (false, Some(Tint::Good)) => Some(Style::new().green()),
        (false, Some(Tint::Doubtful)) => Some(Style::new().yellow()),
        (false, Some(Tint::Bad)) => Some(Style::new().red()),
        (false, None) => None,
    }
}

fn painted(text: &str, style: Option<Style>) -> String {
    match style {
        // The rule of the switch and the environment has decided.
        Some(style) => style.force_styling(true).apply_to(text).to_string(),
        None => text.to_owned(),
    }
}

/// Returns the width of each column on a terminal, `None` for a column without room.
fn fit<const N: usize>(
    columns: &[Column; N],
    rows: &[[Cell; N]],
    width: usize,
    lang: Lang,
) -> Vec<Option<usize>> {
    let natural = |at: usize| {
        let cells = rows.iter().map(|row| measured(row[at].text.of(lang)));
        cells.chain([measure_text_width(columns[at].title.of(lang))]).max().unwrap_or_default()
    };
    let mut widths: Vec<Option<usize>> = (0..N).map(|at| Some(natural(at))).collect();
    let narrowest = |at: usize, it: usize| columns[at].least.map_or(it, |least| it.min(least));
    let total = |all: &[Option<usize>], of: &dyn Fn(usize, usize) -> usize| {
        let shown = all.iter().enumerate().filter_map(|(at, it)| Some(of(at, (*it)?)));
        let (sum, cells) = shown.fold((0, 0_usize), |(sum, cells), it| (sum + it, cells + 1));
        sum + GAP * cells.saturating_sub(1)
    };
    // Columns without any value leave before the others.
    let is_empty = |at: usize| rows.iter().all(|row| row[at].text.english() == NOTHING);
    while total(&widths, &narrowest) > width {
        let leaving = (0..N).filter(|at| widths[*at].is_some() && columns[*at].rank > 0);
        match leaving.max_by_key(|at| (is_empty(*at), columns[*at].rank)) {
            Some(at) => widths[at] = None,
            None => break,
        }
    }
    while total(&widths, &|_, it| it) > width {
        let cuttable = |at: usize| {
            let it = widths[at]?;
            Some(it - narrowest(at, it)).filter(|spare| *spare > 0)
        };
        // First what has most to spare, last the rest, so that each line fits in any case.
        let widest = (0..N).filter(|at| cuttable(*at).is_some()).max_by_key(|at| cuttable(*at));
        let any = || (0..N).filter(|at| widths[*at] > Some(1)).max_by_key(|at| widths[*at]);
        match widest.or_else(any) {
            Some(at) => widths[at] = widths[at].map(|it| it - 1),
            None => {
                let Some(last) = widths.iter().rposition(Option::is_some) else { break };
                widths[last] = None;
            }
        }
    }
    widths
}

/// Returns the width of a cell, up to the beginning of a long one.
fn measured(text: &str) -> usize {
    match text.char_indices().nth(MOST) {
        Some((at, _)) => measure_text_width(&text[..at]) + 1,
        None => measure_text_width(text),
    }
}

/// Cuts a text to `width` columns, with `…` at a cut end.
fn cut(text: &str, width: usize) -> String {
    if measured(text) <= width && text.chars().nth(MOST).is_none() {
        return text.to_owned();
    }
    let mut end = 0;
    for (at, it) in text.char_indices().take(MOST) {
        let next = at + it.len_utf8();
        // The width of a sequence may differ from the sum of its characters' widths.
        if measure_text_width(&text[..next]) > width.saturating_sub(1) {
            break;
        }
        end = next;
    }
    format!("{}…", &text[..end])
}

/// A table for a program, and at terminals of three widths in both languages.
#[cfg(test)]
pub(crate) fn for_each_reader<const N: usize>(columns: &[Column; N], rows: &[[Cell; N]]) -> String {
    let terminals = [Lang::En, Lang::Zh]
        .map(|lang| [40, 80, 120].map(|columns| Reader::Terminal(columns, lang)));
    let readers = [Reader::Program].into_iter().chain(terminals.into_iter().flatten());
    let shown = |reader| format!("{reader:?}\n{}", render(columns, rows, reader, false));
    readers.map(shown).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::text(Text::new("MARK", "标记"), 0, 6),
        Column::number(Text::new("CUSTOMERS", "客户数"), 2),
        Column::word(Text::new("STATE", "状态"), 1),
        Column::text(Text::new("NAME", "名称"), 3, 8),
    ];

    fn row(mark: &str, customers: &str, state: &str, name: &str) -> [Cell; 4] {
        let tint = (state == "held").then_some(Tint::Doubtful);
        let state = Phrase::new(state, if state == "held" { "被拦下" } else { state });
        [Cell::new(mark), Cell::new(customers), Cell::new(state).tinted(tint), Cell::new(name)]
    }

    fn rows() -> Vec<[Cell; 4]> {
        vec![
            row("0193ab12-34cd-7000", "1234567", "complete", "客服小王的机器人一二三"),
            row("m", "3", "held", "odd\u{1b}[31m\tname\n"),
            row("", "", "", ""),
        ]
    }

    #[test]
    fn a_program_gets_each_field_whole_between_tabs() {
        assert_eq!(
            render(&COLUMNS, &rows(), Reader::Program, false),
            "MARK\tCUSTOMERS\tSTATE\tNAME\n\
             0193ab12-34cd-7000\t1234567\tcomplete\t客服小王的机器人一二三\n\
             m\t3\theld\todd\\u001b[31m name \n\
             -\t-\t-\t-\n"
        );
    }

    #[test]
    fn a_terminal_gets_what_fits() {
        let of = |width| render(&COLUMNS, &rows(), Reader::Terminal(width, Lang::En), false);
        assert_eq!(
            of(80),
            "MARK                CUSTOMERS  STATE     NAME\n\
             0193ab12-34cd-7000    1234567  complete  客服小王的机器人一二三\n\
             m                           3  held      odd\\u001b[31m name \n\
             -                           -  -         -\n"
        );
        assert_eq!(
            of(40),
            "MARK      CUSTOMERS  STATE     NAME\n\
             0193ab1…    1234567  complete  客服小王…\n\
             m                 3  held      odd\\u001…\n\
             -                 -  -         -\n"
        );
        assert_eq!(
            of(20),
            "MARK        STATE\n\
             0193ab12-…  complete\n\
             m           held\n\
             -           -\n"
        );
        assert_eq!(of(5), "MARK\n0193…\nm\n-\n");
    }

    #[test]
    fn a_terminal_gets_its_language_and_a_program_english() {
        let of = |reader| render(&COLUMNS, &rows()[1..], reader, false);
        assert_eq!(
            of(Reader::Terminal(80, Lang::Zh)),
            "标记  客户数  状态    名称\n\
             m          3  被拦下  odd\\u001b[31m name \n\
             -          -  -       -\n"
        );
        assert!(of(Reader::Program).is_ascii());
    }

    #[test]
    fn colours_are_around_cells_and_take_no_columns() {
        let coloured = render(&COLUMNS, &rows(), Reader::Terminal(40, Lang::En), true);
        assert!(coloured.contains("\u{1b}[33mheld\u{1b}[0m      odd"), "{coloured:?}");
        let plain = render(&COLUMNS, &rows(), Reader::Terminal(40, Lang::En), false);
        assert_eq!(console::strip_ansi_codes(&coloured), plain);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal_and_no_row_has_two_lines(
            cells in proptest::collection::vec(proptest::array::uniform4(".{0,30}"), 0..6),
            width in 1_usize..150,
        ) {
            let rows: Vec<_> = cells.iter().map(|row| row.clone().map(Cell::new)).collect();
            for lang in [Lang::En, Lang::Zh] {
                let text = render(&COLUMNS, &rows, Reader::Terminal(width, lang), false);
                prop_assert_eq!(text.matches('\n').count(), rows.len() + 1);
                for line in text.lines() {
                    prop_assert!(measure_text_width(line) <= width, "{}: {:?}", width, line);
                }
            }
            let fields = render(&COLUMNS, &rows, Reader::Program, false);
            for line in fields.lines() {
                prop_assert_eq!(line.split('\t').count(), COLUMNS.len());
            }
            prop_assert!(!fields.contains(|it: char| it.is_control() && !"\n\t".contains(it)));
        }
    }
}
