//! Messages about mistakes in a settings file. They never quote a line, because it may have a secret.

use super::declared::ALL;
use super::nearest::nearest;
use super::schedule;
use super::spec::{Kind, Spec};
use super::webhook;
use crate::lang::{Phrase, Text, phrase};
use crate::values::is_space;

/// Describes the mistake at the byte `at`, where the parser stopped.
pub(super) fn diagnose(text: &str, at: Option<usize>) -> Phrase {
    let at = at.unwrap_or(text.len());
    let mut end = at.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let start = text[..end].rfind('\n').map_or(0, |it| it + 1);
    let number = text[..start].matches('\n').count() + 1;
    let line = text[start..].lines().next().unwrap_or_default();
    if let Some((name, earlier)) = repeated(&text[..start], line) {
        return phrase!(
            "`{name}` is given twice, in line {earlier} and in line {number}; remove one",
            "`{name}` 出现两次，在第 {earlier} 行和第 {number} 行；请删去一个",
            name = name,
            earlier = earlier,
            number = number,
        );
    }
    phrase!("line {number} {what}", "第 {number} 行{what}", number = number, what = of_line(line))
}

/// Returns the known name that the line repeats in its table, and the line that has it first.
fn repeated(before: &str, line: &str) -> Option<(&'static str, usize)> {
    let is_header = |line: &str| line.trim_start().starts_with('[') && !line.contains('=');
    let header = before.lines().enumerate().filter(|(_, line)| is_header(line)).last();
    let (name, first) = match header {
        None => (known(key(line)?)?, 0),
        Some((at, _)) => {
            let of_entry = schedule::known(key(line)?).or_else(|| webhook::known(key(line)?));
            (of_entry.or_else(|| known(key(line)?))?, at + 1)
        }
    };
    let earlier = before.lines().skip(first).position(|line| key(line) == Some(name))?;
    Some((name, first + earlier + 1))
}

fn of_line(line: &str) -> Phrase {
    const FORM: Text =
        Text::new("a setting is written name = \"value\"", "设置应写成 name = \"value\"");
    let bare = line.trim();
    if bare.starts_with('{') {
        return phrase!("is JSON; {form}", "是 JSON；{form}", form = FORM);
    }
    let before = line.split(['=', '"', '\'']).next().unwrap_or_default();
    if before.contains(|it: char| is_space(it) && !it.is_ascii()) {
        return phrase!(
            "has an invisible character before the value; type it again; {form}",
            "的值之前有不可见字符；请重新输入；{form}",
            form = FORM,
        );
    }
    let shell = bare.strip_prefix("export ").or_else(|| bare.strip_prefix("set ")).unwrap_or(bare);
    let name =
        shell.split(['=', ':', ' ', '＝']).next().unwrap_or_default().trim_matches(['"', '\'']);
    let Some(spec) = ALL.iter().find(|it| it.name == name || it.env == name) else {
        return match (typographic(line), unreadable_number(line), schedule::known(name)) {
            (None, Some(what), Some(key)) => phrase!(
                "has {what}; write {example}",
                "有{what}；请写成 {example}",
                what = what,
                example = schedule::example(key),
            ),
            (Some(what), ..) | (None, Some(what), None) => {
                phrase!("has {what}; {form}", "有{what}；{form}", what = what, form = FORM)
            }
            (None, None, _) => phrase!("is not TOML; {form}", "不是 TOML；{form}", form = FORM),
        };
    };
    let Spec { name, kind, .. } = spec;
    if let Some(what) = typographic(line) {
        return phrase!(
            "has {what}; write {name} = \"…\"",
            "有{what}；请写成 {name} = \"…\"",
            what = what,
            name = name,
        );
    }
    if shell.starts_with(spec.env) {
        return phrase!(
            "is written as for a shell; write {name} = \"…\"",
            "是 shell 的写法；请写成 {name} = \"…\"",
            name = name,
        );
    }
    let rest = shell.trim_start_matches(['"', '\'']).trim_start_matches(name);
    let rest = rest.trim_start_matches(['"', '\'']).trim_start();
    match rest.strip_prefix('=').map(str::trim_start) {
        None => phrase!(
            "has no = after the name; write {name} = \"…\"",
            "的名称后没有 =；请写成 {name} = \"…\"",
            name = name,
        ),
        Some(value) if value.contains('\\') && matches!(kind, Kind::Path | Kind::Journal) => {
            phrase!(
                "has a backslash in double quotes; write {name} = '…'",
                "的双引号中有反斜杠；请写成 {name} = '…'",
                name = name,
            )
        }
        Some(value) if !value.starts_with(['"', '\'']) => match unreadable_number(line) {
            Some(what) if spec.is_number() => phrase!(
                "has {what}; write {name} = {example}",
                "有{what}；请写成 {name} = {example}",
                what = what,
                name = name,
                example = spec.example,
            ),
            Some(what) => phrase!(
                "has {what} without quotes; write {name} = \"…\"",
                "有{what}且没有引号；请写成 {name} = \"…\"",
                what = what,
                name = name,
            ),
            None => phrase!(
                "has a value without quotes; write {name} = \"…\"",
                "的值没有引号；请写成 {name} = \"…\"",
                name = name,
            ),
        },
        Some(_) => phrase!(
            "is not TOML; write {name} = \"…\", or '…' around a value with \\ or \"",
            "不是 TOML；请写成 {name} = \"…\"，值中有 \\ 或 \" 时用 '…'",
            name = name,
        ),
    }
}

