//! What the page can ask a worker to do, and the words in which the worker is asked.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hone_data::Mapping;
use serde::Deserialize;
use ts_rs::TS;

use crate::checks;
use crate::error::ShellError;

/// One job for a worker.
#[derive(Debug, Clone, PartialEq, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[ts(export)]
pub enum JobSpec {
    /// Read files and folders into the project. Result: `ImportOutcome`.
    Import {
        /// Full paths of files or folders.
        paths: Vec<PathBuf>,
        /// Recognise the text of scanned pages.
        #[serde(default)]
        #[ts(optional, as = "Option<bool>")]
        ocr: bool,
    },
    /// Read a document of the project anew, with other columns. Result: `ImportOutcome`.
    Remap {
        /// Hash of the document.
        document: String,
        /// What each column is; those that are not named are left out.
        mapping: Mapping,
    },
    /// Draft questions and answers from the passages that this writer has not drafted from yet. Result: `DraftOutcome`.
    Draft {
        /// Who writes.
        writer: DraftWriterSpec,
        /// Kinds of question; none means the usual ones.
        kinds: Vec<String>,
        /// Most questions a passage.
        per_passage: u32,
        /// Language of questions and answers; empty is the passage's own.
        #[serde(default)]
        language: String,
        /// How the answers should sound.
        #[serde(default)]
        tone: String,
        /// Further instructions for the model.
        #[serde(default)]
        system: String,
        /// Also from passages that were drafted from already.
        #[serde(default)]
        again: bool,
    },
    /// Make further rows from approved ones. Result: `AugmentOutcome`.
    Augment {
        /// `paraphrase`, `synonyms` or `back-translation`.
        how: String,
        /// Who rewords or translates.
        writer: DraftWriterSpec,
    },
    /// Apply cleaning rules, or show what they would do.
    Clean {
        /// Names of rules; none means all.
        rules: Vec<String>,
        /// Only show the hits.
        preview: bool,
        /// Changed options: `rule.option` to value as text, several values parted by commas.
        #[serde(default)]
        #[ts(optional, as = "Option<BTreeMap<String, String>>")]
        set: BTreeMap<String, String>,
    },
    /// Take a rule's verdicts back.
    Undo {
        /// The rule.
        rule: String,
    },
    /// Resolve and estimate a training without starting it. Result: `Plan`.
    Plan {
        /// Name of a preset.
        preset: String,
        /// Changed knobs: name to value as text.
        #[serde(default)]
        #[ts(optional, as = "Option<BTreeMap<String, String>>")]
        set: BTreeMap<String, String>,
    },
    /// Measure, then train; goes on when the window closes. Result: `RunState`.
    Train {
        /// Name of a preset.
        preset: String,
        /// Changed knobs: name to value as text.
        #[serde(default)]
        #[ts(optional, as = "Option<BTreeMap<String, String>>")]
        set: BTreeMap<String, String>,
    },
    /// Go on with a run from its last checkpoint; goes on when the window closes. Result: `RunState`.
    Resume {
        /// The run.
        run: String,
    },
    /// Hold the exam. Result: `EvalReport`.
    Eval {
        /// The run.
        run: String,
    },
    /// Ask a model. The answer comes piece by piece as notices with code `token`.
    Chat {
        /// A run, or a model reference for the untrained one.
        model: String,
        /// The question.
        prompt: String,
    },
    /// Write a model file and its Modelfile into the project's `exports/NAME`. Result: `ExportOutcome`.
    Export {
        /// The run.
        run: String,
        /// Name of the export's folder.
        name: String,
        /// `f16`, `q8_0` ...
        quantize: String,
        /// Name under which Ollama shall get it.
        #[serde(default)]
        #[ts(optional)]
        ollama: Option<String>,
    },
    /// One row as the model will see it. Result: `RowView`.
    RowView {
        /// Number of the row.
        id: i64,
    },
    /// What the model will see, summed up over all rows. Result: `SeenSummary`.
    Seen {
        /// The longest row that is trained on, tokens; without it, the one of the usual preset.
        #[serde(default)]
        #[ts(optional)]
        longest: Option<u32>,
    },
    /// Draw anew which rows are trained on, measured on and kept for the exam. Result: `RowCounts`.
    Split {
        /// Draws which row goes where.
        seed: u32,
        /// Percent of the rows to measure on.
        valid: u8,
        /// Percent of the conversations to keep for the exam.
        exam: u8,
    },
    /// Write the rows and their card into a folder. Result: `DatasetOutcome`.
    RowsExport {
        /// Full path of the folder.
        folder: PathBuf,
        /// `openai`, `alpaca`, `csv` or `parquet`.
        format: String,
    },
    /// Fetch a base model.
    ModelGet {
        /// Catalogue name.
        name: String,
    },
}

