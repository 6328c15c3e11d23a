//! Complete lists compared with the last ones.

use qopen_sink::{CompareOptions, Compared, ListWriter};

use super::gone::Gone;
use super::published::{PublishError, PublishedList};

/// Compares settled lists with the last ones of their place. Returns the robots of the last list that they
/// leave out.
pub(super) fn compare(
    writer: &mut dyn ListWriter,
    options: CompareOptions,
    gone: &mut Option<Gone>,
    lists: &mut [PublishedList],
) -> Result<Vec<Compared>, PublishError> {
    let mut left_out = Vec::new();
    lists.iter_mut().for_each(|list| list.compared = None);
    let compared = writer.compare(options, &mut |robot, id| match gone {
        Some(gone) => gone.push(robot, id),
        None => Ok(()),
    });
    for compared in compared.map_err(PublishError::Sink)?.into_iter().flatten() {
        match lists.iter_mut().find(|it| it.id.robot_id == compared.robot_id) {
            Some(list) => list.compared = Some(compared),
            None => left_out.push(compared),
        }
    }
    Ok(left_out)
}
