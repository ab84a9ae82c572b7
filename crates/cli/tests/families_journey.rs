//! A small model of every family, as a GGUF file or a Hugging Face folder, through the worker: project, import, training, exam, export, and the export chosen as a base.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)] // helpers of tests too: a broken step ends the test

mod common;

use std::path::Path;

use common::{ask, hone, in_project};
use hone_job::fs;

#[test]
fn a_model_of_every_family_goes_the_whole_way() {
    let files =
        ["llama3.gguf", "smollm2.gguf", "mistral.gguf", "qwen2.gguf", "qwen3.gguf", "gemma2.gguf", "phi4-mini.gguf"];
    let folders = ["phi3", "tinyllama", "gemma3", "qwen3", "llama3"];
    for family in files.into_iter().chain(folders) {
        let folder = tempfile::tempdir().unwrap();
        let (dir, table) = (folder.path().join("project"), folder.path().join("questions.csv"));
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/parity/golden/families/{family}"));
        let (dir_text, base_text) = (dir.to_str().unwrap(), base.to_str().unwrap());
        ask(hone(None), &["new", dir_text, "--name", family, "--base", base_text]).result();
        let lines: String =
            (0..20).map(|n| format!("How deep is berth {n}?,Berth {n} is {n} metres deep.\n")).collect();
        fs::write_atomic(&table, format!("question,answer\n{lines}").as_bytes()).unwrap();
        assert_eq!(in_project(&dir, &["import", table.to_str().unwrap()]).result()["rows"], 20);

        let knobs = ["--set=max_steps=6", "--set=max_seq_len=128", "--set=learning_rate=1e-2"];
        let said = in_project(&dir, &["train", "--preset=quick", knobs[0], knobs[1], knobs[2]]);
        assert_eq!(said.last(), "done", "{family}: {said:?}");
        let report = in_project(&dir, &["eval", "latest"]);
        let held_out = &report.result()["held_out"];
        let (before, after) = (held_out["before"].as_f64().unwrap(), held_out["after"].as_f64().unwrap());
        assert!(after < before - 0.3, "{family}: held-out loss {before} before, {after} after");

        let out = dir.join("exports/model");
        in_project(&dir, &["export", "latest", "--quantize", "q8_0", "--to", out.to_str().unwrap()]).result();
        let modelfile = String::from_utf8(fs::read(&out.join("Modelfile")).unwrap()).unwrap();
        assert!(modelfile.contains("FROM ./model.gguf") && modelfile.contains("<|im_end|>"), "{family}: {modelfile}");
        let exported = out.join("model.gguf");
        let shown = ask(hone(None), &["models", "show", exported.to_str().unwrap()]);
        assert_eq!(shown.result()["model"]["quantisation"], "Q8_0", "{family}");

        let out = dir.join("exports/adapter");
        let told = in_project(&dir, &["export", "latest", "--format", "adapter", "--to", out.to_str().unwrap()]);
        assert_eq!(told.result()["model_file"], out.join("adapter.gguf").to_str().unwrap(), "{family}");
        let modelfile = String::from_utf8(fs::read(&out.join("Modelfile")).unwrap()).unwrap();
        let base = base.canonicalize().unwrap();
        assert!(
            modelfile.contains(&format!("FROM {}\nADAPTER ./adapter.gguf\n", base.display())),
            "{family}: {modelfile}"
        );
        assert!(fs::read(&out.join("adapter.gguf")).unwrap().starts_with(b"GGUF"), "{family}");
    }
}
