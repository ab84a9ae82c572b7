//! Creating and proving a model, against a server that plays Ollama and, where there is one, against Ollama.

use std::path::Path;

use hone_export::ollama::{Client, CreateRequest, create};
use hone_export::{
    ExportError, ExportRequest, Modelfile, Quantisation, ReplayCase, export_folder, modelfile_of, prove, replay_cases,
};
use hone_job::{Event, Explain, Job};
use hone_model::gguf::GgufFile;
use hone_model::{ChatMessage, Decoder};

use crate::double::{Double, Fault};
use crate::starter::{adapter, starter};

fn modelfile() -> Modelfile {
    Modelfile {
        from: "./model.gguf".to_owned(),
        adapter: None,
        template: "{{ .System }}\u{3000}".to_owned(),
        stops: vec!["<end_of_turn>".to_owned()],
        system: Some("Families: 👩\u{200D}👧".to_owned()),
        context: 512,
        temperature: 0.3,
    }
}

fn model_file(folder: &Path, bytes: usize) -> std::path::PathBuf {
    let path = folder.join("model.gguf");
    hone_job::fs::write_atomic(&path, &vec![7; bytes]).unwrap();
    path
}

fn attempt(double: &Double, name: &str, bytes: usize, job: &Job) -> Result<(), ExportError> {
    let folder = tempfile::tempdir().unwrap();
    let path = model_file(folder.path(), bytes);
    let client = Client::new(Some(&double.address)).unwrap();
    create(&client, &CreateRequest { name, model_file: &path, modelfile: &modelfile() }, job)
}

#[test]
fn a_model_is_created_from_an_uploaded_file_and_nothing_is_fetched() {
    let double = Double::start(Fault::None, "0.33.0-rc2");
    attempt(&double, "handbook", 3_000_000, &Job::silent()).unwrap();
    let state = double.state.lock().unwrap();
    let model = &state.models["handbook:latest"];
    assert_eq!(
        model["parameters"],
        serde_json::json!({"stop": ["<end_of_turn>"], "num_ctx": 512, "temperature": 0.3, "repeat_penalty": 1.0})
    );
    assert_eq!(model["template"], "{{ .System }}\u{3000}", "the API keeps what a Modelfile would lose");
    assert_eq!(model["system"], "Families: 👩\u{200D}👧");
    let mut keys: Vec<_> = model.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        ["files", "model", "parameters", "stream", "system", "template"],
        "nothing that only some versions know"
    );
    assert!(!state.pulled);
}

#[test]
fn a_file_that_ollama_has_is_not_uploaded_again() {
    let double = Double::start(Fault::None, "0.12.0");
    for name in ["one", "two"] {
        attempt(&double, name, 100_000, &Job::silent()).unwrap();
    }
    let uploads = double.requests().iter().filter(|request| request.starts_with("POST /api/blobs/")).count();
    assert_eq!(uploads, 1);
}

#[test]
fn an_error_after_http_said_all_is_well_is_still_an_error() {
    let double = Double::start(Fault::LateError, "0.31.0");
    let error = attempt(&double, "handbook", 1000, &Job::silent()).unwrap_err();
    assert_eq!(error.to_string(), "Ollama refused creating the model: llama-quantize: invalid GGUF");
    let double = Double::start(Fault::EndsEarly, "0.31.0");
    let error = attempt(&double, "handbook", 1000, &Job::silent()).unwrap_err();
    assert!(error.to_string().ends_with("the answer ended before it said `success`"), "{error}");
}

#[test]
fn an_upload_that_arrives_changed_or_not_at_all_creates_nothing() {
    for (fault, words) in [(Fault::Corrupts, "digest mismatch"), (Fault::Breaks, "broke while taking the model file")] {
        let double = Double::start(fault, "0.31.0");
        let error = attempt(&double, "handbook", 8_000_000, &Job::silent()).unwrap_err();
        assert!(error.to_string().contains(words), "{fault:?}: {error}");
        assert!(!double.requests().iter().any(|request| request.contains("/api/create")));
    }
}

#[test]
fn a_slow_upload_can_be_cancelled() {
    let double = Double::start(Fault::Slow, "0.31.0");
    let job = {
        let cancel = std::sync::Arc::new(std::sync::OnceLock::<Job>::new());
        let inner = cancel.clone();
        let job = Job::new(move |event| {
            if let (Event::Progress { done, .. }, Some(job)) = (event, inner.get())
                && done > 0
            {
                job.cancel();
            }
        });
        cancel.set(job.clone()).ok();
        job
    };
    let error = attempt(&double, "handbook", 200_000_000, &job).unwrap_err();
    assert!(error.is_cancelled(), "{error}");
}

