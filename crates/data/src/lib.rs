//! Foreign files -> documents -> passages -> rows -> token sequences with a loss mask.
//!
//! Knows no tensors, no models, no database. [`record`] is the vocabulary that the whole program shares.
//! The parsers of foreign files ([`import`]) are behind the feature `import`; the rest is plain functions over values.

pub mod clean;
pub mod content;
pub mod dataset;
pub mod draft;
#[cfg(feature = "import")]
pub mod import;
mod issue;
pub mod mapping;
pub mod passages;
pub mod reading;
pub mod record;
pub mod sequence;
pub mod similar;
pub mod split;
mod text;

pub use content::{Block, BlockKind, Content, Record, Records};
pub use mapping::{MappedFile, Mapping};
pub use record::{Document, Issue, IssueKind, Message, Origin, Passage, Role, Row, RowStatus, Split};
