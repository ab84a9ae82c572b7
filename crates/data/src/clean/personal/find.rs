//! Where personal details stand in a text.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::checksums;
use super::{Detail, PersonalKind};

fn regex(pattern: &str) -> Regex {
    // Every pattern is a constant of this file and a test compiles them all.
    #[allow(clippy::expect_used)]
    Regex::new(pattern).expect("a constant pattern")
}

static EMAIL: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}")
});
static ACCOUNT: LazyLock<Regex> = LazyLock::new(|| regex(r"[A-Z]{2}[0-9]{2}(?:[ \-]?[A-Z0-9]){11,30}"));
static CARD: LazyLock<Regex> = LazyLock::new(|| regex(r"[2-6][0-9]{3}(?:[ \-]?[0-9]){9,15}"));
static CHINESE: LazyLock<Regex> = LazyLock::new(|| regex(r"[1-8][0-9]{16}[0-9Xx]"));
static SOCIAL_SECURITY: LazyLock<Regex> = LazyLock::new(|| regex(r"([0-9]{3})[- ]([0-9]{2})[- ]([0-9]{4})"));
static SPANISH: LazyLock<Regex> = LazyLock::new(|| regex(r"(?:[0-9]{8}|[XYZ]-?[0-9]{7})-?[A-Z]"));
static BRAZILIAN: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"));
static FRENCH: LazyLock<Regex> =
    LazyLock::new(|| regex(r"[12] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[ABab]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"));
static AADHAAR: LazyLock<Regex> = LazyLock::new(|| regex(r"[2-9][0-9]{3}[ \-][0-9]{4}[ \-][0-9]{4}"));
static IPV4: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"));
static IPV6: LazyLock<Regex> = LazyLock::new(|| regex(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*"));
/// Telephone numbers in the ways of several countries, each with the marks that tell it from other numbers.
static PHONES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // International: +49 170 5550142, +86-138-0013-8000, +1 (202) 555-0143, 0086 …
        r"(?:\+|00)[1-9][0-9]{0,2}(?:[ \-./]?\(?[0-9]{1,5}\)?){2,6}",
        // China: mobile, and landline with its area.
        r"1[3-9][0-9][ \-]?[0-9]{4}[ \-]?[0-9]{4}",
        r"\(?0[1-9][0-9]{1,2}\)?[ \-][0-9]{7,8}",
        r"400[ \-][0-9]{3}[ \-][0-9]{4}",
        // North America.
        r"\(?[2-9][0-9]{2}\)?[ \-.][2-9][0-9]{2}[ \-.][0-9]{4}",
        // Europe and others with a leading 0 and blanks, hyphens or slashes: 0170 555 0142, 030/1234567, 01 23 45 67 89.
        r"\(?0[1-9][0-9]{0,4}\)?(?:[ \-/.][0-9]{2,8}){1,5}",
        // Japan: 03-1234-5678, 090-1234-5678; UK: 07700 900123.
        r"0[0-9]{4} [0-9]{6}",
    ]
    .into_iter()
    .map(regex)
    .collect()
});

/// The details of these kinds in order, without those in `own` (a whole detail, digits and letters compared, or a part
/// of it); they do not overlap.
pub(in crate::clean) fn find(text: &str, kinds: &[PersonalKind], own: &[String]) -> Vec<Detail> {
    if !text.bytes().any(|byte| byte.is_ascii_digit() || byte == b'@' || byte == b':') {
        return Vec::new();
    }
    let mut found: BTreeMap<usize, Detail> = BTreeMap::new();
    for kind in PersonalKind::ALL {
        for range in of_kind(text, kind) {
            let before = found.range(..range.end).next_back();
            let free = before.is_none_or(|(_, other)| other.range.end <= range.start);
            if free && is_bounded(text, &range) {
                found.insert(range.start, Detail { kind, range });
            }
        }
    }
    let wanted = |detail: &Detail| kinds.contains(&detail.kind) && !is_own(&text[detail.range.clone()], own);
    found.into_values().filter(wanted).collect()
}