/// Names a number outside of quotes that TOML does not have.
fn unreadable_number(line: &str) -> Option<Text> {
    // A line of a list has no name.
    let value = line.split_once('=').map_or(line, |(_, value)| value);
    let mut quote = None;
    let outside = value.chars().map(|it| match quote {
        Some(open) => {
            quote = (it != open).then_some(open);
            ' '
        }
        None => {
            quote = matches!(it, '"' | '\'').then_some(it);
            it
        }
    });
    let outside: String = outside.collect();
    let outside = outside.split('#').next().unwrap_or_default();
    let mut words = outside.split(|it: char| is_space(it) || "[]{},".contains(it));
    words.find_map(|word| {
        let digits = word.trim_start_matches(['+', '-']).replace('_', "");
        let hex = digits.strip_prefix("0x").filter(|it| !it.is_empty());
        if let Some(hex) = hex.filter(|it| it.bytes().all(|it| it.is_ascii_hexdigit())) {
            return i64::from_str_radix(hex, 16).is_err().then_some(TOO_LARGE);
        }
        if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
            return None;
        }
        match (digits.parse::<i64>(), word.starts_with('-')) {
            (Ok(_), _) if digits.len() > 1 && digits.starts_with('0') => {
                Some(Text::new("a number that begins with 0", "以 0 开头的数"))
            }
            (Ok(_), _) => None,
            (Err(_), true) => Some(Text::new("a number that is too small", "过小的数")),
            (Err(_), false) => Some(TOO_LARGE),
        }
    })
}

const TOO_LARGE: Text = Text::new("a number that is too large", "过大的数");

/// Names characters of word processors that replace those of TOML.
fn typographic(line: &str) -> Option<Text> {
    let value = line.split_once(['=', '＝']).map_or(line, |(_, value)| value.trim_start());
    if line.contains('＝') && !line.contains('=') {
        return Some(Text::new("the full-width character ＝ instead of =", "全角字符 ＝ 而不是 ="));
    }
    value
        .starts_with(['“', '”', '‘', '’', '„', '「', '＂'])
        .then_some(Text::new("typographic quotes", "弯引号"))
}

/// Describes an unknown name, which has `value`.
pub(super) fn unknown(text: &str, name: &str, value: Option<&toml::Value>) -> Phrase {
    let line = line(text, name);
    if let Some(toml::Value::Table(table)) = value {
        if let Some(inner) = table.keys().find_map(|it| known(it)) {
            return phrase!(
                "`{inner}` is under `{name}`; settings are at the top level, without [{name}]",
                "`{inner}` 在 `{name}` 之下；设置应在顶层，不写 [{name}]",
                inner = inner,
                name = name,
            );
        }
        return phrase!(
            "{line}no table is called `{name}`; settings are at the top level",
            "{line}没有名为 `{name}` 的表；设置应在顶层",
            line = line,
            name = name,
        );
    }
    if let Some(spec) = nearest(name) {
        return phrase!(
            "{line}no setting is called `{name}`; did you mean `{meant}`?",
            "{line}没有名为 `{name}` 的设置；是否想写 `{meant}`？",
            line = line,
            name = name,
            meant = spec.name,
        );
    }
    let known: Vec<_> = ALL.iter().map(|spec| spec.name).collect();
    phrase!(
        "{line}no setting is called `{name}`; there are {known}",
        "{line}没有名为 `{name}` 的设置；有 {known}",
        line = line,
        name = name,
        known = known.join(", "),
    )
}

/// Describes a setting after the header of an entry, such as `[[schedule]]`, to which it belongs.
pub(super) fn swallowed(value: &toml::Value, header: &str) -> Option<Phrase> {
    let entries = value.as_array()?;
    let name = entries.iter().filter_map(toml::Value::as_table).flat_map(|it| it.keys());
    // `time_zone` is a key of an entry and a setting.
    let mut name = name.filter(|it| !schedule::is_key(it)).filter_map(|it| known(it));
    let name = name.next()?;
    Some(phrase!(
        "`{name}` comes after {header} and so belongs to it; move it above the first {header}",
        "`{name}` 在 {header} 之后，因此属于它；请移到第一个 {header} 之前",
        name = name,
        header = header,
    ))
}

