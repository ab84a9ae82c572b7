//! The rows as a dataset for other programs: lines of JSON, tables, Parquet, and the card that says what it is.

mod card;
mod enough;
mod lines;
#[cfg(feature = "import")]
mod parquet;
#[cfg(feature = "import")]
mod table;

#[cfg(feature = "import")]
pub use self::parquet::parquet;
pub use card::{CARD_MARK, Card, CardRule, CardSource, Length};
pub use enough::Enough;
pub use lines::{Form, Line};
#[cfg(feature = "import")]
pub use table::csv;
