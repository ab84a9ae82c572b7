//! The commands of the window. One list makes the handler and, in [`crate::typescript`], what the page sees of it.
#![allow(clippy::unused_async)] // the handler runs every command the same way

mod documents;
mod drafts;
mod files;
mod jobs;
mod machine;
mod projects;
mod rows;
mod runs;
mod settings;

use tauri::{Builder, Wry};

/// Makes each line of the list a command and a line of TypeScript. A command is an `async fn(&Shell, ..)` elsewhere;
/// after `;` stands the channel on which it streams.
macro_rules! commands {
    ($( $(#[doc = $doc:literal])+ $name:ident ( $($arg:ident : $ty:ty),* $(; $channel:ident : $event:ty)? ) -> $result:ty = $work:path; )+) => {
        mod wire {
            use super::*;
            $(
                $(#[doc = $doc])+
                #[tauri::command]
                pub async fn $name(
                    shell: tauri::State<'_, crate::shell::Shell>,
                    $($arg: $ty,)*
                    $($channel: tauri::ipc::Channel<$event>,)?
                ) -> Result<$result, hone_job::AppError> {
                    let outcome = $work(&shell, $($arg,)* $($channel,)?).await;
                    outcome.map_err(|error| hone_job::Explain::to_app_error(&error))
                }
            )+
        }

        /// Makes the commands callable from the page.
        pub fn attach(builder: Builder<Wry>) -> Builder<Wry> {
            builder.invoke_handler(tauri::generate_handler![$(wire::$name),+])
        }

        /// The list as TypeScript.
        #[cfg(test)]
        pub fn typescript(config: &ts_rs::Config) -> Vec<crate::typescript::Command> {
            use ts_rs::TS;
            vec![$(crate::typescript::Command {
                doc: concat!($($doc),+),
                name: stringify!($name),
                arguments: vec![$((stringify!($arg), <$ty as TS>::name(config))),*],
                events: { #[allow(unused_mut, unused_assignments)] let mut events = None; $(events = Some(<$event as TS>::name(config));)? events },
                result: <$result as TS>::name(config),
            }),+]
        }
    };
}

use std::path::PathBuf;

use hone_data::clean::{Rule, Verdict};
use hone_data::{Document, MappedFile, Passage, Row, RowStatus};
use hone_job::Event;
use hone_job::run::{RunState, RunView};
use hone_studio::store::{Decided, DocumentYield, DraftingState, ReviewState};
use hone_studio::{ExportEntry, ProjectState, RecentProject, RowFilter, RowPage, RuleHits, Settings};

use crate::jobs::JobSpec;
use crate::runs::RunUpdate;
use crate::unread::{BaseModels, Machine, Report, Writers};

commands! {
    /// This computer and what can be trained on it.
    machine() -> Machine = machine::machine;
    /// The base models at hand.
    models() -> BaseModels = machine::models;

    /// The user's settings.
    settings_read() -> Settings = settings::read;
    /// Keeps the user's settings.
    settings_write(settings: Settings) -> () = settings::write;
    /// The projects opened last, newest first.
    recent_projects() -> Vec<RecentProject> = settings::recent;

    /// The project named on the command line.
    first_project() -> Option<String> = projects::first;
    /// Makes a project and opens it; without `dir` in a folder of its name among the user's documents.
    project_create(dir: Option<PathBuf>, name: String, base: String, language: Option<String>) -> ProjectState = projects::create;
    /// Opens a project.
    project_open(dir: PathBuf) -> ProjectState = projects::open;
    /// The state of an opened project's steps.
    project_state(dir: PathBuf) -> ProjectState = projects::state;
    /// Chooses another base model for the project.
    project_set_base(dir: PathBuf, base: String) -> ProjectState = projects::set_base;
    /// Makes the sample project, or opens the one that is there.
    sample_project() -> ProjectState = projects::sample;

    /// Asks for documents with the system's dialog; none when it was closed.
    pick_files(title: String) -> Vec<PathBuf> = files::pick_files;
    /// Asks for a folder with the system's dialog.
    pick_folder(title: String) -> Option<PathBuf> = files::pick_folder;
    /// Asks for a GGUF file with the system's dialog.
    pick_model(title: String) -> Option<PathBuf> = files::pick_model;
    /// Shows something of an opened project in the file manager or the browser.
    reveal(path: PathBuf) -> () = files::reveal;

    /// The project's documents.
    documents(dir: PathBuf) -> Vec<Document> = documents::list;
    /// How many passages and rows each document gave.
    document_yields(dir: PathBuf) -> Vec<DocumentYield> = documents::yields;
    /// The passages of a document, in its order.
    passages(dir: PathBuf, hash: String) -> Vec<Passage> = documents::passages;
    /// How the columns of a document were understood; none where it has no columns.
    document_mapping(dir: PathBuf, hash: String) -> Option<MappedFile> = documents::mapping;
    /// Takes a document and its rows out of the project.
    document_remove(dir: PathBuf, hash: String) -> () = documents::remove;

    /// A page of rows.
    rows(dir: PathBuf, filter: RowFilter, offset: u32, limit: u32) -> RowPage = rows::page;
    /// One row as it would be trained on.
    row_read(dir: PathBuf, id: i64) -> Row = rows::read;
    /// Approves or rejects rows.
    row_set_status(dir: PathBuf, ids: Vec<i64>, status: RowStatus) -> () = rows::set_status;
    /// Approves or rejects all rows of a filter that wait for review. Approving asks for a sample first.
    row_decide_all(dir: PathBuf, filter: RowFilter, status: RowStatus) -> Decided = drafts::decide_all;
    /// Takes the last approving or rejecting back; none when there is nothing to take back.
    row_undo(dir: PathBuf) -> Option<Decided> = drafts::undo;
    /// How far the review of the drafts of a filter is.
    review(dir: PathBuf, filter: RowFilter) -> ReviewState = drafts::review;
    /// How far drafting is.
    drafting(dir: PathBuf) -> DraftingState = drafts::drafting;
    /// Who could write drafts.
    draft_writers() -> Writers = drafts::writers;
    /// Replaces what a row says.
    row_edit(dir: PathBuf, id: i64, row: Row) -> () = rows::edit;
    /// The applied cleaning rules with their hits.
    verdicts(dir: PathBuf) -> Vec<RuleHits> = rows::verdicts;
    /// Further hits of an applied cleaning rule.
    rule_hits(dir: PathBuf, rule: Rule, offset: u32) -> Vec<Verdict> = rows::rule_hits;
    /// Tells a cleaning rule to pass over a row, or not to any more.
    rule_keep(dir: PathBuf, rule: Rule, row: i64, kept: bool) -> () = rows::keep_hit;

    /// Starts a worker. Its events come on the channel; the last is `done`, `cancelled` or `failed`.
    job_start(dir: Option<PathBuf>, job: JobSpec; channel: Event) -> String = jobs::start;
    /// Asks a job to stop at the next safe place.
    job_cancel(id: String) -> () = jobs::cancel;

    /// The project's trainings, newest first.
    runs(dir: PathBuf) -> Vec<RunState> = runs::list;
    /// A training with all its steps so far.
    run_read(dir: PathBuf, run: String) -> RunView = runs::read;
    /// Follows a training, whoever started it, until it ends or another is followed.
    run_follow(dir: PathBuf, run: String; channel: RunUpdate) -> RunView = runs::follow;
    /// Asks a training to stop with a checkpoint, whoever started it.
    run_cancel(dir: PathBuf, run: String) -> () = runs::cancel;
    /// The result of a training's exam, once held.
    run_report(dir: PathBuf, run: String) -> Option<Report> = runs::report;
    /// The project's exports, newest first.
    exports(dir: PathBuf) -> Vec<ExportEntry> = runs::exports;
}
