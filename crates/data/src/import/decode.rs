use std::cmp::Ordering;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1250, WINDOWS_1252};

use crate::Issue;
use crate::import::Input;

/// Decodes a text file: by its byte order mark, as UTF-8, as UTF-16 where zero bytes say so, else by what a legacy
/// encoding's letters look like. What was chosen, if not UTF-8, is a remark; what could not be read, an issue.
///
/// # Errors
/// The issue, when this is no text at all.
pub(super) fn decode(input: &Input, issues: &mut Vec<Issue>) -> Result<String, Issue> {
    decode_declared(input, None, issues)
}

/// As [`decode`], where the file says itself what encoding it is in: it is believed unless a byte order mark or valid
/// UTF-8 say otherwise.
///
/// # Errors
/// The issue, when this is no text at all.
pub(super) fn decode_declared(
    input: &Input,
    declared: Option<&'static Encoding>,
    issues: &mut Vec<Issue>,
) -> Result<String, Issue> {
    let bytes = input.bytes;
    let declared = declared.filter(|_| std::str::from_utf8(bytes).is_err());
    let (encoding, bom) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (encoding, length),
        None => (declared.unwrap_or_else(|| guess(bytes)), 0),
    };
    let mixed = if bom == 0 && declared.is_none() { mixed(bytes) } else { None };
    let encoding = if mixed.is_some() { UTF_8 } else { encoding };
    let mut text = match mixed {
        Some((text, other, lines)) => {
            issues.push(Issue::remark(
                "mixed_encodings",
                input.name,
                &format!("line {}", lines[0]),
                match lines.len() {
                    1 => format!("1 line is not in UTF-8 as the others are; it was read as {}", shown(other)),
                    many => {
                        format!("{many} lines are not in UTF-8 as the others are; they were read as {}", shown(other))
                    }
                },
                "If letters look wrong there, save the file as UTF-8 and import it again",
            ));
            text
        }
        None => encoding.decode_without_bom_handling(&bytes[bom..]).0.into_owned(),
    };
    let lost = text.matches('\u{FFFD}').count();
    let controls = text.chars().filter(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{C}')).count();
    let all = text.chars().count();
    if controls * 50 > all || lost * 10 > all {
        return Err(Issue::unreadable(
            "binary_file",
            input.name,
            "This file does not hold text, whatever its name says",
            "Open it in the program that made it, and save it as PDF, DOCX or plain text",
        ));
    }
    if encoding != UTF_8 {
        issues.push(Issue::remark(
            "encoding",
            input.name,
            "",
            format!("The text was read as {}", shown(encoding)),
            "If letters look wrong, save the file as UTF-8 and import it again",
        ));
    }
    if lost > 0 {
        issues.push(Issue::partial(
            "damaged_characters",
            input.name,
            "",
            format!("{lost} characters could not be read and were replaced by `\u{FFFD}`"),
            "Save the file as UTF-8 in the program that made it, and import that",
        ));
    }
    if controls > 0 {
        text.retain(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
        issues.push(Issue::partial(
            "control_characters",
            input.name,
            "",
            match controls {
                1 => "1 control character was left out".to_owned(),
                many => format!("{many} control characters were left out"),
            },
            "Nothing to do, unless the text looks wrong",
        ));
    }
    if text.contains('\r') {
        text = text.replace("\r\n", "\n").replace('\r', "\n");
    }
    Ok(text)
}

fn shown(encoding: &'static Encoding) -> &'static str {
    match encoding.name() {
        "gb18030" | "GBK" => "Chinese GB18030",
        "Big5" => "Chinese Big5",
        "Shift_JIS" => "Japanese Shift-JIS",
        "EUC-JP" => "Japanese EUC-JP",
        "EUC-KR" => "Korean EUC-KR",
        name => name,
    }
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    if bytes.contains(&0)
        && let Some(encoding) = utf16(bytes)
    {
        return encoding;
    }
    let (whole, broken) = letters(bytes);
    if whole > 0 && whole >= broken * 20 { UTF_8 } else { detect(bytes) }
}

fn detect(bytes: &[u8]) -> &'static Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    match detector.guess(None, chardetng::Utf8Detection::Allow) {
        encoding if encoding == WINDOWS_1252 && is_hungarian(bytes) => WINDOWS_1250,
        encoding => encoding,
    }
}

