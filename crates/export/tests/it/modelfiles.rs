//! The Modelfile and the template in it.

use std::path::Path;

use hone_export::{ExportError, ExportRequest, GoTemplate, Modelfile, Quantisation, modelfile_of};
use hone_model::{ChatFormat, ChatMessage, chat::FormatOrigin};

use crate::starter::starter;

#[test]
fn the_modelfile_of_a_gemma_holds_its_turn_form() {
    let Some(starter) = starter() else { return };
    let request = ExportRequest {
        base: &starter.file,
        adapter: None,
        format: &starter.format,
        tokenizer: &starter.tokenizer,
        quantisation: Quantisation::F16,
        folder: Path::new("unused"),
        context: 2048,
        system: Some("You know the handbook of the \"Fenholm\" ferries."),
        free_bytes: None,
    };
    insta::assert_snapshot!(modelfile_of(&request).unwrap().text().unwrap());
}

/// What Ollama renders from a template, written down from the meaning of Go's text/template.
#[test]
fn the_template_renders_what_was_trained() {
    let Some(starter) = starter() else { return };
    let template = GoTemplate::probe(&starter.format, "<bos>").unwrap();
    let messages = [
        ChatMessage::new("system", "S"),
        ChatMessage::new("user", "U1"),
        ChatMessage::new("assistant", "A1"),
        ChatMessage::new("user", "U2"),
    ];
    let expected = "<start_of_turn>user\nS\n\nU1<end_of_turn>\n<start_of_turn>model\nA1<end_of_turn>\n<start_of_turn>user\nU2<end_of_turn>\n<start_of_turn>model\n";
    assert_eq!(template.render(&messages), expected);
    assert_eq!(template.render(&messages[1..2]), "<start_of_turn>user\nU1<end_of_turn>\n<start_of_turn>model\n");
}

fn format(jinja: &str) -> Option<ChatFormat> {
    let starter = starter()?;
    Some(ChatFormat::new(jinja.to_owned(), FormatOrigin::Embedded, &starter.tokenizer).unwrap())
}

#[test]
fn a_template_with_turns_of_its_own_for_the_system_text_is_read_too() {
    let jinja = "{% for m in messages %}<start_of_turn>{{ m['role'] }}\n{{ m['content'] }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>assistant\n{% endif %}";
    let Some(format) = format(jinja) else { return };
    let template = GoTemplate::probe(&format, "<bos>").unwrap();
    let messages = [ChatMessage::new("system", "S"), ChatMessage::new("user", "U")];
    assert_eq!(
        template.render(&messages),
        "<start_of_turn>system\nS<end_of_turn>\n<start_of_turn>user\nU<end_of_turn>\n<start_of_turn>assistant\n"
    );
    insta::assert_snapshot!(template.text());
}

#[test]
fn a_template_that_counts_turns_is_refused_and_not_guessed() {
    let jinja = "{% for m in messages %}<start_of_turn>{{ m['role'] }} {{ loop.index }}\n{{ m['content'] }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>assistant {{ messages | length + 1 }}\n{% endif %}";
    let Some(format) = format(jinja) else { return };
    assert!(matches!(GoTemplate::probe(&format, "<bos>"), Err(ExportError::IrregularTemplate { .. })));
}

#[test]
fn braces_in_a_template_stay_text_for_go() {
    let jinja = "{% for m in messages %}<start_of_turn>{{ m['role'] }} {{ '{{' }}x}}\n{{ m['content'] }}<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>assistant {{ '{{' }}x}}\n{% endif %}";
    let Some(format) = format(jinja) else { return };
    let text = GoTemplate::probe(&format, "<bos>").unwrap().text();
    assert!(text.starts_with("{{ if .System }}<start_of_turn>system {{ \"{{\" }}x}}\n{{ .System }}"), "{text}");
}

fn modelfile(system: &str) -> Modelfile {
    Modelfile {
        from: "./model.gguf".to_owned(),
        adapter: None,
        template: "{{ .Prompt }}".to_owned(),
        stops: vec!["<end_of_turn>".to_owned()],
        system: Some(system.to_owned()),
        context: 512,
        temperature: 0.3,
    }
}

#[test]
fn characters_that_ollamas_parser_drops_are_named() {
    // Families of emoji are joined by U+200D; U+3000 is the space of Chinese and Japanese text.
    let lost = modelfile("👩\u{200D}🚀 你好\u{3000}世界\u{A0}\n\t é ﷺ").lost_characters();
    assert_eq!(lost, ['\u{A0}', '\u{200D}', '\u{3000}']);
    assert_eq!(modelfile("Grüße, 世界! 😀").lost_characters(), []);
}

#[test]
fn a_text_that_the_grammar_cannot_hold_is_refused() {
    for text in ["a\"\"\"", "a\"\"\"  \nb"] {
        assert!(matches!(modelfile(text).text(), Err(ExportError::Unwritable { what: "the system text" })), "{text}");
    }
    assert!(modelfile("some \"\"\" inside and one \" at the end \"").text().is_ok());
}
