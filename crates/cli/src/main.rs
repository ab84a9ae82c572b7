//! `hone`, the worker: arguments in, events out. What the window can do, this command line can do.

mod args;
mod context;
mod failure;
mod output;
mod stop;
mod verbs;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;
use hone_job::{Event, Job};
use hone_model::chat::BudgetedAllocator;

use crate::args::Arguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Output;

/// Chat templates are foreign programs: the threads that run them have a budget.
#[global_allocator]
static ALLOCATOR: BudgetedAllocator = BudgetedAllocator;

fn main() -> ExitCode {
    // Wrong arguments end here with status 2.
    let arguments = Arguments::parse();
    failure::remember_panics();
    let output = Output::new(arguments.json);
    let job = Job::new({
        let output = output.clone();
        move |event| output.event(event)
    });
    stop::listen(&job, !arguments.verb.reads_stdin());
    let context = Context::new(job, arguments.project, output.clone());
    let outcome = catch_unwind(AssertUnwindSafe(|| verbs::run(arguments.verb, &context)))
        .unwrap_or_else(|_| Err(Failure::panicked()));
    match outcome {
        Ok(report) => {
            output.report(report);
            output.event(Event::Done);
            ExitCode::SUCCESS
        }
        Err(Failure::Cancelled) => {
            output.event(Event::Cancelled);
            ExitCode::from(3)
        }
        Err(Failure::Error(error)) => {
            output.event(Event::Failed(*error));
            ExitCode::FAILURE
        }
    }
}
