//! Jinja as chat templates use it: minijinja set up to render what Python's Jinja2 renders in Transformers.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Value, context};

use super::ChatMessage;
use crate::error::{ModelError, Result};

/// The date that templates see, so that training and export render the same text on every day.
const PINNED_DATE: &str = "26 Jul 2024";

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
    render_inner(template, tokens, messages, add_generation_prompt)
        .map_err(|source| ModelError::Template { source: Box::new(source) })
}

fn render_inner(
    template: &str,
    tokens: &Tokens,
    messages: &[ChatMessage],
    prompt: bool,
) -> std::result::Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_fuel(Some(5_000_000));
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", |_format: &str| PINNED_DATE);
    environment.add_filter("tojson", to_json);
    let messages: Vec<Value> = messages
        .iter()
        .map(|message| context! { role => message.role.as_str(), content => message.content.as_str() })
        .collect();
    environment.add_template("chat", template)?;
    environment.get_template("chat")?.render(context! {
        messages => messages,
        add_generation_prompt => prompt,
        bos_token => tokens.bos.as_str(),
        eos_token => tokens.eos.as_str(),
        tools => Value::from(()),
    })
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
