use hone_data::sequence::TokenSequence;
use hone_job::Explain;
use hone_model::DecoderConfig;

use super::*;
use crate::presets;
use crate::testing::tiny_decoder;

/// Sequences of these lengths, the first 4 tokens of each are the prompt.
fn rows(lengths: &[usize]) -> Sequences {
    let sequence = |(row, length): (usize, &usize)| TokenSequence {
        row: row as i64 + 1,
        ids: vec![5; *length],
        trained: (0..*length).map(|at| at >= 4).collect(),
    };
    Sequences { sequences: lengths.iter().enumerate().map(sequence).collect(), ..Sequences::default() }
}

const GB: u64 = 1 << 30;

fn resolve_with(
    config: &RunConfig,
    decoder: &DecoderConfig,
    (train, valid): (&Sequences, &Sequences),
    memory_available: u64,
) -> Result<Plan> {
    let (disk_free, file_bytes) = (GB, 80_000);
    let around =
        Circumstances { base: "b", decoder, file_bytes, train, valid, memory_available, disk_free, product_rate: 1e11 };
    Plan::resolve(config, &around)
}

fn config(changes: &[&str]) -> RunConfig {
    let mut config = presets::preset("balanced").unwrap();
    for change in ["max_seq_len=128", "lora.rank=4", "warmup_ratio=0.1"].iter().chain(changes) {
        config.set(change).unwrap();
    }
    config
}

fn resolve(changes: &[&str], train: &Sequences) -> Result<Plan> {
    resolve_with(&config(changes), tiny_decoder(1).config(), (train, &rows(&[10, 10])), 8 * GB)
}

#[test]
fn steps_tokens_and_warmup_follow_from_the_rows() {
    // 10 rows of 20 tokens, 4 a step: 3 steps an epoch, 9 in all, 0.1 of them is 1 (rounded).
    let plan = resolve(&["batch_size=4", "epochs=3"], &rows(&[20; 10])).unwrap();
    assert_eq!((plan.steps_per_epoch, plan.total_steps, plan.warmup_steps, plan.valid_every), (3, 9, 1, 3));
    assert_eq!((plan.tokens_per_epoch, plan.trained_tokens_per_epoch, plan.total_tokens), (200, 160, 600));
    assert_eq!((plan.train_rows, plan.valid_rows, plan.longest_row), (10, 2, 20));
}

#[test]
fn max_steps_ends_a_run_before_its_epochs_do() {
    let plan = resolve(&["batch_size=4", "epochs=3", "max_steps=2"], &rows(&[20; 10])).unwrap();
    // Two of three steps of an epoch read about two thirds of its 200 tokens.
    assert_eq!((plan.total_steps, plan.total_tokens), (2, 133));
}

#[test]
fn trainable_parameters_are_rank_times_rows_and_columns() {
    // Tiny model, hidden 32, 2 heads of 16, 1 of them for keys, 48 wide; per layer and rank:
    // q 32+32, k and v 16+32 each, o 32+32, gate and up 48+32 each, down 32+48 = 464; 2 layers, rank 4.
    assert_eq!(resolve(&[], &rows(&[20; 10])).unwrap().trainable_parameters, 464 * 2 * 4);
}

#[test]
fn what_was_left_out_is_said() {
    let mut train = rows(&[20; 30]);
    (train.truncated, train.cut_tokens, train.empty) = (2, 17, 3);
    train.refused = vec![(41, "roles do not alternate".to_owned())];
    let plan = resolve(&[], &train).unwrap();
    let codes: Vec<&str> = plan.warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["truncated", "left_out", "refused"]);
    assert!(plan.warnings[0].message.contains("2 rows") && plan.warnings[0].message.contains("17 tokens"));
    assert!(plan.warnings[2].message.contains("row 41: roles do not alternate"));
    assert_eq!(plan.left_out_rows, 4);
}

#[test]
fn nothing_to_train_on_says_what_became_of_the_rows() {
    let train = Sequences { empty: 2, other_kind: 5, ..Sequences::default() };
    let message = resolve(&[], &train).unwrap_err().to_string();
    assert!(message.contains("2 rows have nothing") && message.contains("5 rows are of a kind"), "{message}");
    assert!(resolve(&[], &Sequences::default()).unwrap_err().to_string().contains("no row is approved"));
}

#[test]
fn rows_longer_than_the_base_model_reads_are_refused() {
    let error = resolve(&["max_seq_len=129"], &rows(&[20; 10])).unwrap_err();
    assert!(error.to_string().contains("`max_seq_len` is 129"), "{error}");
}

