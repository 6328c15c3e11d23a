//! The customers of a page.

use qopen::types::{Account, Item, Json, PageSkim};

use super::Steps;
use super::words::steps;
use crate::lang::{Text, phrase};
use crate::report::CUSTOMERS;

impl Steps {
    pub(super) fn page(&mut self, page: &PageSkim<'_>) {
        let PageSkim { has_more, accounts, .. } = page;
        let more = match has_more {
            Some(true) => Text::new("more pages follow", "后面还有分页"),
            Some(false) => Text::new("this is marked as the last page", "标记为末页"),
            None => Text::new(
                "has_more is absent; the page counts as the last after a longer quiet",
                "没有 has_more；更长的静默之后视为末页",
            ),
        };
        let said = phrase!(
            "{customers}; {more}",
            "{customers}；{more}",
            customers = CUSTOMERS.count(accounts.len() as u64),
            more = more,
        );
        self.holds(steps::PAGE, said);
        let mut readable = 0;
        for (number, account) in accounts.iter().enumerate() {
            let customer = phrase!("customer {n}", "客户 {n}", n = number + 1);
            // A part of valid JSON is valid JSON.
            let Ok(json) = Json::parse(account.raw) else { continue };
            match Item::<Account>::read_with(json) {
                (Item::Valid(account), readings) => {
                    readable += 1;
                    for reading in readings.iter() {
                        let said = phrase!(
                            "tolerated spelling: {reading}",
                            "容许的写法：{reading}",
                            reading = reading,
                        );
                        self.holds(&customer, said);
                    }
                    for (field, _) in account.unread.iter() {
                        let said = phrase!(
                            "{field} cannot be read; it would be kept under _unread",
                            "{field} 无法读取；会保存在 _unread 下",
                            field = field,
                        );
                        self.fails(&customer, said);
                    }
                }
                (Item::Invalid(unread), _) => {
                    let said = phrase!(
                        "{reason}; it would be quarantined",
                        "{reason}；会被隔离",
                        reason = unread.reason,
                    );
                    self.fails(&customer, said);
                }
            }
        }
        let said = phrase!(
            "{readable} of {n} can be read",
            "{n} 位中 {readable} 位可以读取",
            readable = readable,
            n = accounts.len(),
        );
        self.holds(steps::CUSTOMERS, said);
    }
}
