//! Evidence in words.

use std::time::Duration;

use crate::note::Evidence;

impl Evidence {
    /// The basis of the list in one sentence, such as `the last page was seen, then 3s of quiet`. `gone` is the
    /// number of customers whom it lacks of the last list.
    #[must_use]
    pub fn basis(&self, gone: u64) -> String {
        let mut out = String::from(match self.implied_end {
            true => "a page that does not say whether more follow was seen",
            false => "the last page was seen",
        });
        match self.quiet_ms {
            Some(quiet) => out.push_str(&format!(", then {} of quiet", seconds(quiet))),
            None => out.push_str(", and no more pages can come"),
        }
        if let Some(expected) = self.expected_accounts {
            out.push_str(&format!(", with at least {expected} accounts"));
        }
        match self.refused_callbacks {
            0 => {}
            1 => out.push_str("; 1 callback was refused meanwhile"),
            n => out.push_str(&format!("; {n} callbacks were refused meanwhile")),
        }
        if self.outage_ms > 0 {
            let outage = Duration::from_millis(self.outage_ms).as_secs_f64();
            out.push_str(&format!("; the journal did not answer for {outage:.1} s"));
        }
        if self.interrupted {
            out.push_str(
                "; the pull was interrupted, and a page that the platform gave up meanwhile would be missing",
            );
        }
        if self.unidentified > 0 {
            let unidentified = self.unidentified;
            out.push_str(&format!("; {unidentified} accounts without a readable id are allowed"));
        }
        out + &self.additions(gone)
    }

    /// The part of [`basis`](Self::basis) that was found after the end of the pull. Begins with `; ` unless it is
    /// empty.
    #[must_use]
    pub fn additions(&self, gone: u64) -> String {
        let mut out = String::new();
        if let Some(by) = &self.confirmed_by {
            out.push_str(&format!("; confirmed by pull {by}, which has the same customers"));
        }
        match self.gone_verified {
            Some(true) => out.push_str(&format!("; {gone} gone verified")),
            Some(false) => out.push_str(&format!(
                "; {gone} gone not verified: the platform does not offer the call"
            )),
            None => {}
        }
        if self.accepted {
            out.push_str("; a guard held the list, and a person accepted it");
        }
        out
    }
}

/// A time in seconds, with one decimal unless it is whole.
fn seconds(ms: u64) -> String {
    match ms % 1_000 {
        0 => format!("{}s", ms / 1_000),
        _ => format!("{:.1}s", Duration::from_millis(ms).as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::Evidence;

    #[test]
    fn a_basis_names_everything_that_counts() {
        let mut evidence = Evidence { quiet_ms: Some(1_500), ..Evidence::default() };
        assert_eq!(evidence.basis(0), "the last page was seen, then 1.5s of quiet");
        evidence.quiet_ms = Some(3_000);
        evidence.confirmed_by = "m1".parse().ok();
        (evidence.gone_verified, evidence.accepted) = (Some(true), true);
        let basis = "the last page was seen, then 3s of quiet; confirmed by pull m1, which has the \
                     same customers; 12 gone verified; a guard held the list, and a person accepted it";
        assert_eq!(evidence.basis(12), basis);
        let plain = Evidence { implied_end: true, ..Evidence::default() };
        assert_eq!(plain.additions(9), "");
        let basis =
            "a page that does not say whether more follow was seen, and no more pages can come";
        assert_eq!(plain.basis(9), basis);
    }
}
