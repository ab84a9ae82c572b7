use encoding_rs::*;
use hone_job::Job;

use super::*;
use crate::import::ReadOptions;

const ENGLISH: &str = "The lamp on the pier burns from dusk to dawn. It costs 5 € a night – or “less”.\n";
const GERMAN: &str = "Die Lampe an der Brücke brennt über Nacht. Größere Schäden müssen täglich gemeldet werden.\n";
const FRENCH: &str =
    "La lampe du quai brûle jusqu'à l'aube. Les dégâts sont signalés à la capitainerie dès le matin.\n";
const POLISH: &str =
    "Lampa na nabrzeżu świeci od zmierzchu do świtu. Każdą usterkę należy zgłosić dyżurnemu przed następnym rejsem.\n";
const RUSSIAN: &str =
    "Лампа на пристани горит от заката до рассвета. О каждой поломке сообщают дежурному до следующего рейса.\n";
const GREEK: &str =
    "Η λάμπα στην προβλήτα καίει από το σούρουπο ως την αυγή. Κάθε βλάβη αναφέρεται στον φύλακα του λιμανιού.\n";
const TURKISH: &str = "İskeledeki lamba akşamdan sabaha kadar yanar. Her arıza bir sonraki seferden önce nöbetçiye bildirilir, çünkü ışık gereklidir.\n";
const HEBREW: &str = "המנורה על הרציף דולקת מהדמדומים ועד השחר. על כל תקלה מדווחים לשומר הנמל לפני ההפלגה הבאה.\n";
const ARABIC: &str = "يضيء المصباح على الرصيف من الغسق حتى الفجر. يجب الإبلاغ عن كل عطل قبل الرحلة التالية.\n";
const THAI: &str = "โคมไฟบนท่าเรือติดตั้งแต่พลบค่ำจนถึงรุ่งเช้า ต้องแจ้งความเสียหายก่อนเที่ยวเรือถัดไป\n";
const CHINESE: &str = "码头上的灯从黄昏一直亮到黎明，由港口值班员看管。灯坏了要在下一班船开出之前修好。\n";
const TAIWANESE: &str = "碼頭上的燈從黃昏一直亮到黎明，由港口值班員看管。燈壞了要在下一班船開出之前修好。\n";
const JAPANESE: &str = "桟橋のランプは夕暮れから夜明けまで灯っています。故障は次の出航までに修理してください。\n";
const KOREAN: &str = "부두의 등불은 해질녘부터 새벽까지 켜져 있습니다. 고장은 다음 출항 전에 수리해야 합니다.\n";

const SPANISH: &str =
    "La lámpara del muelle arde desde el anochecer. ¿Quién la apagó? El año pasado se rompió más de una vez.\n";
const PORTUGUESE: &str =
    "A lâmpada do cais não se apaga até à manhã. As avarias são comunicadas à capitania, e o óleo é trocado.\n";
const ITALIAN: &str =
    "La lampada del molo è accesa fino all'alba. Perché si è rotta? Ciò va detto più in là, in città.\n";
const SWEDISH: &str =
    "Lampan på bryggan brinner från skymning till gryning. Större skador måste anmälas före nästa färja över sjön.\n";
const DANISH: &str =
    "Lampen på molen brænder fra skumring til gry. Større skader skal meldes før næste færge sejler ud på søen.\n";
const FINNISH: &str =
    "Laiturin lamppu palaa hämärästä aamunkoittoon. Jokaisesta viasta ilmoitetaan päivystäjälle ennen lähtöä.\n";
const CZECH: &str = "Lampa na molu svítí od soumraku do úsvitu. Každou závadu je třeba nahlásit před příští plavbou, řekl přístavní dozorčí.\n";
const HUNGARIAN: &str = "A mólón lévő lámpa alkonyattól hajnalig ég. Minden hibát jelenteni kell az ügyeletesnek a következő hajó indulása előtt, különben fizetünk.\n";
const SLOVAK: &str = "Lampa na móle svieti od súmraku do úsvitu. Každú poruchu treba nahlásiť pred ďalšou plavbou, hovorí správca prístavu.\n";
const CROATIAN: &str = "Svjetiljka na molu gori od sumraka do zore. Svaki kvar treba prijaviti dežurnom prije sljedeće plovidbe, kaže čuvar luke.\n";
const UKRAINIAN: &str = "Лампа на пристані горить від заходу сонця до світанку. Про кожну поломку повідомляють чергового до наступного рейсу, її лагодять.\n";
const BULGARIAN: &str =
    "Лампата на кея свети от здрач до зори. За всяка повреда се съобщава на дежурния преди следващия курс на кораба.\n";
const LITHUANIAN: &str = "Lempa ant prieplaukos dega nuo sutemų iki aušros. Apie kiekvieną gedimą reikia pranešti budėtojui prieš kitą reisą, kad žvejai grįžtų.\n";
const LATVIAN: &str = "Lampa uz mola deg no krēslas līdz rītausmai. Par katru bojājumu jāziņo dežurantam pirms nākamā reisa, lai kuģi atgrieztos.\n";

fn decoded(bytes: &[u8]) -> (Result<String, Issue>, Vec<Issue>) {
    let mut issues = Vec::new();
    let input = Input { name: "t.txt", bytes, options: &ReadOptions::default(), job: &Job::silent() };
    (decode(&input, &mut issues), issues)
}

fn utf16(text: &str, big: bool, bom: bool) -> Vec<u8> {
    let mark = if bom { "\u{FEFF}" } else { "" };
    let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
    mark.encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
}