/// Who writes drafts.
#[derive(Debug, Clone, PartialEq, Deserialize, TS)]
#[ts(export)]
pub struct DraftWriterSpec {
    /// `rules`, `ollama`, `endpoint` or `engine`.
    pub by: String,
    /// The model; empty for rules.
    #[serde(default)]
    pub model: String,
    /// The server's address; empty for rules, for the engine, and for the Ollama of this computer.
    #[serde(default)]
    pub address: String,
    /// How much the answers vary, 0.3 to 0.7.
    pub temperature: f64,
    /// A person's yes to documents leaving this computer.
    #[serde(default)]
    pub leave: bool,
}

impl DraftWriterSpec {
    fn words(&self) -> Result<Vec<String>, ShellError> {
        let mut words = vec![
            format!("--by={}", checks::identifier("by", &self.by)?),
            format!("--temperature={}", self.temperature.clamp(0.0, 2.0)),
        ];
        for (name, value) in [("model", &self.model), ("address", &self.address)] {
            if !value.is_empty() {
                words.push(format!("--{name}={}", checks::text(name, value, checks::NAME_MAX)?));
            }
        }
        if self.leave {
            words.push("--documents-leave-this-machine".to_owned());
        }
        Ok(words)
    }
}

impl JobSpec {
    /// Whether the work goes on when the window is closed.
    pub fn outlives_window(&self) -> bool {
        matches!(self, Self::Train { .. } | Self::Resume { .. })
    }

