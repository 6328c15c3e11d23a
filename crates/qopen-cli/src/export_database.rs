//! An exported list in a database.

use std::path::Path;
use std::sync::Arc;

use qopen::PublishError;
use qopen::sink::{ListInfo, ListKind, ListWriter, Record, RecordEncoder, Sink, SinkError};
use qopen::types::{Account, Item, Json, MarkId, RobotId};

use crate::exit::Failure;

/// A list from the control API on its way into a database.
pub(crate) struct Lines {
    writer: Box<dyn ListWriter>,
    encoder: Option<RecordEncoder>,
    robot_id: RobotId,
    /// The beginning of each line, before the account's own fields.
    begin: String,
    /// A line without its end.
    rest: Vec<u8>,
    /// The record that is encoded.
    record: String,
}

impl Lines {
    pub(crate) fn begin(
        sink: &dyn Sink,
        kind: ListKind,
        robot_id: &RobotId,
        mark_id: &MarkId,
        revision: u32,
    ) -> Result<Self, SinkError> {
        let mut writer = sink.begin(kind)?;
        writer.begin_list(&ListInfo::new(robot_id, mark_id, revision))?;
        // A text always encodes.
        let name = serde_json::to_string(robot_id.as_str()).unwrap_or_default();
        let begin = format!("{{\"robot_id\":{name},");
        let (encoder, robot_id) = (writer.encoder(robot_id), robot_id.clone());
        Ok(Self { writer, encoder, robot_id, begin, rest: Vec::new(), record: String::new() })
    }

    /// Adds the next bytes.
    pub(crate) fn add(&mut self, piece: &[u8]) -> Result<(), SinkError> {
        let mut lines = piece.split(|it| *it == b'\n');
        self.rest.extend_from_slice(lines.next().unwrap_or_default());
        for line in lines {
            let whole = std::mem::replace(&mut self.rest, line.to_vec());
            self.add_line(&whole)?;
        }
        Ok(())
    }

    fn add_line(&mut self, line: &[u8]) -> Result<(), SinkError> {
        let wrong = || SinkError::Encode("a line of the list is not a customer's record".into());
        let line = std::str::from_utf8(line).map_err(|_| wrong())?;
        let account = format!("{{{}", line.strip_prefix(&self.begin).ok_or_else(wrong)?);
        self.record.clear();
        if self.encoder.as_ref().is_some_and(|encoder| encoder(&account, &mut self.record)) {
            return self.writer.write_encoded(&self.robot_id, self.record.as_bytes());
        }
        let json = Json::parse(&account).map_err(|_| wrong())?;
        let (Item::Valid(account), _) = Item::<Account>::read_with(json) else {
            return Err(wrong());
        };
        self.writer.write(&Record::new(&self.robot_id, &account))
    }

    pub(crate) fn commit(self) -> Result<String, SinkError> {
        match self.rest.is_empty() {
            true => self.writer.commit().map(|it| it.location),
            false => Err(SinkError::Encode("the last line of the list has no end".into())),
        }
    }
}

/// The tables of partial lists of a database.
struct Partial(Arc<dyn Sink>);

impl Sink for Partial {
    fn check(&self) -> Result<(), SinkError> {
        self.0.check()
    }

    fn scratch(&self) -> Option<&Path> {
        self.0.scratch()
    }

    fn begin(&self, _: ListKind) -> Result<Box<dyn ListWriter>, SinkError> {
        self.0.begin(ListKind::Partial)
    }
}

/// Writes a kept list. A list that is not complete goes to the tables of partial lists.
pub(crate) async fn write(list: qopen::PulledList, sink: Arc<dyn Sink>) -> Result<String, Failure> {
    let sink = match list.revision() {
        0 => Arc::new(Partial(sink)),
        _ => sink,
    };
    let exported = qopen::export(vec![list], sink).await;
    exported.map(|it| it.location).map_err(|error| Failure::output("", &error as &PublishError))
}
