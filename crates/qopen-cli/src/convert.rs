//! `qopen convert`: writes a list in another format.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::{Path, PathBuf};

use qopen::sink::{ListKind, ListReader, Sink, SinkError, shown_path};

use crate::args::ConvertArgs;
use crate::exit::{Exit, Failure};
use crate::format::{Layout, OutputFormat, singer};
use crate::lang::{Phrase, Text, phrase};
use crate::output::{Output, Shared};
use crate::report::{CUSTOMERS, ROBOTS};
use crate::say::tell;
use crate::values::out::is_database;

/// The path that means standard input or output.
const STREAM: &str = "-";

pub(crate) fn run(args: &ConvertArgs) -> Result<Exit, Failure> {
    let out = place(args)?;
    let layout = layout(args, &out)?;
    singer::prepare(&args.singer, layout.is_singer(), &[], false)?;
    let output = Output::new(&out, layout)?;
    if is_stream(&args.list) {
        output.check(&[])?;
        let name = Path::new("standard input");
        let reader = ListReader::new(io::stdin().lock(), name);
        return convert(reader, name, &output, layout, &out);
    }
    let file = open(&args.list, &out)?;
    output.check(&[])?;
    let reader = ListReader::open(file, &args.list);
    let reader = reader.map_err(|error| failure(&error, &args.list))?;
    convert(reader, &args.list, &output, layout, &out)
}

/// Writes all that a reader reads. `name` is the list's.
fn convert(
    mut reader: ListReader<'_, impl Read>,
    name: &Path,
    output: &Output,
    layout: Layout,
    out: &Path,
) -> Result<Exit, Failure> {
    let location = match write(&mut reader, output, layout, out) {
        Ok(location) => location,
        // The rest is of no use to a reader that left.
        Err(SinkError::Io { source, .. })
            if is_stream(out) && source.kind() == io::ErrorKind::BrokenPipe =>
        {
            return Ok(Exit::ReaderLeft);
        }
        Err(error) => return Err(failure(&error, name)),
    };
    let customers = CUSTOMERS.count(reader.records());
    let robots = ROBOTS.count(reader.robots() as u64);
    let location = match is_stream(out) {
        true => phrase!("standard output", "标准输出"),
        false => location.into(),
    };
    tell!(
        "wrote {customers} of {robots} to {location}",
        "已将 {robots}的 {customers}写入 {location}",
        customers = customers,
        robots = robots,
        location = location,
    );
    Ok(Exit::Complete)
}

fn is_stream(path: &Path) -> bool {
    path == Path::new(STREAM)
}

/// The file of the new list, or the stream.
fn place(args: &ConvertArgs) -> Result<PathBuf, Failure> {
    let (list, format) = (&args.list, args.layout.format);
    match (&args.out, format) {
        (Some(out), _) if is_database(out) => Err(Failure::usage(phrase!(
            "--out: `convert` writes a file or - for standard output; `qopen pull --resume MARK --out DATABASE` publishes a list in a database",
            "--out：`convert` 写入文件，或用 - 写到标准输出；`qopen pull --resume MARK --out DATABASE` 可将列表发布到数据库",
        ))),
        (None, _) if is_stream(list) => Err(Failure::usage(phrase!(
            "--out: a list from standard input has no name; give a file or - for standard output, such as --out customers.xlsx",
            "--out：来自标准输入的列表没有名称；请给出文件，或用 - 写到标准输出，例如 --out customers.xlsx",
        ))),
        (Some(out), None) if out.is_dir() => Err(needs_format(list)),
        (None, None) => Err(needs_format(list)),
        (None, Some(format)) => Ok(named(list, format)),
        (Some(out), Some(format)) if out.is_dir() => {
            let list = if is_stream(list) { Path::new("customers") } else { list };
            Ok(out.join(named(list, format).file_name().unwrap_or_default()))
        }
        (Some(out), _) => Ok(out.clone()),
    }
}

/// The form of the new list, which must be chosen by an option or a name.
fn layout(args: &ConvertArgs, out: &Path) -> Result<Layout, Failure> {
    let with_default = |format| args.layout.at(out, Layout { format, ..Layout::default() });
    let layout = with_default(OutputFormat::Jsonl)?;
    match with_default(OutputFormat::Csv) {
        Ok(other) if other.format == layout.format => Ok(layout),
        _ => Err(needs_format(&args.list)),
    }
}

fn needs_format(list: &Path) -> Failure {
    let list = if is_stream(list) { "-".into() } else { shown_path(list) };
    Failure::usage(phrase!(
        "--format: choose the format of the new list\n  example: qopen convert {list} --format xlsx",
        "--format：请选择新列表的格式\n  示例：qopen convert {list} --format xlsx",
        list = list,
    ))
}

/// The list's path with the ending of another format.
fn named(list: &Path, format: OutputFormat) -> PathBuf {
    let is_known = list.extension().is_some_and(|it| {
        ["jsonl", "ndjson", "csv"].iter().any(|known| it.eq_ignore_ascii_case(known))
    });
    let bare = if is_known { list.with_extension("") } else { list.to_owned() };
    let mut name = bare.into_os_string();
    name.push(".");
    name.push(format.name());
    name.into()
}

