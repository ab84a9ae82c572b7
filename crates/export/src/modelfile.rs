//! The Modelfile of an export: what `ollama create NAME -f Modelfile` reads.

use crate::error::{ExportError, Result};

/// What a Modelfile says.
#[derive(Debug, Clone, PartialEq)]
pub struct Modelfile {
    /// The model file, relative to the Modelfile; the base model where there is an adapter.
    pub from: String,
    /// An adapter's file on that model, relative to the Modelfile.
    pub adapter: Option<String>,
    /// The chat template in Ollama's form.
    pub template: String,
    /// Texts that end an answer.
    pub stops: Vec<String>,
    /// The one system text that all training rows had, if they had one.
    pub system: Option<String>,
    /// Longest conversation, tokens.
    pub context: u32,
    /// How freely answers vary; 0 is always the likeliest.
    pub temperature: f32,
}

impl Modelfile {
    /// The file's text.
    ///
    /// # Errors
    /// [`ExportError::Unwritable`] for a text that ends a line in three quotes: the grammar has no escapes.
    pub fn text(&self) -> Result<String> {
        let mut lines = vec![
            "# Made by Hone. Create the model with: ollama create NAME -f Modelfile".to_owned(),
            format!("FROM {}", self.from),
        ];
        lines.extend(self.adapter.iter().map(|adapter| format!("ADAPTER {adapter}")));
        lines.push(format!("TEMPLATE {}", quoted("the chat template", &self.template)?));
        if let Some(system) = &self.system {
            lines.push(format!("SYSTEM {}", quoted("the system text", system)?));
        }
        for stop in &self.stops {
            lines.push(format!("PARAMETER stop {}", quoted("the end of a turn", stop)?));
        }
        lines.push(format!("PARAMETER num_ctx {}", self.context));
        lines.push(format!("PARAMETER temperature {}", self.temperature));
        // Ollama's own default changed in 2026; the model was trained without any penalty.
        lines.push("PARAMETER repeat_penalty 1.0".to_owned());
        Ok(lines.join("\n") + "\n")
    }

    /// The characters that Ollama's parser drops from this file without a word, each once. Its API keeps them.
    pub fn lost_characters(&self) -> Vec<char> {
        let texts = [Some(&self.template), self.system.as_ref()].into_iter().flatten().chain(&self.stops);
        let mut lost: Vec<char> = texts.flat_map(|text| text.chars()).filter(|letter| is_dropped(*letter)).collect();
        lost.sort_unstable();
        lost.dedup();
        lost
    }
}

/// A value between three quotes, which keep it exactly.
fn quoted(what: &'static str, text: &str) -> Result<String> {
    // A value ends at the first line end after which the text so far ends in three quotes.
    if text.lines().any(|line| line.trim_end().ends_with("\"\"\"")) {
        return Err(ExportError::Unwritable { what });
    }
    Ok(format!("\"\"\"{text}\"\"\""))
}

/// Whether Go's `strconv.IsPrint` refuses a character and it is none of the three that Ollama's parser keeps anyway:
/// controls, spaces other than U+0020, format characters, private use.
fn is_dropped(letter: char) -> bool {
    if matches!(letter, '\n' | '\t' | ' ') {
        return false;
    }
    letter.is_control()
        || letter.is_whitespace()
        || matches!(letter,
            '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E000}'..='\u{F8FF}' | '\u{E0000}'..='\u{E007F}' | '\u{F0000}'..='\u{10FFFF}')
}