#[test]
fn unicode_is_read_with_and_without_its_mark() {
    for text in [ENGLISH, GERMAN, RUSSIAN, CHINESE, JAPANESE, KOREAN] {
        let text = text.repeat(2);
        for (bytes, named) in [
            (text.clone().into_bytes(), false),
            (format!("\u{FEFF}{text}").into_bytes(), false),
            (utf16(&text, false, true), true),
            (utf16(&text, true, true), true),
            (utf16(&text, false, false), true),
            (utf16(&text, true, false), true),
        ] {
            let (found, issues) = decoded(&bytes);
            assert_eq!(found.unwrap(), text);
            assert_eq!(issues.iter().any(|issue| issue.code == "encoding"), named);
        }
    }
}

#[test]
fn legacy_encodings_are_told_by_their_letters_and_remarked() {
    for (text, encoding) in [
        (ENGLISH, WINDOWS_1252),
        (GERMAN, WINDOWS_1252),
        (FRENCH, WINDOWS_1252),
        (POLISH, WINDOWS_1250),
        (POLISH, ISO_8859_2),
        (RUSSIAN, WINDOWS_1251),
        (RUSSIAN, KOI8_U),
        (RUSSIAN, IBM866),
        (RUSSIAN, ISO_8859_5),
        (GREEK, WINDOWS_1253),
        (TURKISH, WINDOWS_1254),
        (HEBREW, WINDOWS_1255),
        (ARABIC, WINDOWS_1256),
        (THAI, WINDOWS_874),
        (CHINESE, GBK),
        (CHINESE, GB18030),
        (TAIWANESE, BIG5),
        (JAPANESE, SHIFT_JIS),
        (JAPANESE, EUC_JP),
        (JAPANESE, ISO_2022_JP),
        (KOREAN, EUC_KR),
    ] {
        let text = text.repeat(3);
        let (bytes, _, lossy) = encoding.encode(&text);
        assert!(!lossy, "{}: {text}", encoding.name());
        let (found, issues) = decoded(&bytes);
        assert_eq!(found.unwrap(), text, "{}", encoding.name());
        assert_eq!(issues[0].code, "encoding", "{}", encoding.name());
    }
}

/// Long and short texts of many languages in the encodings that they were written in before UTF-8. All but one in a
/// hundred must be told right; which were not is printed.
#[test]
fn of_many_texts_in_old_encodings_hardly_one_is_taken_for_another() {
    let cases = [
        (ENGLISH, vec![WINDOWS_1252]),
        (GERMAN, vec![WINDOWS_1252]),
        (FRENCH, vec![WINDOWS_1252]),
        (SPANISH, vec![WINDOWS_1252]),
        (PORTUGUESE, vec![WINDOWS_1252]),
        (ITALIAN, vec![WINDOWS_1252]),
        (SWEDISH, vec![WINDOWS_1252]),
        (DANISH, vec![WINDOWS_1252]),
        (FINNISH, vec![WINDOWS_1252]),
        (POLISH, vec![WINDOWS_1250, ISO_8859_2]),
        (CZECH, vec![WINDOWS_1250, ISO_8859_2]),
        (HUNGARIAN, vec![WINDOWS_1250, ISO_8859_2]),
        (SLOVAK, vec![WINDOWS_1250]),
        (CROATIAN, vec![WINDOWS_1250]),
        (RUSSIAN, vec![WINDOWS_1251, KOI8_U, IBM866, ISO_8859_5]),
        (UKRAINIAN, vec![WINDOWS_1251]),
        (BULGARIAN, vec![WINDOWS_1251]),
        (GREEK, vec![WINDOWS_1253]),
        (TURKISH, vec![WINDOWS_1254]),
        (HEBREW, vec![WINDOWS_1255]),
        (ARABIC, vec![WINDOWS_1256]),
        (LITHUANIAN, vec![WINDOWS_1257]),
        (LATVIAN, vec![WINDOWS_1257]),
        (THAI, vec![WINDOWS_874]),
        (CHINESE, vec![GBK, GB18030]),
        (TAIWANESE, vec![BIG5]),
        (JAPANESE, vec![SHIFT_JIS, EUC_JP, ISO_2022_JP]),
        (KOREAN, vec![EUC_KR]),
    ];
    let (mut all, mut wrong) = (0, Vec::new());
    for (text, encodings) in cases {
        for encoding in encodings {
            for times in [1, 3, 40] {
                let text = text.repeat(times);
                let text_start: String = text.chars().take(20).collect();
                let (bytes, _, lossy) = encoding.encode(&text);
                assert!(!lossy, "{}: {text}", encoding.name());
                all += 1;
                if decoded(&bytes).0.ok() != Some(text) {
                    wrong.push(format!("{} x{times}: {}", encoding.name(), text_start));
                }
            }
        }
    }
    assert!(all >= 48 && wrong.len() * 100 <= all, "{} of {all}: {wrong:?}", wrong.len());
}

#[test]
fn a_few_damaged_bytes_do_not_make_utf_8_something_else() {
    let mut bytes = CHINESE.repeat(4).into_bytes();
    bytes[31] = 0xFF;
    let (found, issues) = decoded(&bytes);
    assert!(found.unwrap().contains("由港口值班员看管"));
    assert_eq!(issues.iter().map(|issue| issue.code.as_str()).collect::<Vec<_>>(), ["damaged_characters"]);
}

#[test]
fn line_ends_become_plain_and_binary_is_refused() {
    assert_eq!(decoded(b"a\r\nb\rc\n").0.unwrap(), "a\nb\nc\n");
    let binary: Vec<u8> = (0..2000u32).map(|n| (n * n * 7 + n) as u8).collect();
    assert_eq!(decoded(&binary).0.unwrap_err().code, "binary_file");
}
