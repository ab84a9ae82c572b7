//! Names that Ollama accepts: `[namespace/]model[:tag]`.

use crate::error::{ExportError, Result};

/// Checks a model's name before anything is uploaded.
///
/// # Errors
/// [`ExportError::BadName`] saying which rule it breaks.
pub fn check_name(name: &str) -> Result<()> {
    let bad = |problem| Err(ExportError::BadName { name: name.to_owned(), problem });
    let parts: Vec<&str> = name.split('/').collect();
    let Some((last, namespaces)) = parts.split_last() else { return bad("it is empty") };
    if namespaces.len() > 2 {
        return bad("it has more than two slashes");
    }
    let (model, tag) = last.split_once(':').map_or((*last, None), |(model, tag)| (model, Some(tag)));
    for part in namespaces.iter().copied().chain([model]).chain(tag) {
        let Some(first) = part.chars().next() else { return bad("a part of it is empty") };
        if part.len() > 80 {
            return bad("a part of it is longer than 80 characters");
        }
        if !first.is_ascii_alphanumeric() && first != '_' {
            return bad("a part of it does not begin with a letter, a digit or `_`");
        }
        if !part.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.')) {
            return bad("only letters, digits, `-`, `_` and `.` are allowed");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_ollama_takes_pass_and_others_say_which_rule_they_break() {
        for name in ["handbook", "my-handbook:v1.2", "someone/model_2:latest", "host/someone/model", "_x"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "x".repeat(81);
        for name in ["", "手册", "a b", "-a", "a:", "/a", "a/b/c/d", "../a", "a:b:c", "a\"b", &long] {
            assert!(matches!(check_name(name), Err(ExportError::BadName { .. })), "{name}");
        }
    }
}