/// The line that sets `name`, before what is wrong with it. Empty if none does.
pub(super) fn line(text: &str, name: &str) -> Phrase {
    let number = line_of(text, name);
    number.map(|it| phrase!("line {it}: ", "第 {it} 行：", it = it)).unwrap_or_default()
}

/// Returns the first line that sets `name`.
fn line_of(text: &str, name: &str) -> Option<usize> {
    let gives =
        |line: &str| key(line) == Some(name) || line.trim().trim_matches(['[', ']']) == name;
    text.lines().position(gives).map(|it| it + 1)
}

/// Returns the name that a line sets.
fn key(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    Some(name.trim().trim_matches(['"', '\'']))
}

fn known(name: &str) -> Option<&'static str> {
    ALL.iter().map(|spec| spec.name).find(|it| *it == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;

    #[test]
    fn mistakes_are_told_apart_and_no_value_is_quoted() {
        for (text, expected) in [
            (
                "app_key = \"a\"\n\napp_key = \"canary\"\n",
                "`app_key` is given twice, in line 1 and in line 3",
            ),
            ("\"app_key\" = \"a\"\napp_key=\"canary\"", "given twice, in line 1 and in line 2"),
            (
                "# x\napp_secret = canary\n",
                "line 2 has a value without quotes; write app_secret = \"…\"",
            ),
            (
                "# x\nmax_connections = 99999999999999999999 # canary\n",
                "line 2 has a number that is too large; write max_connections = 1024",
            ),
            (
                "max_connections_per_peer = 0xFFFF_FFFF_FFFF_FFFF_FF",
                "line 1 has a number that is too large; write max_connections_per_peer = 256",
            ),
            (
                "max_connections = -99999999999999999999",
                "line 1 has a number that is too small; write max_connections = 1024",
            ),
            ("max_connections = 0123", "line 1 has a number that begins with 0; write max_"),
            ("max_connections = 12canary", "line 1 has a value without quotes; write max_"),
            (
                "app_key = 123456789012345678901234567890",
                "line 1 has a number that is too large without quotes; write app_key = \"…\"",
            ),
            (
                "app_secret = 99999999999999999999",
                "line 1 has a number that is too large without quotes; write app_secret = \"…\"",
            ),
            (
                "[[schedule]]\ncron = '0 1 * * *'\nrobots = ['99999999999999999999', 99999999999999999999]",
                "line 3 has a number that is too large; write robots = [",
            ),
            (
                "[[schedule]]\nrobots = [\n  99999999999999999999,\n]",
                "line 3 has a number that is too large; a setting is written",
            ),
            ("app_secret: canary\n", "line 1 has no = after the name"),
            ("app_secret = \"canary\n", "line 1 is not TOML; write app_secret"),
            ("app_secret = “canary”\n", "line 1 has typographic quotes"),
            ("app_secret ＝ \"canary\"\n", "line 1 has the full-width character ＝"),
            (
                "export QOPEN_APP_SECRET=canary\n",
                "line 1 is written as for a shell; write app_secret",
            ),
            ("QOPEN_APP_SECRET=canary\n", "line 1 is written as for a shell; write app_secret"),
            ("data_dir = \"C:\\qopen\\canary\"\n", "line 1 has a backslash in double quotes"),
            ("canary canary\n", "line 1 is not TOML; a setting is written"),
            ("app_key = \"a\"\ncanary", "line 2 is not TOML"),
            ("{\"app_secret\": \"canary\"}\n", "line 1 is JSON"),
            ("\u{200B}app_secret = \"canary\"\n", "line 1 has an invisible character"),
            ("app_secret\u{A0}= \"canary\"\n", "line 1 has an invisible character"),
            ("企业 = canary\n", "line 1 is not TOML"),
            ("app_secret = \"\"\"canary\n\n", "not TOML"),
            (
                "time_zone = \"UTC\"\n[[schedule]]\ncron = \"@daily\"\ncron = \"canary\"\n",
                "`cron` is given twice, in line 3 and in line 4",
            ),
            (
                "[[schedule]]\nrobots = ['r']\n[[schedule]]\nrobots = ['r']\n\nrobots = ['canary']\n",
                "`robots` is given twice, in line 4 and in line 6",
            ),
            (
                "[[schedule]]\ntime_zone = 'a'\n# x\ntime_zone = 'canary'\n",
                "`time_zone` is given twice, in line 2 and in line 4",
            ),
            (
                "time_zone = \"UTC\"\n[[schedule]]\ntime_zone = canary\n",
                "line 3 has a value without quotes; write time_zone",
            ),
        ] {
            let error = toml::from_str::<toml::Table>(text).expect_err(text);
            let said = diagnose(text, error.span().map(|it| it.start));
            assert!(!said.of(Lang::Zh).contains("canary"), "{said:?}");
            let said = said.english();
            assert!(said.contains(expected) && !said.contains("canary"), "{text}: {said}");
        }
    }
}
