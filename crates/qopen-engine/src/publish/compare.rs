//! Complete lists compared with the last ones.

use qopen_sink::{CompareOptions, ListWriter};

use super::gone::Gone;
use super::published::{PublishError, PublishedList};

/// Compares settled lists with the last ones of their place.
pub(super) fn compare(
    writer: &mut dyn ListWriter,
    options: CompareOptions,
    gone: &mut Option<Gone>,
    lists: &mut [PublishedList],
) -> Result<(), PublishError> {
    lists.iter_mut().for_each(|list| list.compared = None);
    let compared = writer.compare(options, &mut |robot, id| match gone {
        Some(gone) => gone.push(robot, id),
        None => Ok(()),
    });
    for compared in compared.map_err(PublishError::Sink)?.into_iter().flatten() {
        let list = lists.iter_mut().find(|it| it.id.robot_id == compared.robot_id);
        if let Some(list) = list {
            list.compared = Some(compared);
        }
    }
    Ok(())
}