fn of_kind(text: &str, kind: PersonalKind) -> Vec<Range<usize>> {
    let all = |pattern: &Regex, holds: &dyn Fn(&str) -> bool| -> Vec<Range<usize>> {
        pattern.find_iter(text).filter(|found| holds(found.as_str())).map(|found| found.range()).collect()
    };
    match kind {
        PersonalKind::Email => all(&EMAIL, &|_| true),
        PersonalKind::Account => {
            ACCOUNT.find_iter(text).filter_map(|found| longest_iban(found.as_str(), found.start())).collect()
        }
        PersonalKind::Card => all(&CARD, &|found| {
            let bare = bare(found);
            (13..=19).contains(&bare.len()) && is_evenly_grouped(found) && checksums::luhn(&bare)
        }),
        PersonalKind::Identity => {
            let mut found = all(&CHINESE, &checksums::chinese_identity);
            found.extend(all(&SOCIAL_SECURITY, &|found| {
                let parts: Vec<u32> = found.split(['-', ' ']).filter_map(|part| part.parse().ok()).collect();
                // Blanks part all kinds of numbers; only hyphens speak for this one.
                found.contains('-')
                    && matches!(parts[..], [area, group, serial] if checksums::us_social_security(area, group, serial))
            }));
            found.extend(all(&SPANISH, &|found| checksums::spanish_identity(&bare(found))));
            found.extend(all(&BRAZILIAN, &|found| checksums::brazilian_cpf(&bare(found))));
            found.extend(all(&FRENCH, &|found| checksums::french_nir(&bare(found))));
            found.extend(all(&AADHAAR, &|found| checksums::aadhaar(&bare(found))));
            found
        }
        PersonalKind::Ip => {
            let mut found = all(&IPV4, &|found| found.parse().is_ok_and(is_public_v4));
            found.extend(all(&IPV6, &|found| found.parse().is_ok_and(is_public_v6)));
            found
        }
        PersonalKind::Phone => {
            PHONES.iter().flat_map(|pattern| all(pattern, &|found| (7..=15).contains(&digits(found)))).collect()
        }
    }
}