/// Hungarian is taken for a western language: its ő and ű stand where those have õ and û. No language has these beside
/// ö and ü without the letters that Hungarian lacks.
fn is_hungarian(bytes: &[u8]) -> bool {
    let text = WINDOWS_1252.decode_without_bom_handling(bytes).0.to_lowercase();
    let has = |letters: &[char]| text.contains(letters);
    has(&['õ', 'û'])
        && has(&['á', 'é'])
        && has(&['ö', 'ü'])
        && !has(&['ã', 'ä', 'ç', 'ñ', 'è', 'ê', 'à', 'å', 'ø', 'ß'])
}

/// UTF-16 without a mark: in which byte order the text is one of ordinary characters, if in any.
fn utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(1 << 16) & !1];
    let ordinary = |big: bool| {
        let units = sample.chunks_exact(2).map(|pair| if big { [pair[1], pair[0]] } else { [pair[0], pair[1]] });
        let units: Vec<u16> = units.map(u16::from_le_bytes).collect();
        let good = char::decode_utf16(units.iter().copied()).filter(|c| {
            c.as_ref().is_ok_and(|c| {
                matches!(u32::from(*c), 9 | 10 | 13 | 0x20..=0x7E | 0xA0..=0x24F | 0x370..=0x5FF | 0x2010..=0x2033)
                    || crate::text::is_cjk(*c)
                    || matches!(u32::from(*c), 0xAC00..=0xD7A3)
            })
        });
        good.count() as f64 / units.len().max(1) as f64
    };
    // Both orders may look like writing; blanks and full stops stand in one of them only.
    let marks = |big: bool| {
        let unit = |pair: &[u8]| {
            if big { u16::from_be_bytes([pair[0], pair[1]]) } else { u16::from_le_bytes([pair[0], pair[1]]) }
        };
        sample.chunks_exact(2).filter(|pair| matches!(unit(pair), 0x0A | 0x20 | 0x3001 | 0x3002 | 0xFF0C)).count()
    };
    let (little, big) = (ordinary(false), ordinary(true));
    let is_big = match marks(true).cmp(&marks(false)) {
        Ordering::Greater => true,
        Ordering::Less => false,
        Ordering::Equal => big > little,
    };
    let encoding = if is_big { UTF_16BE } else { UTF_16LE };
    (if is_big { big } else { little } > 0.9).then_some(encoding)
}

/// How many multi-byte characters of UTF-8 stand in the text, and how many places that are none. UTF-8 with a few
/// damaged places has many of the first.
fn letters(bytes: &[u8]) -> (usize, usize) {
    let (mut whole, mut broken) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    (whole, broken)
}

/// A text that was put together from files in different encodings: most lines are UTF-8, some are nothing like it.
/// Answers the text, the other encoding and the numbers of its lines.
fn mixed(bytes: &[u8]) -> Option<(String, &'static Encoding, Vec<usize>)> {
    if bytes.contains(&0) || std::str::from_utf8(bytes).is_ok() {
        return None;
    }
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let (mut unicode, mut foreign) = (0, Vec::new());
    for (at, line) in lines.iter().enumerate() {
        match letters(line) {
            (0, 0) => {}
            (whole, broken) if whole >= broken * 2 => unicode += 1,
            _ => foreign.push(at),
        }
    }
    if foreign.is_empty() || unicode < 2 || unicode < foreign.len() {
        return None;
    }
    let others: Vec<u8> = foreign.iter().flat_map(|at| lines[*at]).copied().collect();
    let other = detect(&others);
    let mut text = String::with_capacity(bytes.len());
    for (at, line) in lines.iter().enumerate() {
        let encoding = if foreign.binary_search(&at).is_ok() { other } else { UTF_8 };
        text.push_str(&encoding.decode_without_bom_handling(line).0);
    }
    Some((text, other, foreign.into_iter().map(|at| at + 1).collect()))
}

#[cfg(test)]
mod tests;
