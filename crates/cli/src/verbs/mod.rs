//! One short file per verb: arguments in, a report out.

mod base;
mod chat;
mod clean;
mod dataset;
mod demo;
mod doctor;
pub mod draft;
mod eval;
mod export;
mod import;
pub mod lab;
mod models;
mod new;
mod plan;
mod row_view;
mod rows;
mod samples;
mod seen;
mod train;
mod training;

use crate::args::Verb;
use crate::context::Context;
use crate::failure::Outcome;

/// Does what was asked.
pub fn run(verb: Verb, context: &Context) -> Outcome {
    match verb {
        Verb::Doctor => doctor::run(context),
        Verb::Models(arguments) => models::run(&arguments, context),
        Verb::New(arguments) => new::run(&arguments, context),
        Verb::Import(arguments) => import::run(&arguments, context),
        Verb::Draft(arguments) => draft::run(&arguments, context),
        Verb::Augment(arguments) => draft::augment(&arguments, context),
        Verb::Rows(arguments) => rows::run(arguments, context),
        Verb::Clean(arguments) => clean::run(&arguments, context),
        Verb::Plan(arguments) => plan::run(&arguments, context),
        Verb::Train(arguments) => train::run(&arguments, context),
        Verb::Eval(arguments) => eval::run(&arguments, context),
        Verb::Chat(arguments) => chat::run(&arguments, context),
        Verb::Export(arguments) => export::run(&arguments, context),
        Verb::Demo(arguments) => demo::run(&arguments, context),
        Verb::Lab(arguments) => lab::run(arguments, context),
    }
}
