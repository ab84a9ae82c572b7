//! The commands as the page sees them: `ui/src/host/commands.ts`, written as the other types are, by the tests.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// One command.
pub struct Command {
    /// Its comment.
    pub doc: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Names and types of its arguments.
    pub arguments: Vec<(&'static str, String)>,
    /// What comes on its channel.
    pub events: Option<String>,
    /// What it answers.
    pub result: String,
}

/// Names that TypeScript knows by itself.
const KNOWN: &[&str] = &["Array", "Record", "Partial"];

fn render(commands: &[Command]) -> String {
    let mut text = String::from("// Made from the list of commands in `src-tauri/commands/mod.rs`. Do not edit.\n\n");
    let mut imports = BTreeSet::new();
    for command in commands {
        let types = command.arguments.iter().map(|(_, ty)| ty).chain(&command.events).chain([&command.result]);
        for ty in types {
            imports.extend(
                ty.split(|c: char| !c.is_alphanumeric())
                    .filter(|word| word.starts_with(char::is_uppercase) && !KNOWN.contains(word)),
            );
        }
    }
    for name in &imports {
        let _ = writeln!(text, "import type {{ {name} }} from './types/{name}';");
    }
    text.push_str("\n/** Every command by its name: what it takes, what it answers, what it streams. */\n");
    text.push_str("export interface Commands {\n");
    for command in commands {
        let arguments = command.arguments.iter().map(|(name, ty)| match ty.strip_suffix(" | null") {
            Some(_) => format!("{}?: {ty}", camel(name)),
            None => format!("{}: {ty}", camel(name)),
        });
        let arguments = arguments.collect::<Vec<_>>().join("; ");
        let arguments =
            if arguments.is_empty() { "Record<string, never>".into() } else { format!("{{ {arguments} }}") };
        let result = if command.result == "null" { "void" } else { &command.result };
        let events = command.events.as_deref().unwrap_or("never");
        let _ = writeln!(text, "  /** {} */", command.doc.trim());
        let _ = writeln!(text, "  {}: {{ args: {arguments}; result: {result}; events: {events} }};", command.name);
    }
    text.push_str("}\n");
    text
}

/// As the framework spells arguments on the page's side.
fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + &part[..1].to_uppercase() + &part[1..])
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Written where the other types are written into the checkout, compared where they are written elsewhere.
#[test]
fn export_bindings_commands() {
    let config = ts_rs::Config::from_env();
    let text = render(&crate::commands::typescript(&config));
    let committed = root().join("ui/src/host/commands.ts");
    let place = |path: &Path| path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    if place(config.out_dir()) == place(&root().join("ui/src/host/types")) {
        hone_job::fs::write_atomic(&committed, text.as_bytes()).unwrap();
    }
    let found = hone_job::fs::read_to_string(&committed).unwrap();
    assert_eq!(found, text, "`ui/src/host/commands.ts` is stale: run `cargo xtask types` and commit it");
}

#[test]
fn a_command_becomes_a_typed_line() {
    let command = Command {
        doc: " Starts.",
        name: "job_start",
        arguments: vec![("project_dir", "string | null".into()), ("job", "JobSpec".into())],
        events: Some("Event".into()),
        result: "Array<RunState>".into(),
    };
    let text = render(&[command]);
    for wanted in [
        "import type { Event } from './types/Event';",
        "import type { RunState } from './types/RunState';",
        "  /** Starts. */",
        "  job_start: { args: { projectDir?: string | null; job: JobSpec }; result: Array<RunState>; events: Event };",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is missing in\n{text}");
    }
    assert!(!text.contains("{ Array }"));
}
