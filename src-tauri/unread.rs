//! Answers of the worker that pass through to the page unread, under the name that their TypeScript has.

use serde::Serialize;
use serde_json::Value;
use ts_rs::{Config, TS};

macro_rules! unread {
    ($( $(#[doc = $doc:literal])+ $name:ident = $typescript:literal; )+) => {$(
        $(#[doc = $doc])+
        #[derive(Serialize)]
        pub struct $name(pub Value);

        impl TS for $name {
            type WithoutGenerics = Self;
            type OptionInnerType = Self;

            fn name(_: &Config) -> String {
                $typescript.into()
            }

            fn inline(_: &Config) -> String {
                $typescript.into()
            }
        }
    )+};
}

unread! {
    /// What `hone doctor` found.
    Machine = "DoctorReport";
    /// What `hone models list` found.
    BaseModels = "Array<BaseModel>";
    /// What `hone draft --writers` found.
    Writers = "DraftWriters";
    /// A run's `eval.json`.
    Report = "EvalReport";
}