    /// The worker's words for this job in the project at `dir`.
    ///
    /// # Errors
    /// [`ShellError::BadArgument`] for a value that the worker might take for something else.
    pub fn arguments(&self, dir: Option<&Path>) -> Result<Vec<OsString>, ShellError> {
        let mut words: Vec<OsString> = vec!["--json".into()];
        if let Some(dir) = dir {
            words.extend(["--project".into(), dir.into()]);
        }
        let mut say = |parts: &[&str]| words.extend(parts.iter().map(OsString::from));
        match self {
            Self::Import { paths, ocr } => {
                say(&["import"]);
                if *ocr {
                    say(&["--ocr"]);
                }
                say(&["--"]);
                words.extend(checks::paths(paths)?.iter().map(Into::into));
            }
            Self::Draft { writer, kinds, per_passage, language, tone, system, again } => {
                say(&["draft", &format!("--per-passage={per_passage}")]);
                for word in writer.words()? {
                    say(&[&word]);
                }
                for kind in kinds {
                    say(&[&format!("--kind={}", checks::identifier("kinds", kind)?)]);
                }
                for (name, value) in [("language", language), ("tone", tone), ("system", system)] {
                    if !value.is_empty() {
                        say(&[&format!("--{name}={}", checks::text(name, value, checks::PROMPT_MAX)?)]);
                    }
                }
                if *again {
                    say(&["--again"]);
                }
            }
            Self::Augment { how, writer } => {
                say(&["augment", &format!("--how={}", checks::identifier("how", how)?)]);
                for word in writer.words()? {
                    say(&[&word]);
                }
            }
            Self::Remap { document, mapping } => {
                say(&["import", &format!("--document={}", checks::identifier("document", document)?)]);
                // What is left out is said too, or it would be guessed.
                for part in ["question", "answer", "context", "system", "text", "label", "split", "metadata"] {
                    say(&[&format!("--map={part}=")]);
                }
                for (part, column) in mapping.named() {
                    say(&[&format!("--map={part}={}", checks::text("mapping", column, checks::NAME_MAX)?)]);
                }
            }
            Self::Clean { rules, preview, set } => {
                say(&["clean"]);
                for (option, value) in set {
                    let option = checks::identifier("set", option)?;
                    say(&[&format!("--set={option}={}", checks::text("set", value, checks::NAME_MAX)?)]);
                }
                for rule in rules {
                    say(&[&format!("--rule={}", checks::identifier("rules", rule)?)]);
                }
                if *preview {
                    say(&["--preview"]);
                }
            }
            Self::Undo { rule } => say(&["clean", &format!("--undo={}", checks::identifier("rule", rule)?)]),
            Self::Plan { preset, set } => {
                say(&["plan"]);
                say(&knobs(preset, set)?.iter().map(String::as_str).collect::<Vec<_>>());
            }
            Self::Train { preset, set } => {
                say(&["train"]);
                say(&knobs(preset, set)?.iter().map(String::as_str).collect::<Vec<_>>());
            }
            Self::Resume { run } => say(&["train", &format!("--resume={}", checks::run_id(run)?)]),
            Self::Eval { run } => say(&["eval", checks::run_id(run)?]),
            Self::Chat { model, prompt } => {
                let prompt = format!("--prompt={}", checks::text("prompt", prompt, checks::PROMPT_MAX)?);
                say(&["chat", &prompt, checks::word("model", model)?]);
            }
            Self::Export { run, name, quantize, ollama } => {
                let dir = dir.ok_or(ShellError::BadArgument { name: "dir", reason: "an export needs a project" })?;
                let mut to = OsString::from("--to=");
                to.push(dir.join("exports").join(checks::file_name("name", name)?));
                say(&["export", checks::run_id(run)?]);
                say(&[&format!("--quantize={}", checks::identifier("quantize", quantize)?)]);
                if let Some(ollama) = ollama {
                    say(&[&format!("--ollama={}", checks::word("ollama", ollama)?)]);
                }
                words.push(to);
            }
            Self::RowView { id } => say(&["rows", "show", &format!("{}", id.max(&0))]),
            Self::Seen { longest } => {
                say(&["rows", "seen"]);
                if let Some(longest) = longest {
                    say(&[&format!("--longest={longest}")]);
                }
            }
            Self::Split { seed, valid, exam } => {
                say(&[
                    "rows",
                    "split",
                    &format!("--seed={seed}"),
                    &format!("--valid={valid}"),
                    &format!("--exam={exam}"),
                ]);
            }
            Self::RowsExport { folder, format } => {
                say(&["rows", "export", &format!("--format={}", checks::identifier("format", format)?)]);
                let mut to = OsString::from("--folder=");
                to.push(checks::absolute("folder", folder)?);
                words.push(to);
            }
            Self::ModelGet { name } => say(&["models", "get", checks::word("name", name)?]),
        }
        Ok(words)
    }
}

