//! Personal details: what they look like, and what takes their place.

mod checksums;
mod find;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::text::is_cjk_letter;

pub(super) use find::find;

/// A kind of personal detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum PersonalKind {
    /// E-mail address.
    Email,
    /// Telephone number.
    Phone,
    /// Number of an identity paper: Chinese resident identity card, US social security, Spanish DNI and NIE, Brazilian
    /// CPF, French NIR, Indian Aadhaar. Where the number carries a checksum, it has to hold.
    Identity,
    /// Bank account (IBAN, with its checksum).
    Account,
    /// Payment card (with its checksum).
    Card,
    /// Network address (IPv4 or IPv6) of the public network.
    Ip,
}

impl PersonalKind {
    /// All kinds; where two are found in the same place, the earlier one counts.
    pub const ALL: [Self; 6] = [Self::Email, Self::Account, Self::Identity, Self::Card, Self::Ip, Self::Phone];

    /// The stable code, as in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Identity => "identity",
            Self::Account => "account",
            Self::Card => "card",
            Self::Ip => "ip",
        }
    }

    /// What takes its place.
    pub fn placeholder(self, chinese: bool) -> &'static str {
        match (self, chinese) {
            (Self::Email, false) => "[e-mail]",
            (Self::Email, true) => "[邮箱]",
            (Self::Phone, false) => "[telephone]",
            (Self::Phone, true) => "[电话]",
            (Self::Identity, false) => "[identity number]",
            (Self::Identity, true) => "[证件号]",
            (Self::Account, false) => "[bank account]",
            (Self::Account, true) => "[银行账号]",
            (Self::Card, false) => "[card number]",
            (Self::Card, true) => "[卡号]",
            (Self::Ip, false) => "[IP address]",
            (Self::Ip, true) => "[IP 地址]",
        }
    }
}

/// A personal detail in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Detail {
    /// Which kind.
    pub kind: PersonalKind,
    /// Where, bytes.
    pub range: std::ops::Range<usize>,
}

/// Passes after which a text is left as it is: a detail comes to light when the one that it hung on is masked.
const PASSES: usize = 16;

/// The text with placeholders, in the text's language, in the place of the details that are looked for.
pub(super) fn masked(text: &str, kinds: &[PersonalKind], own: &[String]) -> String {
    let chinese = text.chars().any(is_cjk_letter);
    let mut now = text.to_owned();
    for _ in 0..PASSES {
        let details = find(&now, kinds, own);
        if details.is_empty() {
            break;
        }
        let mut out = String::with_capacity(now.len());
        let mut at = 0;
        for detail in details {
            out.push_str(&now[at..detail.range.start]);
            out.push_str(detail.kind.placeholder(chinese));
            at = detail.range.end;
        }
        now = out + &now[at..];
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_placeholder_in_the_texts_language_takes_the_place_and_is_no_detail_itself() {
        let masked = |text: &str| masked(text, &PersonalKind::ALL, &[]);
        let text = "Call +49 170 5550142 or write to a.halder@lindenhof.example within two hours.";
        let once = masked(text);
        assert_eq!(once, "Call [telephone] or write to [e-mail] within two hours.");
        assert_eq!(masked(&once), once);
        assert_eq!(masked("联系张医生：13800138000，邮箱 zhang@clinic.example。"), "联系张医生：[电话]，邮箱 [邮箱]。");
    }

    #[test]
    fn your_own_details_and_kinds_that_are_not_asked_for_stay() {
        let own = ["@lindenhof.example".to_owned(), "+49 30 1234567".to_owned()];
        let text = "desk@lindenhof.example, +49 (30) 123-4567, +49 170 5550142";
        assert_eq!(masked(text, &PersonalKind::ALL, &own), "desk@lindenhof.example, +49 (30) 123-4567, [telephone]");
        assert_eq!(masked(text, &[PersonalKind::Email], &[]), "[e-mail], +49 (30) 123-4567, +49 170 5550142");
    }
}