#[test]
fn a_plan_that_does_not_fit_says_what_to_change() {
    let decoder = tiny_decoder(1);
    let (train, valid) = (rows(&[100; 30]), rows(&[]));
    let tight = |changes: &[&str]| {
        let plan = resolve_with(&config(changes), decoder.config(), (&train, &valid), 100 << 20).unwrap();
        plan.check_fits(std::path::Path::new("runs")).unwrap_err()
    };
    let error = tight(&["gradient_checkpointing=off"]);
    assert!(matches!(error, TrainError::DoesNotFit { .. }), "{error}");
    assert_eq!(error.hint().unwrap(), "Set `gradient_checkpointing` to `on`");
    let error = tight(&["gradient_checkpointing=on", "stored_weights=off"]);
    assert_eq!(error.hint().unwrap(), "Set `stored_weights` to `on`");
    let error = tight(&["gradient_checkpointing=on", "stored_weights=on"]);
    assert!(error.hint().unwrap().contains("smaller base model"));
}

#[test]
fn checkpointing_is_chosen_only_when_memory_is_short() {
    let decoder = tiny_decoder(1);
    let (train, valid) = (rows(&[100; 400]), rows(&[]));
    let config = config(&["batch_size=400"]);
    let plan = |memory| resolve_with(&config, decoder.config(), (&train, &valid), memory).unwrap();
    let roomy = plan(64 * GB);
    assert!(!roomy.gradient_checkpointing && roomy.micro_batch_tokens == 4096);
    let tight = plan(1);
    assert!(tight.gradient_checkpointing && tight.micro_batch_tokens < 4096 && tight.micro_batch_tokens >= 100);
    assert!(tight.memory_bytes < roomy.memory_bytes);
}

#[test]
fn weights_stay_as_stored_before_activations_are_recomputed() {
    // A model of half a gigabyte whose file is an eighth of that.
    let mut decoder = tiny_decoder(1).config().clone();
    decoder.vocabulary_size = 4_000_000;
    let (train, valid) = (rows(&[100; 4]), rows(&[]));
    let plan = |memory| {
        let around = Circumstances {
            base: "b",
            decoder: &decoder,
            file_bytes: 64 << 20,
            train: &train,
            valid: &valid,
            memory_available: memory,
            disk_free: GB,
            product_rate: 1e11,
        };
        Plan::resolve(&config(&[]), &around).unwrap()
    };
    let roomy = plan(64 * GB);
    let tight = plan(roomy.memory_bytes - 1);
    assert!(!roomy.stored_weights && !roomy.gradient_checkpointing);
    assert!(tight.stored_weights && !tight.gradient_checkpointing, "{tight:?}");
    assert!(roomy.memory_bytes - tight.memory_bytes > 300 << 20);
}

#[test]
fn the_duration_follows_the_machine_and_short_rows_take_more_time_a_token() {
    let (decoder, valid) = (tiny_decoder(1), rows(&[]));
    let seconds = |train: &Sequences, product_rate| {
        let decoder = decoder.config();
        let around = Circumstances {
            base: "b",
            decoder,
            file_bytes: 1 << 20,
            train,
            valid: &valid,
            memory_available: GB,
            disk_free: GB,
            product_rate,
        };
        Plan::resolve(&config(&["batch_size=2"]), &around).unwrap().seconds
    };
    let (short, long) = (rows(&[10; 80]), rows(&[100; 8]));
    assert!((seconds(&short, 1e11) / seconds(&short, 4e11) - 4.0).abs() < 1e-6);
    let ratio = seconds(&short, 1e11) / seconds(&long, 1e11);
    assert!(ratio > 1.5 && ratio < 3.0, "{ratio}");
}

#[test]
fn a_step_never_gets_a_larger_micro_batch_than_asked_for_unless_a_row_is_longer() {
    let asked = |tokens: &str| resolve(&[&format!("micro_batch_tokens={tokens}")], &rows(&[100; 30])).unwrap();
    assert_eq!(asked("150").micro_batch_tokens, 150);
    assert_eq!(asked("50").micro_batch_tokens, 100);
}

#[test]
fn a_plan_for_a_card_says_that_its_figures_are_guesses_and_what_a_card_does_not_train() {
    let plan = resolve(&["device=cuda"], &rows(&[20; 30])).unwrap();
    assert_eq!(plan.device.to_string(), "cuda:0");
    assert!(plan.warnings.iter().any(|warning| warning.code == "card_not_measured"));
    assert!(plan.stored_weights, "what lies in the computer's own memory is read once");
    for precision in ["precision=bf16", "precision=f16"] {
        let half = resolve(&[precision, "device=cuda"], &rows(&[20; 30])).unwrap();
        assert!(half.memory_bytes < plan.memory_bytes);
    }
    for change in ["use_dora=true", "method=full"] {
        let error = resolve(&[change, "device=cuda"], &rows(&[20; 30])).unwrap_err();
        assert!(error.to_string().contains("`cuda:0`") && error.hint().unwrap().contains("`cpu`"), "{error}");
    }
}

#[test]
fn half_the_bits_on_the_processor_are_refused_with_what_saves_memory_there() {
    for precision in ["bf16", "f16"] {
        let error = resolve(&[&format!("precision={precision}")], &rows(&[20; 30])).unwrap_err();
        assert!(error.to_string().contains(&format!("`{precision}` is for graphics cards")), "{error}");
        assert!(error.hint().unwrap().contains("`stored_weights`"), "{error}");
    }
}
