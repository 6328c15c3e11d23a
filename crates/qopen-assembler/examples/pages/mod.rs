//! Contacts and pages as the pipelines of these examples carry them, and the lists that must come out.

use std::collections::BTreeMap;

use qopen_assembler::{ContentDigest, Fingerprint, Keyed, Page, PageDigest, PullKey, Seed};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) id: String,
    pub(crate) name: String,
}

impl Keyed for Contact {
    fn fingerprint(&self, seed: &Seed) -> Fingerprint {
        seed.fingerprint(&self.id)
    }
    fn content(&self) -> ContentDigest {
        ContentDigest::of(self.name.as_bytes())
    }
}

/// The contacts of one list, by their ids.
pub(crate) type Contacts = BTreeMap<String, Contact>;

/// A page as one JSON object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) robot: String,
    pub(crate) mark: String,
    pub(crate) has_more: bool,
    pub(crate) contacts: Vec<Contact>,
}

impl Sent {
    /// The page of a pull with these contacts, each an id and a name.
    pub(crate) fn new(mark: &str, has_more: bool, contacts: &[(&str, &str)]) -> Self {
        let contact =
            |(id, name): &(&str, &str)| Contact { id: (*id).into(), name: (*name).into() };
        let contacts = contacts.iter().map(contact).collect();
        Self { robot: "robot".into(), mark: mark.into(), has_more, contacts }
    }

    pub(crate) fn key(&self) -> PullKey {
        PullKey::new(&self.robot, &self.mark)
    }

    /// As the assembler takes it. The digest depends on the page alone, and not on when it was sent.
    pub(crate) fn into_page(self) -> serde_json::Result<Page<Vec<Contact>>> {
        let digest = PageDigest::of(&serde_json::to_vec(&self)?);
        Ok(Page::new(self.key(), digest, self.has_more, self.contacts))
    }
}

/// The lists that must come out of these pages, computed plainly: of two contents of one contact, the greater digest
/// wins.
pub(crate) fn expected<'a>(
    pages: impl IntoIterator<Item = &'a Sent>,
) -> BTreeMap<PullKey, Contacts> {
    let mut lists = BTreeMap::<PullKey, Contacts>::new();
    for page in pages {
        join(lists.entry(page.key()).or_default(), &page.contacts);
    }
    lists
}

/// Adds contacts to a list, in any order and number.
pub(crate) fn join<'a>(list: &mut Contacts, contacts: impl IntoIterator<Item = &'a Contact>) {
    for contact in contacts {
        let wins = |old: &Contact| contact.content() > old.content();
        if list.get(&contact.id).is_none_or(wins) {
            list.insert(contact.id.clone(), contact.clone());
        }
    }
}
