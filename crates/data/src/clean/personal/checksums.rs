//! Check digits. Each function takes the bare characters, without blanks and hyphens.

fn digits(text: &str) -> Option<Vec<u32>> {
    text.chars().map(|c| c.to_digit(10)).collect()
}

/// Luhn's formula (ISO/IEC 7812), as on payment cards.
pub(super) fn luhn(number: &str) -> bool {
    let Some(digits) = digits(number) else { return false };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| match (at % 2, digit * 2) {
            (0, _) => *digit,
            (_, twice) if twice > 9 => twice - 9,
            (_, twice) => twice,
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}

/// The remainder of an alphanumeric number by 97 after ISO 7064; letters count from 10.
fn remainder_97(number: &str) -> Option<u32> {
    number.chars().try_fold(0, |rest, c| {
        let value = c.to_digit(36)?;
        Some(if value < 10 { rest * 10 + value } else { rest * 100 + value } % 97)
    })
}

/// IBAN (ISO 13616): the length that its country writes, and the check digits.
pub(super) fn iban(number: &str) -> bool {
    let Some((country, rest)) = number.split_at_checked(2) else { return false };
    let known = IBAN_LENGTHS.iter().find(|(code, _)| *code == country);
    let Some((check, account)) = rest.split_at_checked(2) else { return false };
    known.is_some_and(|(_, length)| *length == number.len())
        && remainder_97(&format!("{account}{country}{check}")) == Some(1)
}

/// Countries that write IBANs, with their length, from the registry of ISO 13616.
const IBAN_LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("XK", 20),
];

/// Chinese resident identity number (GB 11643): region, a date of birth that exists, and the check character.
pub(super) fn chinese_identity(number: &str) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let Some((body, check)) = number.split_at_checked(17) else { return false };
    let Some(digits) = digits(body) else { return false };
    let part = |range: std::ops::Range<usize>| body[range].parse::<u32>().unwrap_or(0);
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    let expected = "10X98765432".as_bytes()[(sum % 11) as usize] as char;
    check.len() == 1
        && check.eq_ignore_ascii_case(&expected.to_string())
        && (11..=82).contains(&part(0..2))
        && exists(part(6..10), part(10..12), part(12..14))
}

fn exists(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1850..=2100).contains(&year) && (1..=days).contains(&day)
}

/// US social security number: no checksum, but parts that were never given out.
pub(super) fn us_social_security(area: u32, group: u32, serial: u32) -> bool {
    area != 0 && area != 666 && area < 900 && group != 0 && serial != 0
}

/// Spanish DNI (`12345678Z`) or NIE (`X1234567L`).
pub(super) fn spanish_identity(number: &str) -> bool {
    let (Some(first), Some(letter)) = (number.chars().next(), number.chars().last()) else { return false };
    if !number.is_ascii() || number.len() != 9 {
        return false;
    }
    let body = match first {
        'X' => format!("0{}", &number[1..8]),
        'Y' => format!("1{}", &number[1..8]),
        'Z' => format!("2{}", &number[1..8]),
        _ => number[..8].to_owned(),
    };
    let letters = "TRWAGMYFPDXBNJZSQVHLCKE";
    body.parse::<usize>().is_ok_and(|body| letters.as_bytes()[body % 23] as char == letter)
}

/// Brazilian CPF: two check digits by 11.
pub(super) fn brazilian_cpf(number: &str) -> bool {
    let Some(digits) = digits(number).filter(|digits| digits.len() == 11) else { return false };
    let check = |count: usize| {
        let sum: u32 =
            digits[..count].iter().zip((2..=count as u32 + 1).rev()).map(|(digit, weight)| digit * weight).sum();
        sum * 10 % 11 % 10
    };
    check(9) == digits[9] && check(10) == digits[10] && digits.iter().any(|digit| *digit != digits[0])
}

/// French NIR, 15 digits: the last two are 97 minus the rest by 97; Corsican departments count as 19 and 18.
pub(super) fn french_nir(number: &str) -> bool {
    let number = number.to_ascii_uppercase().replacen("2A", "19", 1).replacen("2B", "18", 1);
    let Some((body, key)) = number.split_at_checked(13).filter(|(_, key)| key.len() == 2) else { return false };
    let (Ok(body_number), Ok(key)) = (body.parse::<u64>(), key.parse::<u64>()) else { return false };
    97 - body_number % 97 == key && matches!(&body[..1], "1" | "2")
}

/// Indian Aadhaar, 12 digits: Verhoeff's check digit.
pub(super) fn aadhaar(number: &str) -> bool {
    const TURNS: [u32; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let Some(digits) = digits(number).filter(|digits| digits.len() == 12 && digits[0] > 1) else { return false };
    let rest = digits.iter().rev().enumerate().fold(0, |rest, (at, digit)| {
        let turned = (0..at % 8).fold(*digit, |digit, _| TURNS[digit as usize]);
        dihedral(rest, turned)
    });
    rest == 0
}

/// Product in the dihedral group of order 10, as Verhoeff numbers its elements.
fn dihedral(a: u32, b: u32) -> u32 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The numbers are those that the schemes' own documents use as examples, or were calculated by hand.

    #[test]
    fn cards_pass_the_luhn_test_and_a_wrong_digit_fails() {
        let numbers =
            [("411111111111111", '1'), ("555555555555444", '4'), ("37828224631000", '5'), ("601111111111111", '7')];
        for (number, check) in numbers {
            let right: Vec<char> = ('0'..='9').filter(|digit| luhn(&format!("{number}{digit}"))).collect();
            assert_eq!(right, [check], "{number}");
        }
        assert!(!luhn("0000000000000000"));
    }

    #[test]
    fn ibans_have_their_countrys_length_and_check_digits() {
        for number in
            ["GB29NWBK60161331926819", "DE89370400440532013000", "FR1420041010050500013M02606", "NO9386011117947"]
        {
            assert!(iban(number), "{number}");
        }
        for number in ["GB29NWBK60161331926818", "DE8937040044053201300", "ZZ89370400440532013000", "DE", ""] {
            assert!(!iban(number), "{number}");
        }
    }

    #[test]
    fn chinese_identity_numbers_have_a_date_and_a_check_character() {
        assert!(chinese_identity("11010519491231002X"));
        assert!(chinese_identity("11010519491231002x"));
        assert!(chinese_identity("440524188001010014"));
        for number in [
            "110105194912310021",
            "11010519491331002X",
            "99010519491231002X",
            "1101051949123100",
            "",
            "11010519491231002XX",
        ] {
            assert!(!chinese_identity(number), "{number}");
        }
    }

    #[test]
    fn identity_numbers_of_other_countries_hold_their_checks() {
        assert!(
            us_social_security(78, 5, 1120) && !us_social_security(666, 12, 3456) && !us_social_security(900, 12, 3456)
        );
        assert!(spanish_identity("12345678Z") && spanish_identity("X1234567L") && !spanish_identity("12345678A"));
        assert!(brazilian_cpf("11144477735") && !brazilian_cpf("11144477736") && !brazilian_cpf("11111111111"));
        assert!(french_nir("255081416802538") && !french_nir("255081416802539"));
        assert!(aadhaar("234123412346") && !aadhaar("234123412345"));
    }
}
