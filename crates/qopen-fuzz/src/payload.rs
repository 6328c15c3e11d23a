//! Any text as a payload and as an account: the readers of the common form, compared with the
//! general ones.

use qopen_types::{Account, CallbackSkim, EventType, RobotAccountListCallback};

const SPACE: [char; 4] = [' ', '\n', '\t', '\r'];

/// Reads the text by both.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = (EventType::of_payload(text), serde_json::from_str::<RobotAccountListCallback>(text));
    let skim = CallbackSkim::read(text);
    // A name with an escape goes to the general reader, and everything after it.
    if let Some(rest) = text.trim_start_matches(SPACE).strip_prefix('{') {
        let comma = if rest.trim_start_matches(SPACE).starts_with('}') { "" } else { "," };
        let escaped = format!("{{\"\\u0078\":0{comma}{rest}");
        match (&skim, CallbackSkim::read(&escaped)) {
            (Ok(skim), Ok(general)) => assert!(*skim == general),
            (Err(_), Err(_)) => {}
            (Ok(_), Err(error)) => panic!("only the quick reader takes it: {error}"),
            (Err(error), Ok(_)) => panic!("only the escaped one is taken: {error}"),
        }
    }
    let as_account = |json: &str| {
        let mut canonical = String::new();
        if Account::write_canonical_json(json, &mut canonical) {
            let account: Account = serde_json::from_str(json).expect("what is rewritten is read");
            assert_eq!(serde_json::to_string(&account).expect("it is written"), canonical);
        }
    };
    as_account(text);
    if let Ok(CallbackSkim { page: Some(page), .. }) = &skim {
        page.accounts.iter().for_each(|account| as_account(account.raw));
    }
}