/// Letters and digits only, as checksums want them.
fn bare(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

/// Words may follow an account number after a blank: its longest beginning that holds is the number.
fn longest_iban(found: &str, start: usize) -> Option<Range<usize>> {
    let mut end = found.len();
    loop {
        if checksums::iban(&bare(&found[..end])) {
            return Some(start..start + end);
        }
        end = found[..end].rfind([' ', '-'])?;
    }
}

/// `1234 5678 …` is a card, `12 34 5678` is something else: groups are of four digits, or as on the shorter cards.
fn is_evenly_grouped(found: &str) -> bool {
    let groups: Vec<usize> = found.split([' ', '-']).map(str::len).collect();
    let (last, others) = groups.split_last().unwrap_or((&0, &[]));
    others.is_empty()
        || (others.iter().all(|length| *length == 4) && *last <= 4)
        || groups == [4, 6, 5]
        || groups == [4, 6, 4]
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    // Small first numbers are versions (1.2.3.4) far more often than addresses.
    first > 9
        && first < 224
        && !shared
        && !(address.is_private() || address.is_loopback() || address.is_link_local() || address.is_documentation())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let first = address.segments()[0];
    (0x2000..0x4000).contains(&first) && !(first == 0x2001 && address.segments()[1] == 0x0DB8)
}

/// Neither a letter, a digit nor a sign that joins numbers stands around it, so that it is not a part of something else.
fn is_bounded(text: &str, range: &Range<usize>) -> bool {
    let joins = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut before = text[..range.start].chars().rev();
    let mut after = text[range.end..].chars();
    let (last, next) = (before.next(), after.next());
    let number_before =
        matches!(last, Some('-' | '.' | '/' | ',' | ':')) && before.next().is_some_and(|c| c.is_ascii_digit());
    let number_after =
        matches!(next, Some('-' | '.' | '/' | ',' | ':')) && after.next().is_some_and(|c| c.is_ascii_digit());
    !(last.is_some_and(|c| joins(c) || c == '+' || c == '=')
        || next.is_some_and(joins)
        || number_before
        || number_after)
}

fn is_own(detail: &str, own: &[String]) -> bool {
    let plain = |text: &str| bare(text).to_ascii_lowercase();
    let lower = detail.to_lowercase();
    own.iter()
        .map(|own| own.trim())
        .filter(|own| own.len() > 2)
        .any(|own| lower.contains(&own.to_lowercase()) || (digits(own) > 4 && plain(detail) == plain(own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(PersonalKind, &str)> {
        find(text, &PersonalKind::ALL, &[]).into_iter().map(|detail| (detail.kind, &text[detail.range])).collect()
    }

    #[test]
    fn telephone_numbers_of_several_countries_are_found() {
        for number in [
            "+49 170 5550142",
            "0170 555 0142",
            "030/1234567",
            "+86 138 0013 8000",
            "13800138000",
            "138-0013-8000",
            "010-62345678",
            "0755 26001234",
            "400-810-1234",
            "+1 (202) 555-0143",
            "(202) 555-0143",
            "202-555-0143",
            "+44 20 7946 0958",
            "07700 900123",
            "020 7946 0958",
            "01 23 45 67 89",
            "+33 1 23 45 67 89",
            "03-1234-5678",
            "090-1234-5678",
            "+81 90 1234 5678",
            "+91 98765 43210",
            "0049 170 5550142",
            "+55 11 91234-5678",
        ] {
            let text = format!("Ring {number}, please.");
            assert_eq!(found(&text), [(PersonalKind::Phone, number)], "{text}");
        }
        assert_eq!(found("电话：13800138000。"), [(PersonalKind::Phone, "13800138000")]);
    }

    #[test]
    fn addresses_accounts_cards_and_papers_are_found() {
        use PersonalKind::{Account, Card, Email, Identity, Ip};
        for (kind, detail) in [
            (Email, "a.halder+x@mail.lindenhof.example"),
            (Account, "DE89 3704 0044 0532 0130 00"),
            (Account, "GB29NWBK60161331926819"),
            (Card, "4111 1111 1111 1111"),
            (Card, "378282246310005"),
            (Card, "3782 822463 10005"),
            (Identity, "11010519491231002X"),
            (Identity, "078-05-1120"),
            (Identity, "12345678Z"),
            (Identity, "X1234567L"),
            (Identity, "111.444.777-35"),
            (Identity, "2 55 08 14 168 025 38"),
            (Identity, "2341 2341 2346"),
            (Ip, "93.184.216.34"),
            (Ip, "2606:2800:220:1:248:1893:25c8:1946"),
        ] {
            let text = format!("See {detail} (new).");
            assert_eq!(found(&text), [(kind, detail)], "{text}");
        }
        assert_eq!(found("Pay to DE89 3704 0044 0532 0130 00 AND WRITE"), [(Account, "DE89 3704 0044 0532 0130 00")]);
    }

    #[test]
    fn other_numbers_are_left_alone() {
        for text in [
            "In 2024, 1,234,567 people; pages 12-34, 1999-2004.",
            "Version 1.2.3.4, at 12:30:45, on 2026-11-27 or 27.11.2026 or 27/11/2026.",
            "192.168.0.1, 10.0.0.7, 127.0.0.1, 203.0.113.5, 2001:db8::1, fe80::1, ::1",
            "ISBN 978-3-16-148410-0, order 4111111111111112, 1234 5678 9012 3456",
            "110105194912310021 is no identity number, 666-12-3456 neither.",
            "3.14159265358979, 0.0012345678, 6.02214076e23, 0x1F4A",
            "GB29NWBK60161331926818, part no. X1234567A, id_13800138000, sha 13800138000ab",
            "@name, a@b, user@host",
            "Dose: 500 mg 3 times in 24 hours, 1000 ml in 8 h, -80 °C, 5 × 10 × 20 cm",
            "std::vec::Vec, a::b::c, f(x)::y",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn a_long_run_of_digits_takes_no_time_and_no_place() {
        assert_eq!(found(&"1234567890".repeat(20_000)), []);
        assert_eq!(found(&"+1 ".repeat(50_000)).len(), 0);
    }
}
