//! The schema judges files as the reader of the file does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use boon::{Compiler, SchemaIndex, Schemas};
use toml::Table;

use super::super::{ALL, CONSOLE_DATA, JOURNAL, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_PEER};
use super::super::{Settings, schedule, webhook};
use super::schema;
use crate::args::Common;

struct Judges {
    schemas: Schemas,
    schema: SchemaIndex,
    folder: tempfile::TempDir,
}

impl Judges {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        // Compiling compares the schema with the schema of its draft.
        compiler.add_resource("qopen.schema.json", schema()).unwrap();
        let schema = compiler.compile("qopen.schema.json", &mut schemas).unwrap();
        Self { schemas, schema, folder: tempfile::tempdir().unwrap() }
    }

    fn schema_takes(&self, file: &Table) -> bool {
        let json = serde_json::to_value(file).unwrap();
        self.schemas.validate(&json, self.schema).is_ok()
    }

    /// Whether the binary takes the types, names and words of the file.
    fn binary_takes(&self, text: &str) -> bool {
        let config = self.folder.path().join("qopen.toml");
        std::fs::write(&config, text).unwrap();
        let Ok(settings) = Settings::find(&Common { config: Some(config), ..Common::default() })
        else {
            return false;
        };
        let counts = [&MAX_CONNECTIONS, &MAX_CONNECTIONS_PER_PEER];
        settings.problems.is_empty()
            && settings.schedule.iter().all(|it| it.entry().is_ok())
            && settings.webhooks.iter().all(|it| it.entry.is_ok())
            && counts.into_iter().all(|it| settings.count(it).is_ok())
            && (settings.get(&CONSOLE_DATA).is_none() || settings.console_data().is_ok())
    }

    /// Returns the judgement of both.
    fn both_take(&self, text: &str) -> bool {
        let file: Table = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let (schema, binary) = (self.schema_takes(&file), self.binary_takes(text));
        assert_eq!(schema, binary, "schema, binary: {text}");
        schema
    }
}

/// Values of every type, right and wrong ones.
const VALUES: [&str; 19] = [
    "'word'",
    "'all'",
    "'10m'",
    "'true'",
    "''",
    "' '",
    "'…'",
    "'zh'",
    "'csv'",
    "'5%'",
    "7",
    "0",
    "-1",
    "1.5",
    "true",
    "[]",
    "['list.held']",
    "[1]",
    "{ a = 1 }",
];

#[test]
fn a_setting_of_any_type_is_judged_as_the_binary_does() {
    let judges = Judges::new();
    for spec in ALL {
        let mut taken = 0;
        for value in VALUES {
            // Texts of these have forms that no pattern tells.
            let has_form = spec.name == JOURNAL.name || spec.is_number();
            if has_form && value.starts_with('\'') && value.contains(char::is_alphanumeric) {
                continue;
            }
            taken += usize::from(judges.both_take(&format!("{} = {value}\n", spec.name)));
        }
        assert!(taken > 0 || spec.name == JOURNAL.name, "{}", spec.name);
    }
    assert!(judges.both_take("journal = 'postgres://qopen@db.example/qopen'"));
    assert!(judges.both_take("max_connections = '77'"));
    for unknown in ["qopen_app_key = 'a'", "App_key = 'a'", "[qopen]\napp_key = 'a'", "key = 1"] {
        assert!(!judges.both_take(unknown));
    }
}

#[test]
fn a_schedule_and_a_webhook_are_judged_as_the_binary_does() {
    let judges = Judges::new();
    let entries = [
        ("schedule", schedule::keys(), &["cron = '@daily'", "robots = ['r']"][..]),
        ("webhook", webhook::keys(), &["url = 'https://a.example'", "secret = 'whsec_x'"][..]),
    ];
    for (name, keys, required) in entries {
        let whole = format!("[[{name}]]\n{}\n", required.join("\n"));
        assert!(judges.both_take(&whole));
        for missing in required {
            assert!(!judges.both_take(&whole.replace(missing, "")));
        }
        for (key, _) in keys {
            // Each key replaces its like.
            let lines = required.iter().filter(|it| !it.starts_with(&format!("{key} ")));
            let rest: String = lines.map(|it| format!("{it}\n")).collect();
            let file = |value: &str| format!("[[{name}]]\n{rest}{key} = {value}\n");
            // These have forms that no pattern tells.
            let has_form = *key == "pull_on_new_customer";
            let values = VALUES.iter().filter(|it| !has_form || !it.starts_with('\''));
            let taken = values.filter(|it| judges.both_take(&file(it))).count();
            assert!(taken > 0 || has_form || *key == "except", "{key}");
        }
        for wrong in ["key = 1", "Cron = 'x'", "app_key = 'a'"] {
            assert!(!judges.both_take(&format!("{whole}{wrong}\n")));
        }
        assert!(!judges.both_take(&format!("{name} = 'x'")));
        assert!(!judges.both_take(&format!("{name} = ['x']")));
        assert!(!judges.both_take(&format!("[{name}]\n{}", required.join("\n"))));
    }
    let all = "[[schedule]]\ncron = '@daily'\nrobots = 'all'\n";
    assert!(judges.both_take(&format!("{all}except = ['r']\n")));
    assert!(judges.both_take(&format!("{all}pull_on_new_customer = '10m'\nmax_gone = '0.25%'\n")));
    assert!(judges.both_take(&format!("{all}time_zone = 'Asia/Shanghai'\n")));
}

#[test]
fn every_example_in_the_documentation_is_taken() {
    let judges = Judges::new();
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut examples = 0;
    for page in std::fs::read_dir(docs).unwrap() {
        let page = page.unwrap().path();
        if page.extension().is_none_or(|it| it != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&page).unwrap();
        for block in text.split("```toml\n").skip(1) {
            let example = block.split("```").next().unwrap();
            // The values that a reader puts in the place of a placeholder.
            let example = example.replace("\"…\"", "\"value\"");
            assert!(judges.both_take(&example), "{}:\n{example}", page.display());
            examples += 1;
        }
    }
    assert!(examples >= 3, "{examples}");
}
