use std::collections::HashMap;

use encoding_rs::Encoding;

/// In which encoding the bytes of text are, font by font.
#[derive(Debug)]
pub(super) struct Fonts {
    /// What the file says for all fonts that do not say otherwise.
    pub usual: &'static Encoding,
    by_number: HashMap<i32, &'static Encoding>,
}

impl Default for Fonts {
    fn default() -> Self {
        Self { usual: encoding_rs::WINDOWS_1252, by_number: HashMap::new() }
    }
}

impl Fonts {
    /// A font says which character set it has.
    pub(super) fn set(&mut self, font: i32, charset: i32) {
        if let Some(encoding) = of_charset(charset) {
            self.by_number.insert(font, encoding);
        }
    }

    pub(super) fn encoding(&self, font: i32) -> &'static Encoding {
        self.by_number.get(&font).copied().unwrap_or(self.usual)
    }
}

/// The encoding of a Windows code page.
pub(super) fn of_page(page: i32) -> Option<&'static Encoding> {
    Some(match page {
        874 => encoding_rs::WINDOWS_874,
        932 => encoding_rs::SHIFT_JIS,
        936 => encoding_rs::GBK,
        949 => encoding_rs::EUC_KR,
        950 => encoding_rs::BIG5,
        866 => encoding_rs::IBM866,
        1250 => encoding_rs::WINDOWS_1250,
        1251 => encoding_rs::WINDOWS_1251,
        1252 => encoding_rs::WINDOWS_1252,
        1253 => encoding_rs::WINDOWS_1253,
        1254 => encoding_rs::WINDOWS_1254,
        1255 => encoding_rs::WINDOWS_1255,
        1256 => encoding_rs::WINDOWS_1256,
        1257 => encoding_rs::WINDOWS_1257,
        1258 => encoding_rs::WINDOWS_1258,
        10000 => encoding_rs::MACINTOSH,
        54936 => encoding_rs::GB18030,
        65001 => encoding_rs::UTF_8,
        _ => return None,
    })
}

/// The encoding of a character set as Windows numbers them; `None` for the usual one.
fn of_charset(charset: i32) -> Option<&'static Encoding> {
    of_page(match charset {
        77 => 10000,
        128 => 932,
        129 => 949,
        134 => 936,
        136 => 950,
        161 => 1253,
        162 => 1254,
        163 => 1258,
        177 => 1255,
        178 => 1256,
        186 => 1257,
        204 => 1251,
        222 => 874,
        238 => 1250,
        _ => return None,
    })
}
