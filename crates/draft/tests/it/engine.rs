use hone_data::draft::{DraftKind, DraftSettings};
use hone_draft::{Engine, Wish, Writer, draft_passage};
use hone_job::{Explain, Job};
use hone_model::source::{STARTER, default_models_dir, find};

const PASSAGE: &str = "Life-rafts go ashore for service every 12 months; a spare raft is kept in shed 2. Rockets are replaced \
    after 3 years and the old ones are handed to the harbour authority.";

/// The starter model; `None`, said loudly, where it is not on this machine.
fn engine() -> Option<Writer> {
    let path = default_models_dir()?.join(find(STARTER)?.file);
    if !path.is_file() {
        assert!(std::env::var_os("HONE_REQUIRE_MODEL").is_none(), "the starter model is not on this machine");
        println!("SKIPPED: the starter model is not on this machine");
        return None;
    }
    Some(Writer::Engine(Box::new(Engine::load(&path, STARTER, &Job::silent()).unwrap())))
}

#[test]
fn the_starter_model_is_held_to_the_form_although_nobody_taught_it_to_obey() {
    let Some(writer) = engine() else { return };
    assert_eq!(writer.name(), "engine:gemma3-270m");
    let settings = DraftSettings { kinds: vec![DraftKind::Fact], per_passage: 1, ..DraftSettings::default() };
    let wish =
        Wish { document: "handbook.pdf", heading: "8 Safety", text: PASSAGE, settings: &settings, temperature: 0.5 };
    let made = draft_passage(&writer, &wish, &Job::silent()).unwrap();
    println!("{made:?}");
    // What it writes is its own; that it has the form, or says why not, is ours.
    match &made.failure {
        None => assert_eq!((made.drafts.len(), made.drafts[0].0.kind), (1, DraftKind::Fact)),
        Some(reason) => assert!(reason.contains("cut off") || reason.contains("empty"), "{reason}"),
    }
    assert!(made.answer_tokens > 0 && made.prompt_tokens > 100);
    let again = draft_passage(&writer, &wish, &Job::silent()).unwrap();
    assert_eq!(again.drafts, made.drafts, "the same seed writes the same");
}

#[test]
fn the_engine_stops_when_asked_to() {
    let Some(writer) = engine() else { return };
    let settings = DraftSettings::default();
    let wish = Wish { document: "handbook.pdf", heading: "", text: PASSAGE, settings: &settings, temperature: 0.5 };
    let job = Job::silent();
    job.cancel();
    assert!(draft_passage(&writer, &wish, &job).unwrap_err().is_cancelled());
}
