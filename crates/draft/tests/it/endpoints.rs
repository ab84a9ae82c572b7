use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hone_data::draft::{DraftKind, DraftSettings, Grounding};
use hone_draft::{
    Address, DraftError, Endpoint, Made, Protocol, Wish, Writer, back_translate, draft_passage, paraphrase,
};
use hone_job::{Event, Explain, Job};

use crate::double::{Double, Turn};

const PASSAGE: &str = "Life-rafts go ashore for service every 12 months; a spare raft is kept\nin shed 2. Rockets are replaced after 3 years.";

const BOTH: [Protocol; 2] = [Protocol::Ollama, Protocol::OpenAi];

fn good() -> String {
    drafts(&[("fact", "Where is the spare raft kept?", "In shed 2.", "a spare raft is kept in shed 2")])
}

fn drafts(drafts: &[(&str, &str, &str, &str)]) -> String {
    let drafts: Vec<_> = drafts
        .iter()
        .map(|(kind, question, answer, quote)| serde_json::json!({"kind": kind, "question": question, "answer": answer, "quote": quote}))
        .collect();
    serde_json::json!({ "drafts": drafts }).to_string()
}

fn says(text: &str) -> Turn {
    Turn::Says(text.to_owned())
}

fn writer(double: &Double, protocol: Protocol, patience: Duration) -> Writer {
    let path = if protocol == Protocol::OpenAi { "/v1" } else { "" };
    let address = Address::parse(&format!("{}{path}", double.address)).unwrap();
    Writer::Endpoint(Endpoint::choose(protocol, &address, "writer", None, false, patience).unwrap())
}

fn ask(writer: &Writer, job: &Job) -> Result<Made, DraftError> {
    let settings = DraftSettings::default();
    let wish =
        Wish { document: "handbook.pdf", heading: "8 Safety", text: PASSAGE, settings: &settings, temperature: 0.5 };
    draft_passage(writer, &wish, job)
}

fn made(double: &Double, protocol: Protocol) -> Made {
    ask(&writer(double, protocol, Duration::from_secs(20)), &Job::silent()).unwrap()
}

#[test]
fn a_good_answer_becomes_grounded_drafts_with_their_cost_in_both_protocols() {
    for protocol in BOTH {
        let text = drafts(&[
            ("fact", "Where is the spare raft kept?", "In shed 2.", "a spare raft is kept in shed 2"),
            ("fact", "When are rockets replaced?", "After 4 years.", "Rockets are replaced after 4 years."),
            ("refusal", "Who makes the rafts?", "The document does not say.", ""),
        ]);
        let double = Double::start(vec![says(&text)]);
        let made = made(&double, protocol);
        let found: Vec<_> = made.drafts.iter().map(|(draft, grounding)| (draft.kind, *grounding)).collect();
        let expected = [
            (DraftKind::Fact, Grounding::Found),
            (DraftKind::Fact, Grounding::Missing),
            (DraftKind::Refusal, Grounding::NoQuote),
        ];
        assert_eq!(found, expected, "{protocol:?}");
        assert_eq!((made.tries, made.prompt_tokens, made.answer_tokens, made.failure), (1, 100, 20, None));
        let body = &double.bodies()[0];
        assert!(body["messages"][1]["content"].as_str().unwrap().contains("Life-rafts go ashore"));
        let temperature =
            if protocol == Protocol::Ollama { &body["options"]["temperature"] } else { &body["temperature"] };
        assert_eq!(temperature, 0.5);
    }
}

