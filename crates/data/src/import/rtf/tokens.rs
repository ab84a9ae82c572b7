/// One piece of a Rich Text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `{`
    Open,
    /// `}`
    Close,
    /// `\name` with its number.
    Word(&'a [u8], Option<i32>),
    /// `\~`, `\*` and the like.
    Symbol(u8),
    /// A byte of text, written as it is or as `\'hh`.
    Byte(u8),
}

/// The tokens of a file; line ends between them say nothing, and binary data is passed over.
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
}

/// Names of control words are shorter.
const MAX_NAME: usize = 32;

impl<'a> Tokens<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn word(&mut self) -> Token<'a> {
        let letters = self.rest.iter().take(MAX_NAME).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let (name, rest) = self.rest.split_at(letters);
        let sign = usize::from(rest.first() == Some(&b'-'));
        let digits = rest[sign..].iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
        let number = (digits > 0).then(|| {
            let digits = rest[sign..sign + digits].iter().fold(0i64, |all, digit| all * 10 + i64::from(digit - b'0'));
            (if sign == 1 { -digits } else { digits }).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
        });
        self.rest = &rest[if digits > 0 { sign + digits } else { 0 }..];
        // One space ends the word and belongs to it.
        self.rest = self.rest.strip_prefix(b" ").unwrap_or(self.rest);
        if name == b"bin" {
            let length = usize::try_from(number.unwrap_or(0)).unwrap_or(0).min(self.rest.len());
            self.rest = &self.rest[length..];
        }
        Token::Word(name, number)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let (first, rest) = self.rest.split_first()?;
            self.rest = rest;
            return Some(match first {
                b'{' => Token::Open,
                b'}' => Token::Close,
                b'\r' | b'\n' | 0 => continue,
                b'\\' => match rest.first() {
                    Some(byte) if byte.is_ascii_alphabetic() => self.word(),
                    Some(b'\'') => {
                        let hex = |at: usize| rest.get(at).and_then(|byte| char::from(*byte).to_digit(16));
                        if let (Some(high), Some(low)) = (hex(1), hex(2)) {
                            self.rest = &rest[3..];
                            Token::Byte((high * 16 + low) as u8)
                        } else {
                            self.rest = &rest[1..];
                            continue;
                        }
                    }
                    Some(symbol @ (b'\\' | b'{' | b'}')) => {
                        self.rest = &rest[1..];
                        Token::Byte(*symbol)
                    }
                    Some(symbol) => {
                        self.rest = &rest[1..];
                        Token::Symbol(*symbol)
                    }
                    None => return None,
                },
                byte => Token::Byte(*byte),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_bytes_and_binary_data_are_told_apart() {
        let tokens: Vec<_> = Tokens::of(b"{\\f-2 a\\'e9\\{\r\n\\~\\bin3 }}}\\par}\\").collect();
        assert_eq!(
            tokens,
            [
                Token::Open,
                Token::Word(b"f", Some(-2)),
                Token::Byte(b'a'),
                Token::Byte(0xE9),
                Token::Byte(b'{'),
                Token::Symbol(b'~'),
                Token::Word(b"bin", Some(3)),
                Token::Word(b"par", None),
                Token::Close,
            ]
        );
    }
}
