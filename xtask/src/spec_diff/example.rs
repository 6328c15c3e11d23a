//! The page's examples: JSON in spirit, with unquoted keys and trailing commas.

#[derive(Debug, PartialEq)]
pub(crate) enum Value {
    Object(Vec<(String, Value)>),
    List(Vec<Value>),
    Text,
    Number,
    Boolean,
    Null,
}

impl Value {
    pub(crate) fn json_type(&self) -> &'static str {
        match self {
            Self::Object(_) => "object",
            Self::List(_) => "array",
            Self::Text => "string",
            Self::Number => "integer",
            Self::Boolean => "boolean",
            Self::Null => "null",
        }
    }

    pub(crate) fn fields(&self) -> &[(String, Value)] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Value> {
        self.fields().iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// The value itself, or the objects of a list.
    pub(crate) fn objects(&self) -> Vec<&Value> {
        match self {
            Self::List(items) => items.iter().collect(),
            other => vec![other],
        }
    }
}

/// Every object that begins at the start of a line.
pub(crate) fn find(text: &str) -> Vec<Value> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let at_line_start = at == 0 || rest[..at].ends_with('\n');
        let mut parser = Parser { rest: &rest[at..] };
        match at_line_start.then(|| parser.value()).flatten() {
            Some(object) => {
                out.push(object);
                rest = parser.rest;
            }
            None => rest = &rest[at + 1..],
        }
    }
    out
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn value(&mut self) -> Option<Value> {
        self.skip();
        match self.rest.chars().next()? {
            '{' => self
                .sequence('}', |it| {
                    let name = it.key()?;
                    it.skip();
                    it.take(':').then_some(())?;
                    Some((name, it.value()?))
                })
                .map(Value::Object),
            '[' => self.sequence(']', Self::value).map(Value::List),
            '"' => self.text().map(|_| Value::Text),
            _ => match self.word() {
                "true" | "false" => Some(Value::Boolean),
                "null" => Some(Value::Null),
                word => word.parse::<f64>().ok().map(|_| Value::Number),
            },
        }
    }

    fn sequence<T>(&mut self, end: char, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        self.rest = &self.rest[1..];
        let mut out = Vec::new();
        loop {
            self.skip();
            if self.take(end) {
                return Some(out);
            }
            out.push(item(self)?);
            self.skip();
            self.take(',');
        }
    }

    fn key(&mut self) -> Option<String> {
        self.skip();
        let key = if self.rest.starts_with('"') { self.text()? } else { self.word() };
        (!key.is_empty()).then(|| key.to_owned())
    }

    fn text(&mut self) -> Option<&'a str> {
        let end = self.rest[1..].find('"')? + 1;
        let text = &self.rest[1..end];
        self.rest = &self.rest[end + 1..];
        Some(text)
    }

    fn word(&mut self) -> &'a str {
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || "_-.+".contains(c)));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    fn take(&mut self, c: char) -> bool {
        let stripped = self.rest.strip_prefix(c);
        self.rest = stripped.unwrap_or(self.rest);
        stripped.is_some()
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }
}