fn knobs(preset: &str, set: &BTreeMap<String, String>) -> Result<Vec<String>, ShellError> {
    let mut words = vec![format!("--preset={}", checks::identifier("preset", preset)?)];
    for (knob, value) in set {
        let knob = checks::identifier("set", knob)?;
        words.push(format!("--set={knob}={}", checks::text("set", value, checks::NAME_MAX)?));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(json: &str) -> Result<Vec<String>, String> {
        let spec: JobSpec = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let words = spec.arguments(Some(Path::new("/home/me/clinic"))).map_err(|error| error.to_string())?;
        Ok(words.into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn a_training_is_asked_for_with_its_preset_and_changed_knobs() {
        let asked = words(r#"{"kind":"train","preset":"quick","set":{"epochs":"1","lora.rank":"8"}}"#).unwrap();
        let expected = [
            "--json",
            "--project",
            "/home/me/clinic",
            "train",
            "--preset=quick",
            "--set=epochs=1",
            "--set=lora.rank=8",
        ];
        assert_eq!(asked, expected);
    }

    #[test]
    fn options_of_rules_are_words_of_their_own() {
        let asked = words(
            r#"{"kind":"clean","rules":["personal"],"preview":true,"set":{"personal.own":"--undo, @x.example"}}"#,
        );
        let expected = ["clean", "--set=personal.own=--undo, @x.example", "--rule=personal", "--preview"];
        assert_eq!(asked.unwrap()[3..], expected);
    }

    #[test]
    fn an_export_stays_in_the_projects_folder() {
        let asked = words(r#"{"kind":"export","run":"20261124-150000","name":"clinic","quantize":"q8_0"}"#).unwrap();
        assert!(asked.contains(&"--to=/home/me/clinic/exports/clinic".to_owned()), "{asked:?}");
        assert!(words(r#"{"kind":"export","run":"20261124-150000","name":"../../x","quantize":"f16"}"#).is_err());
    }

    #[test]
    fn paths_that_look_like_options_stay_paths() {
        let asked = words(r#"{"kind":"import","paths":["/tmp/--json"]}"#).unwrap();
        assert_eq!(asked[3..], ["import", "--", "/tmp/--json"]);
    }

    #[test]
    fn other_columns_are_said_whole_so_that_nothing_is_guessed() {
        let asked =
            words(r#"{"kind":"remap","document":"ab12","mapping":{"question":"问题","metadata":["a=b"]}}"#).unwrap();
        assert_eq!(asked[3..5], ["import", "--document=ab12"]);
        assert!(asked.contains(&"--map=answer=".to_owned()), "{asked:?}");
        assert_eq!(asked[asked.len() - 2..], ["--map=question=问题", "--map=metadata=a=b"]);
    }

    #[test]
    fn hostile_values_never_become_words_of_their_own() {
        for json in [
            r#"{"kind":"import","paths":["--json"]}"#,
            r#"{"kind":"import","paths":[]}"#,
            r#"{"kind":"draft","writer":{"by":"rules --again","temperature":0.5},"kinds":[],"per_passage":3}"#,
            r#"{"kind":"draft","writer":{"by":"rules","temperature":0.5},"kinds":["fact,--again"],"per_passage":3}"#,
            r#"{"kind":"draft","writer":{"by":"ollama","model":"a\u0000b","temperature":0.5},"kinds":[],"per_passage":3}"#,
            r#"{"kind":"augment","how":"","writer":{"by":"rules","temperature":0.5}}"#,
            r#"{"kind":"remap","document":"--map=x","mapping":{}}"#,
            r#"{"kind":"clean","rules":["x --undo y"],"preview":true}"#,
            r#"{"kind":"clean","rules":[],"preview":true,"set":{"a b":"1"}}"#,
            r#"{"kind":"undo","rule":""}"#,
            r#"{"kind":"plan","preset":"../../etc/passwd"}"#,
            r#"{"kind":"train","preset":"quick","set":{"a b":"1"}}"#,
            r#"{"kind":"resume","run":"../x"}"#,
            r#"{"kind":"eval","run":"--against"}"#,
            r#"{"kind":"chat","model":"--temperature","prompt":"hi"}"#,
            r#"{"kind":"chat","model":"a\u0000b","prompt":"hi"}"#,
            r#"{"kind":"export","run":"1","name":"x","quantize":"f16;rm"}"#,
            r#"{"kind":"export","run":"1","name":"x","quantize":"f16","ollama":"-x"}"#,
            r#"{"kind":"model_get","name":"--help"}"#,
            r#"{"kind":"shell","command":"ls"}"#,
        ] {
            assert!(words(json).is_err(), "{json} was accepted");
        }
    }

    #[test]
    fn drafting_is_asked_for_with_its_writer_and_a_yes_only_where_it_was_given() {
        let asked = words(
            r#"{"kind":"draft","writer":{"by":"endpoint","model":"qwen3","address":"http://127.0.0.1:8080/v1","temperature":0.5},
                "kinds":["fact"],"per_passage":3,"tone":"--again"}"#,
        );
        let expected = [
            "draft",
            "--per-passage=3",
            "--by=endpoint",
            "--temperature=0.5",
            "--model=qwen3",
            "--address=http://127.0.0.1:8080/v1",
            "--kind=fact",
            "--tone=--again",
        ];
        assert_eq!(asked.unwrap()[3..], expected);
        let yes = words(
            r#"{"kind":"augment","how":"paraphrase","writer":{"by":"ollama","model":"m","temperature":0.3,"leave":true}}"#,
        );
        assert_eq!(yes.unwrap().last().unwrap(), "--documents-leave-this-machine");
    }

    #[test]
    fn a_question_may_hold_anything_a_person_types() {
        let asked = words(r#"{"kind":"chat","model":"gemma3-270m","prompt":"--json\n是什么？"}"#).unwrap();
        assert_eq!(asked[4], "--prompt=--json\n是什么？");
    }
}
