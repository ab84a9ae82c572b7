//! `hone new DIR --name N --base REF`

use hone_studio::{Project, ProjectFile, state};

use crate::args::{Language, New};
use crate::context::Context;
use crate::failure::Outcome;
use crate::output::Report;
use crate::verbs::base;

/// Makes a project. The base model is looked at first, so that a wrong name, or a model that cannot be exported, is noticed now.
pub fn run(arguments: &New, _context: &Context) -> Outcome {
    base::open(&arguments.base)?;
    let language = match arguments.language {
        Language::En => "en",
        Language::Zh => "zh",
    };
    let file = ProjectFile::new(&arguments.name, base::absolute(&arguments.base), language);
    let project = Project::create(&arguments.dir, file)?;
    let words = format!(
        "Made the project `{}` in `{}`.\nNext: hone --project {} import FILE…",
        arguments.name,
        project.dir().display(),
        arguments.dir.display()
    );
    Ok(Report::new(&state::read(&project)?, words))
}