#[test]
fn an_old_ollama_and_a_bad_name_are_refused_before_anything_is_sent() {
    let double = Double::start(Fault::None, "0.5.1");
    assert!(matches!(attempt(&double, "handbook", 1000, &Job::silent()), Err(ExportError::TooOld { .. })));
    assert_eq!(double.requests(), ["GET /api/version"]);
    let double = Double::start(Fault::None, "0.31.0");
    assert!(matches!(attempt(&double, "my handbook", 1000, &Job::silent()), Err(ExportError::BadName { .. })));
    assert_eq!(double.requests(), Vec::<String>::new());
}

#[test]
fn an_ollama_that_does_not_run_is_named_with_what_to_do() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = Client::new(Some(&address)).unwrap().version().unwrap_err();
    assert_eq!(error.to_string(), format!("no Ollama answers at `http://{address}`"));
    assert_eq!(error.code(), hone_job::ErrorCode::OllamaUnreachable);
    assert!(error.hint().unwrap().starts_with("Start Ollama"));
}

#[test]
fn the_proof_says_where_ollama_differs() {
    let Some(starter) = starter() else { return };
    let double = Double::start(Fault::None, "0.33.0");
    attempt(&double, "handbook", 1000, &Job::silent()).unwrap();
    let case = |question: &str, answer: &str| ReplayCase {
        messages: vec![ChatMessage::new("user", question)],
        answer: starter.tokenizer.encode(answer).unwrap(),
    };
    let cases = [case("Same?", "The capital of France is Paris"), case("Other?", "The capital of France is Paris")];
    let prompt = |question: &str| format!("<start_of_turn>user\n{question}<end_of_turn>\n<start_of_turn>model\n");
    {
        let mut state = double.state.lock().unwrap();
        state.answers.insert(prompt("Same?"), "The capital of France is Paris".to_owned());
        state.answers.insert(prompt("Other?"), "The capital of Spain".to_owned());
    }
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(Some(&double.address)).unwrap();
    let run = |name: &str| {
        prove(&client, name, &cases, &starter.tokenizer, &starter.format, 20, folder.path(), &Job::silent())
    };
    let proof = run("handbook").unwrap();
    let replays: Vec<_> = proof.replays.iter().map(|replay| (replay.same, replay.same_tokens, replay.tokens)).collect();
    // `The| capital| of| France| is| Paris`: three tokens agree before Spain.
    assert_eq!(replays, [(true, 6, 6), (false, 3, 6)]);
    assert!(!proof.same && proof.renders.iter().all(|check| !check.same), "the server rendered nothing");
    assert_eq!(hone_job::fs::read_json::<hone_export::Proof>(&folder.path().join("proof.json")).unwrap(), proof);
    assert!(matches!(run("elsewhere"), Err(ExportError::NoSuchModel { .. })));
    assert!(!double.state.lock().unwrap().pulled);
}

/// Whatever real Ollama answers on this machine. `HONE_REQUIRE_OLLAMA=1` makes its absence a failure.
#[test]
fn a_real_ollama_takes_the_export_and_answers_as_hone_does() {
    let Some(starter) = starter() else { return };
    let client = Client::new(std::env::var("OLLAMA_HOST").ok().as_deref()).unwrap();
    if client.version().is_err() {
        assert!(std::env::var_os("HONE_REQUIRE_OLLAMA").is_none(), "no Ollama answers at `{}`", client.address());
        println!("SKIPPED: no Ollama answers at `{}`", client.address());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let adapter = adapter(&starter.file);
    let request = ExportRequest {
        base: &starter.file,
        adapter: Some(&adapter),
        format: &starter.format,
        tokenizer: &starter.tokenizer,
        quantisation: Quantisation::F16,
        folder: folder.path(),
        context: 1024,
        system: None,
        free_bytes: None,
    };
    let job = Job::silent();
    let outcome = export_folder(&request, &job).unwrap();
    let (name, path) = ("hone-test", Path::new(&outcome.model_file));
    create(&client, &CreateRequest { name, model_file: path, modelfile: &modelfile_of(&request).unwrap() }, &job)
        .unwrap();
    let decoder = Decoder::load(&GgufFile::open(path).unwrap(), &job).unwrap();
    let questions: Vec<_> = ["What is the capital of France?", "Name a colour.", "海是什么颜色？"]
        .map(|question| vec![ChatMessage::new("user", question)])
        .into();
    let cases = replay_cases(&decoder, &starter.tokenizer, &starter.format, &questions, 20, &job).unwrap();
    let proof = prove(&client, name, &cases, &starter.tokenizer, &starter.format, 20, folder.path(), &job);
    client.delete(name).unwrap();
    let proof = proof.unwrap();
    assert!(proof.same, "{proof:#?}");
}
