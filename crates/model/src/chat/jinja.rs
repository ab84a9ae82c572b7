//! Jinja as chat templates use it: minijinja set up to render what Python's Jinja2 renders in Transformers.

use std::borrow::Cow;
use std::time::Duration;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value, context};

use super::ChatMessage;
use super::guarded::{self, Overrun};
use crate::error::{ModelError, Result};

/// The date that templates see, so that training and export render the same text on every day.
const PINNED_DATE: &str = "26 Jul 2024";

/// The longest template that is taken, bytes.
const MAX_TEMPLATE_BYTES: usize = 1 << 20;
/// How much longer than its messages a rendered conversation may be, bytes.
const MAX_RENDERED_BYTES: usize = 4 << 20;
/// Steps that a template may take; published ones take some hundreds for each message.
const FUEL: u64 = 5_000_000;
/// What a template may hold in memory, besides its messages; bytes.
const MEMORY: usize = 64 << 20;
/// How long a template may take. Rendering takes milliseconds; this is for busy machines.
const TIME: Duration = Duration::from_secs(20);

/// A text that does not grow without bound.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
}

impl std::io::Write for Limited {
    fn write(&mut self, more: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + more.len() > self.limit {
            return Err(std::io::Error::other("the text is far longer than the messages in it"));
        }
        self.bytes.extend_from_slice(more);
        Ok(more.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a template is rendered with besides the messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) bos: String,
    pub(super) eos: String,
}

/// Renders `template` for `messages`.
pub(super) fn render(
    template: &str,
    tokens: &Tokens,
    messages: &[ChatMessage],
    add_generation_prompt: bool,
) -> Result<String> {
    let (template, tokens, messages) = (template.to_owned(), tokens.clone(), messages.to_owned());
    let memory = MEMORY + 64 * messages.iter().map(|message| message.content.len()).sum::<usize>();
    let rendered = move || render_inner(&template, &tokens, &messages, add_generation_prompt);
    let overrun = |overrun| {
        let problem = match overrun {
            Overrun::Memory => "it needs far more memory than the messages",
            Overrun::Time => "it does not come to an end",
            Overrun::Panicked => "it makes the template engine fail",
        };
        Err(Error::new(ErrorKind::InvalidOperation, problem))
    };
    let rendered = guarded::run(memory, TIME, rendered).unwrap_or_else(overrun);
    rendered.map_err(|source| ModelError::Template { source: Box::new(source) })
}

fn render_inner(
    template: &str,
    tokens: &Tokens,
    messages: &[ChatMessage],
    prompt: bool,
) -> std::result::Result<String, Error> {
    if template.len() > MAX_TEMPLATE_BYTES {
        let problem = format!("the template is {} bytes long, at most {MAX_TEMPLATE_BYTES} are read", template.len());
        return Err(Error::new(ErrorKind::InvalidOperation, problem));
    }
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_fuel(Some(FUEL));
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", |_format: &str| PINNED_DATE);
    environment.add_filter("tojson", to_json);
    let limit = MAX_RENDERED_BYTES + 16 * messages.iter().map(|message| message.content.len()).sum::<usize>();
    let messages: Vec<Value> = messages
        .iter()
        .map(|message| context! { role => message.role.as_str(), content => message.content.as_str() })
        .collect();
    let template = without_generation_marks(template);
    environment.add_template("chat", &template)?;
    let values = context! {
        messages => messages,
        add_generation_prompt => prompt,
        bos_token => tokens.bos.as_str(),
        eos_token => tokens.eos.as_str(),
        tools => Value::from(()),
        documents => Value::from(()),
    };
    let mut text = Limited { bytes: Vec::new(), limit };
    environment.get_template("chat")?.render_captured_to(values, &mut text)?;
    String::from_utf8(text.bytes).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// The template with `{% generation %}` and `{% endgeneration %}`, Transformers' own tags around what the assistant says, as a condition
/// that always holds: what is trained is found out otherwise here.
fn without_generation_marks(template: &str) -> Cow<'_, str> {
    if !template.contains("generation") {
        return Cow::Borrowed(template);
    }
    let mut parts = template.split("{%");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("{%");
        let inner = part.trim_start_matches(['-', '+']);
        let sign = &part[..part.len() - inner.len()];
        let (space, inner) = inner.split_at(inner.len() - inner.trim_start().len());
        let rest = |name: &str| {
            let rest = inner.strip_prefix(name)?;
            rest.trim_start().trim_start_matches(['-', '+']).starts_with("%}").then_some(rest)
        };
        match (rest("generation"), rest("endgeneration")) {
            (Some(rest), _) => text.extend([sign, space, "if true", rest]),
            (None, Some(rest)) => text.extend([sign, space, "endif", rest]),
            (None, None) => text.push_str(part),
        }
    }
    Cow::Owned(text)
}

fn raise_exception(message: String) -> std::result::Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// Python's `json.dumps(value, ensure_ascii=False)`, as Transformers sets it up.
fn to_json(value: &Value, options: Kwargs) -> std::result::Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let mut text = String::new();
    write_json(value, indent, 0, &mut text)?;
    Ok(text)
}

fn write_json(value: &Value, indent: Option<usize>, depth: usize, out: &mut String) -> std::result::Result<(), Error> {
    let broken = |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    let line = |out: &mut String, depth: usize| {
        if let Some(indent) = indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent * depth));
        }
    };
    let comma = if indent.is_some() { "," } else { ", " };
    match value.kind() {
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => {
            let is_map = value.kind() == ValueKind::Map;
            let (open, close) = if is_map { ('{', '}') } else { ('[', ']') };
            out.push(open);
            let mut empty = true;
            for item in value.try_iter()? {
                if !empty {
                    out.push_str(comma);
                }
                empty = false;
                line(out, depth + 1);
                if is_map {
                    out.push_str(&serde_json::to_string(&item.to_string()).map_err(broken)?);
                    out.push_str(": ");
                    write_json(&value.get_item(&item)?, indent, depth + 1, out)?;
                } else {
                    write_json(&item, indent, depth + 1, out)?;
                }
            }
            if !empty {
                line(out, depth);
            }
            out.push(close);
        }
        ValueKind::String => {
            out.push_str(&serde_json::to_string(value.as_str().unwrap_or_default()).map_err(broken)?);
        }
        ValueKind::None | ValueKind::Undefined => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&value.to_string()),
        other => return Err(Error::new(ErrorKind::BadSerialization, format!("{other} has no JSON form"))),
    }
    Ok(())
}
