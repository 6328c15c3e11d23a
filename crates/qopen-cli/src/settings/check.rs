//! Checks of all settings of a verb at once.

use qopen::callback::CallbackKeys;
use qopen::types::Secret;

use super::declared::*;
use super::spec::Spec;
use super::{Settings, wrong};
use crate::exit::Failure;

impl Settings {
    /// Checks every setting of a verb that sends requests and receives callbacks.
    ///
    /// # Errors
    /// Names each setting that is missing or cannot be used.
    pub(crate) fn check_receiving(&self) -> Result<(), Failure> {
        Failure::of_settings(self.faults(false)).map_or(Ok(()), Err)
    }

    /// Checks every setting of a verb that also has a control listener.
    ///
    /// # Errors
    /// Names each setting that is missing or cannot be used.
    pub(crate) fn check_serving(&self) -> Result<(), Failure> {
        Failure::of_settings(self.faults(true)).map_or(Ok(()), Err)
    }

    /// Returns a failure for each missing or unusable setting, in the order of the settings.
    pub(crate) fn faults(&self, serving: bool) -> Vec<Failure> {
        let mut faults: Vec<Failure> = self
            .wanted()
            .into_iter()
            .filter(|it| !self.has(it))
            .map(|it| self.missing(it))
            .collect();
        let mut check = |checked: Result<(), Failure>| {
            let Err(failure) = checked else { return };
            // The problem of an unreadable value is known already.
            let known = faults.iter().chain(&self.problems);
            let mut known = known.filter_map(Failure::setting);
            if !known.any(|it| Some(it) == failure.setting()) {
                faults.push(failure);
            }
        };
        check(self.check_way_to_gateway());
        check(self.sender(|it| it).map(drop));
        for key in [&ENCODING_AES_KEY, &ENCODING_AES_KEY_NEXT] {
            check(self.aes_key(key));
        }
        check(self.ring().map(drop));
        check(self.listen().map(drop));
        check(self.callback_path().map(drop));
        check(self.tls().map(drop));
        for count in [&MAX_CONNECTIONS, &MAX_CONNECTIONS_PER_PEER] {
            check(self.count(count).map(drop));
        }
        check(self.refuse_stale().map(drop));
        if serving {
            check(self.control().map(drop));
            check(self.console_data().map(drop));
        }
        check(self.journal().map(drop));
        let place = |it: &Failure| ALL.iter().position(|spec| Some(spec.name) == it.setting());
        faults.sort_by_key(|it| place(it).unwrap_or(ALL.len()));
        faults
    }

    /// Returns the settings that a pull requires.
    fn wanted(&self) -> Vec<&'static Spec> {
        let mut wanted = vec![&BASE_URL, &APP_KEY];
        if !self.has(&ACCESS_TOKEN) {
            wanted.push(&APP_SECRET);
        }
        wanted.extend([&CALLBACK_TOKEN, &ENCODING_AES_KEY]);
        if self.has(&TLS_CERT) || self.has(&TLS_KEY) {
            wanted.extend([&TLS_CERT, &TLS_KEY]);
        }
        wanted
    }

    /// Whether a value was given, valid or not.
    fn has(&self, spec: &Spec) -> bool {
        let is_problem = || self.problems.iter().any(|it| it.setting() == Some(spec.name));
        self.get(spec).is_some() || is_problem()
    }

    /// Checks an EncodingAESKey, if it is set.
    pub(crate) fn aes_key(&self, spec: &'static Spec) -> Result<(), Failure> {
        let Some((key, origin)) = self.get(spec) else { return Ok(()) };
        let keys = CallbackKeys::new(Secret::new(""), key);
        keys.map(drop).map_err(|error| wrong(spec, Some(origin), &error))
    }
}