#[test]
fn what_goes_wrong_once_is_tried_again_with_another_seed() {
    for protocol in BOTH {
        for bad in [
            says("Here are your questions!"),
            says(r#"{"questions": []}"#),
            Turn::CutOff(good()[..40].to_owned()),
            Turn::Http(500, r#"{"error": "llama runner process has terminated"}"#.into()),
            Turn::LateError("out of memory".into()),
            Turn::Breaks,
            Turn::Http(200, "<html>not an interface</html>".into()),
        ] {
            let double = Double::start(vec![bad.clone(), says(&good())]);
            let made = made(&double, protocol);
            assert_eq!((made.drafts.len(), made.tries, &made.failure), (1, 2, &None), "{protocol:?} {bad:?}");
            let seed = |body: &serde_json::Value| body["seed"].as_u64().or(body["options"]["seed"].as_u64());
            let bodies = double.bodies();
            assert_ne!(seed(&bodies[0]), seed(&bodies[1]), "the same seed would say the same");
        }
    }
}

#[test]
fn what_goes_wrong_three_times_fails_this_passage_with_its_reason_and_not_the_work() {
    for (bad, reason) in [
        (says("No."), "the answer is not JSON: expected value at line 1 column 1; it begins `No.`"),
        (
            says(r#"{"drafts": [{"question": "?"}]}"#),
            "the answer has another form than asked for: missing field `kind`",
        ),
        (Turn::LateError("out of memory".into()), "the server refused (HTTP 200): out of memory"),
        (Turn::CutOff("{".into()), "the answer was cut off after 20 tokens"),
    ] {
        for protocol in BOTH {
            let made = made(&Double::start(vec![bad.clone()]), protocol);
            assert_eq!((made.drafts.len(), made.tries, made.failure.as_deref()), (0, 3, Some(reason)), "{protocol:?}");
        }
    }
}

#[test]
fn nothing_to_ask_is_not_a_failure() {
    let double = Double::start(vec![says(r#"{"drafts": []}"#)]);
    let made = made(&double, Protocol::Ollama);
    assert_eq!((made.drafts.len(), made.tries, made.failure), (0, 1, None));
    let settings = DraftSettings::default();
    let short = Wish { document: "a", heading: "", text: "2\n\n* * *", settings: &settings, temperature: 0.5 };
    let writer = writer(&double, Protocol::Ollama, Duration::from_secs(5));
    assert_eq!(
        draft_passage(&writer, &short, &Job::silent()).unwrap().tries,
        0,
        "a page number alone is not asked about"
    );
}

#[test]
fn a_server_that_stays_silent_is_given_up_and_tried_again() {
    let double = Double::start(vec![Turn::Hangs, says(&good())]);
    let made = ask(&writer(&double, Protocol::Ollama, Duration::from_millis(400)), &Job::silent()).unwrap();
    assert_eq!((made.drafts.len(), made.tries), (1, 2));
}

#[test]
fn a_slow_answer_is_waited_for() {
    let double = Double::start(vec![Turn::Slow(Duration::from_millis(600), good())]);
    assert_eq!(made(&double, Protocol::OpenAi).tries, 1);
}

#[test]
fn stopping_does_not_wait_for_the_server() {
    let double = Double::start(vec![Turn::Hangs]);
    let writer = writer(&double, Protocol::Ollama, Duration::from_secs(300));
    let job = Job::silent();
    let other = job.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        other.cancel();
    });
    let begun = Instant::now();
    assert!(ask(&writer, &job).unwrap_err().is_cancelled());
    assert!(begun.elapsed() < Duration::from_secs(60), "it hung on the server");
}

#[test]
fn a_server_that_knows_no_schema_is_asked_without_and_the_answer_is_checked_all_the_same() {
    let notices = Arc::new(Mutex::new(Vec::new()));
    let told = notices.clone();
    let job = Job::new(move |event| {
        if let Event::Notice { code, .. } = event {
            told.lock().unwrap().push(code);
        }
    });
    let double = Double::free(vec![says(&good())]);
    let writer = writer(&double, Protocol::OpenAi, Duration::from_secs(20));
    assert_eq!(ask(&writer, &job).unwrap().drafts.len(), 1);
    assert_eq!(ask(&writer, &job).unwrap().drafts.len(), 1);
    let held: Vec<_> = double.bodies().iter().map(|body| body["response_format"].is_object()).collect();
    assert_eq!(held, [true, false, false], "asked with a schema once, then never again");
    assert_eq!(*notices.lock().unwrap(), ["answers_not_held"]);
}

#[test]
fn what_cannot_get_better_ends_the_work_at_once() {
    let double = Double::start(vec![Turn::Http(401, r#"{"error": {"message": "bad key"}}"#.into())]);
    let writer = writer(&double, Protocol::OpenAi, Duration::from_secs(5));
    let error = ask(&writer, &Job::silent()).unwrap_err();
    assert!(matches!(error, DraftError::NotAllowed { status: 401, .. }), "{error:?}");
    assert_eq!(double.bodies().len(), 1, "no second try");
    assert!(error.hint().unwrap().contains("HONE_DRAFT_KEY"));

    let nobody = Address::parse("http://127.0.0.1:9").unwrap();
    let writer = Endpoint::choose(Protocol::OpenAi, &nobody, "writer", None, false, Duration::from_secs(5)).unwrap();
    let error = ask(&Writer::Endpoint(writer), &Job::silent()).unwrap_err();
    assert_eq!(error.to_string(), "nothing answers at `http://127.0.0.1:9`");
}

#[test]
fn nothing_is_sent_to_another_machine_without_a_yes() {
    let choose = |address: &str, leave| {
        Endpoint::choose(Protocol::OpenAi, &Address::parse(address).unwrap(), "m", None, leave, Duration::from_secs(1))
    };
    let error = choose("https://api.example.com/v1", false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`https://api.example.com/v1` is not on this computer: the documents would leave this machine"
    );
    assert!(choose("https://api.example.com/v1", true).is_ok());
}

#[test]
fn a_model_that_ollama_runs_elsewhere_needs_the_same_yes() {
    let double = Double::start(vec![says(&good())]);
    let address = Address::parse(&double.address).unwrap();
    let choose =
        |model: &str, leave| Endpoint::choose(Protocol::Ollama, &address, model, None, leave, Duration::from_secs(5));
    let error = choose("big:cloud", false).unwrap_err();
    assert!(matches!(error, DraftError::RunsElsewhere { .. }), "{error}");
    assert!(choose("big:cloud", true).is_ok());
    assert!(choose("qwen3:4b", false).is_ok());
    assert!(choose("Writer", false).is_ok(), "the usual tag, and case does not count");
    let error = choose("qwen3:8b", false).unwrap_err();
    assert!(
        error.to_string().ends_with("it has qwen3:4b, writer:latest, nomic-embed-text:latest, big:cloud"),
        "{error}"
    );
    assert!(double.bodies().is_empty(), "choosing sends nothing of a document");

    let listed = Endpoint::ollama_models(&address).unwrap();
    let names: Vec<_> = listed.iter().map(|model| (model.name.as_str(), model.elsewhere.is_some())).collect();
    assert_eq!(names, [("qwen3:4b", false), ("writer:latest", false), ("big:cloud", true)], "those that write");
}

#[test]
fn a_key_goes_into_the_header_and_nowhere_else() {
    let double = Double::start(vec![says(&good())]);
    let address = Address::parse(&format!("{}/v1", double.address)).unwrap();
    let endpoint =
        Endpoint::choose(Protocol::OpenAi, &address, "writer", Some("s3cret".into()), false, Duration::from_secs(5));
    ask(&Writer::Endpoint(endpoint.unwrap()), &Job::silent()).unwrap();
    assert!(double.heads()[0].to_lowercase().contains("authorization: bearer s3cret"));
    assert!(!double.bodies()[0].to_string().contains("s3cret"));
}

#[test]
fn rewording_and_translating_read_strictly_and_try_again() {
    let double = Double::start(vec![
        says("Sure."),
        says(r#"{"question": "At what time?", "answer": "At nine o'clock."}"#),
        says(r#"{"text": "几点？"}"#),
        says(r#"{"text": "At which hour?"}"#),
        says("No."),
    ]);
    let writer = writer(&double, Protocol::Ollama, Duration::from_secs(5));
    let job = Job::silent();
    assert_eq!(
        paraphrase(&writer, "When?", "At nine.", 0.5, &job).unwrap(),
        Ok(("At what time?".into(), "At nine o'clock.".into()))
    );
    assert_eq!(back_translate(&writer, "When?", "English", 0.5, &job).unwrap(), Ok("At which hour?".into()));
    assert!(double.bodies()[3]["messages"][1]["content"].as_str().unwrap().contains("几点？"));
    let failed = paraphrase(&writer, "When?", "At nine.", 0.5, &job).unwrap().unwrap_err();
    assert!(failed.starts_with("the answer is not JSON"), "{failed}");
}