/// Opens the list. It must not be the file that will be replaced.
fn open(list: &Path, out: &Path) -> Result<File, Failure> {
    let shown = shown_path(list);
    if list.is_dir() {
        return Err(Failure::usage(phrase!(
            "{shown} is a folder; give a list in it, such as {shown}/ROBOT.jsonl",
            "{shown} 是文件夹；请给出其中的列表，例如 {shown}/ROBOT.jsonl",
            shown = shown,
        )));
    }
    let file = File::open(list).map_err(|error| Failure::usage_of(&shown, &error))?;
    let begin = binary(&file).map_err(|error| match error.kind() {
        io::ErrorKind::NotSeekable => Failure::usage(phrase!(
            "{shown} is a pipe, and not a file; `convert` reads JSON Lines from standard input\n  example: qopen convert - --out customers.csv < {shown}",
            "{shown} 是管道而不是文件；`convert` 可从标准输入读取 JSON Lines\n  示例：qopen convert - --out customers.csv < {shown}",
            shown = shown,
        )),
        _ => Failure::usage_of(&shown, &error),
    })?;
    if let Some(why) = begin {
        let said = phrase!("{shown} is {why}", "{shown} 是{why}", shown = shown, why = why);
        return Err(Failure::usage(said));
    }
    let is_same = || Some(std::fs::canonicalize(list).ok()? == std::fs::canonicalize(out).ok()?);
    if is_same() == Some(true) {
        return Err(Failure::usage(phrase!(
            "--out: {shown} is the list that is read; name another file",
            "--out：{shown} 就是要读取的列表；请指定其他文件",
            shown = shown,
        )));
    }
    Ok(file)
}

/// Explains what to do with a file that is no text.
fn binary(mut file: &File) -> io::Result<Option<Phrase>> {
    // Of the longest of them.
    let mut begin = [0; 16];
    let mut length = 0;
    while length < begin.len() {
        match file.read(&mut begin[length..])? {
            0 => break,
            read => length += read,
        }
    }
    file.rewind()?;
    let elsewhere = Text::new(
        "`convert` reads lists in JSON Lines and CSV; the journal still has each list that --retain keeps: qopen pulls export MARK --out customers.jsonl",
        "`convert` 读取 JSON Lines 与 CSV 列表；持久化存储仍有 --retain 保留期内的每份列表：qopen pulls export MARK --out customers.jsonl",
    );
    let why = match &begin[..length] {
        it if it.starts_with(b"PK\x03\x04") => phrase!(
            "a workbook or another ZIP archive, whose texts may have been changed since; {elsewhere}",
            "工作簿或其他 ZIP 归档，其文本之后可能被改动；{elsewhere}",
            elsewhere = elsewhere,
        ),
        it if it.starts_with(b"PAR1") => phrase!(
            "a list in Parquet; {elsewhere}",
            " Parquet 列表；{elsewhere}",
            elsewhere = elsewhere,
        ),
        b"SQLite format 3\0" => phrase!(
            "an SQLite database; `convert` reads lists in JSON Lines and CSV, and the database has the former as `account`:\n  sqlite3 lists.db \"SELECT account FROM robot_account WHERE robot_id = 'ROBOT_ID' ORDER BY account_id\" > customers.jsonl",
            " SQLite 数据库；`convert` 读取 JSON Lines 与 CSV 列表，数据库的 `account` 列即为前者：\n  sqlite3 lists.db \"SELECT account FROM robot_account WHERE robot_id = 'ROBOT_ID' ORDER BY account_id\" > customers.jsonl",
        ),
        _ => return Ok(None),
    };
    Ok(Some(why))
}

fn write(
    reader: &mut ListReader<'_, impl Read>,
    output: &Output,
    layout: Layout,
    out: &Path,
) -> Result<String, SinkError> {
    if is_stream(out) {
        copy(reader, &*layout.stdout(None, None))?;
        return Ok(STREAM.to_owned());
    }
    // Temporary data lies beside the new list.
    let folder = out.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = Shared::begin(&output.file(""))?;
    copy(reader, &layout.stream(file.clone()).in_folder(Some(folder)))?;
    file.commit()
}

fn copy(reader: &mut ListReader<'_, impl Read>, sink: &dyn Sink) -> Result<(), SinkError> {
    let mut list = sink.begin(ListKind::Complete)?;
    while let Some(record) = reader.next_record()? {
        list.write(&record)?;
    }
    list.commit().map(drop)
}

const NOTHING: Text = Text::new("nothing was written", "没有写出任何内容");

fn failure(error: &SinkError, list: &Path) -> Failure {
    match error {
        SinkError::Unreadable { .. } => Failure::usage_of(NOTHING, error),
        SinkError::Io { path, .. } if path == list => Failure::usage_of(NOTHING, error),
        error => Failure::output(NOTHING, error),
    }
}
