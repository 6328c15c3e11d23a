//! The pipelines of the examples, with crashes at any moment.

mod consumer_group;
#[path = "../../../examples/consumer_group/group/mod.rs"]
mod group;
#[path = "../../../examples/pages/mod.rs"]
mod pages;
#[path = "../../../examples/tail/pipeline/mod.rs"]
mod pipeline;
mod tail;
