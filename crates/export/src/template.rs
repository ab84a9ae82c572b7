//! A chat template in the form that Ollama runs (Go's text/template), found by asking the Jinja template.
//!
//! Conversations of marked texts are rendered; what stands between the marks is the template. What comes out is checked
//! against the Jinja template on longer conversations, so a template that is not this regular is refused, never guessed.

use hone_model::{ChatFormat, ChatMessage};

use crate::error::{ExportError, Result};

/// The texts between the contents of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoTemplate {
    /// Before the first user's content when there is no system text.
    head: String,
    /// Before the system text, and between it and the first user's content; `None` when the template refuses system texts.
    system: Option<(String, String)>,
    /// Between a user's content and the answer.
    ask: String,
    /// Between an answer and the next user's content.
    next: String,
}

/// Marks that no template changes, longest common parts none.
const MARKS: [&str; 6] = ["XsystemX", "QfirstQ", "AoneA", "QsecondQ", "AtwoA", "QthirdQ"];

impl GoTemplate {
    /// Reads the template of `format`.
    ///
    /// # Errors
    /// [`ExportError::IrregularTemplate`] when it does more than put texts around contents.
    pub fn probe(format: &ChatFormat, bos: &str) -> Result<Self> {
        let [system, first, one, second, ..] = MARKS;
        let render = |messages: &[ChatMessage], prompt| -> Result<String> {
            let rendered = format.render(messages, prompt)?;
            Ok(rendered.strip_prefix(bos).map_or(rendered.clone(), str::to_owned))
        };
        let turns = conversation(&[("user", first), ("assistant", one), ("user", second)]);
        let rendered = render(&turns, true)?;
        let irregular = |found: &str| ExportError::IrregularTemplate {
            messages: turns.len(),
            expected: rendered.clone(),
            found: found.to_owned(),
        };
        let (head, rest) = rendered.split_once(first).ok_or_else(|| irregular("a user's text once"))?;
        let (ask, rest) = rest.split_once(one).ok_or_else(|| irregular("an answer once"))?;
        let (next, _) = rest.split_once(second).ok_or_else(|| irregular("a user's text once"))?;
        let with_system = render(&conversation(&[("system", system), ("user", first)]), true).ok();
        let system = with_system.and_then(|text| {
            let (before, rest) = text.split_once(system)?;
            let (between, _) = rest.split_once(first)?;
            Some((before.to_owned(), between.to_owned()))
        });
        let template = Self { head: head.to_owned(), system, ask: ask.to_owned(), next: next.to_owned() };
        template.check(&render)?;
        Ok(template)
    }

    /// Compares with the Jinja template on conversations of one to five turns.
    fn check(&self, render: &impl Fn(&[ChatMessage], bool) -> Result<String>) -> Result<()> {
        let [system, first, one, second, two, third] = MARKS;
        let turns = [("user", first), ("assistant", one), ("user", second), ("assistant", two), ("user", third)];
        for length in [1, 3, 5] {
            for with_system in [false, true] {
                if with_system && self.system.is_none() {
                    continue;
                }
                let mut messages = conversation(&turns[..length]);
                if with_system {
                    messages.insert(0, ChatMessage::new("system", system));
                }
                let (expected, found) = (render(&messages, true)?, self.render(&messages));
                if expected != found {
                    return Err(ExportError::IrregularTemplate { messages: messages.len(), expected, found });
                }
            }
        }
        Ok(())
    }

    /// What Ollama renders from [`GoTemplate::text`] for a conversation that ends with a user, without BOS.
    pub fn render(&self, messages: &[ChatMessage]) -> String {
        let content = |role: &str| messages.iter().find(|message| message.role == role).map(|m| m.content.as_str());
        let mut text = match (content("system"), &self.system) {
            (Some(system), Some((before, between))) => format!("{before}{system}{between}"),
            _ => self.head.clone(),
        };
        for (index, message) in messages.iter().enumerate().filter(|(_, message)| message.role != "system") {
            text.push_str(&message.content);
            if message.role == "user" {
                text.push_str(&self.ask);
            } else if index + 1 < messages.len() {
                text.push_str(&self.next);
            }
        }
        text
    }

    /// The template for Ollama. It uses only what every Ollama since 0.1.34 understands.
    pub fn text(&self) -> String {
        let head = literal(&self.head);
        let start = match &self.system {
            Some((before, between)) => format!(
                "{{{{ if .System }}}}{}{{{{ .System }}}}{}{{{{ else }}}}{head}{{{{ end }}}}",
                literal(before),
                literal(between)
            ),
            None => head,
        };
        format!(
            "{start}{{{{ range $i, $_ := .Messages }}}}{{{{ $last := eq (len (slice $.Messages $i)) 1 }}}}\
             {{{{ if eq .Role \"user\" }}}}{{{{ .Content }}}}{}\
             {{{{ else if eq .Role \"assistant\" }}}}{{{{ .Content }}}}{{{{ if not $last }}}}{}{{{{ end }}}}\
             {{{{ end }}}}{{{{ end }}}}",
            literal(&self.ask),
            literal(&self.next)
        )
    }
}

fn conversation(turns: &[(&str, &str)]) -> Vec<ChatMessage> {
    turns.iter().map(|(role, content)| ChatMessage::new(*role, *content)).collect()
}

/// Text of a template; braces that Go would take for its own are written as a Go string.
fn literal(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}
