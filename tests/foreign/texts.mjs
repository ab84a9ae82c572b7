// Writes the hard texts on which every tokenizer here must agree with llama.cpp, with llama.cpp's ids:
//
//   HONE_FOREIGN_DIR=<folder with node_modules> node texts.mjs model.gguf > tokens-gemma3.json

import {spawnSync} from "node:child_process";
import {join} from "node:path";

const chosen = [
    "Hello world", " Hello  world ", "\n", "\n\n\nThree lines", "tab\tand\t\ttabs", "trailing   ", "   leading", " ", "  ", "a", "é", "e\u0301",
    "The capital of France is", "don't, can't, won't; it's 3.14159 % of $1,234,567.89",
    "fn main() {\n    println!(\"{}\", 1 << 20);\n}\n", "def f(x):\n\treturn x**2  # square\n", "SELECT * FROM t WHERE a <> 'b' -- c",
    "<html><body class=\"x\">&nbsp;</body></html>", "<table><tr><td>1</td></tr></table>", "C:\\Users\\name\\file.txt", "https://example.org/a?b=c&d=%20#e",
    "法国的首都是哪里？", "他说：“你好，世界！”——然后走了。", "日本語のテキストとカタカナ、ひらがな。", "한국어 문장입니다.", "Привет, мир! Ёлка.", "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก",
    "😀😃😄", "👨‍👩‍👧‍👦 family", "🇫🇷🇯🇵", "👍🏽", "❤️‍🔥", "\u200b\u200czero width\u200d", "\u3000ideographic\u3000space", "\u00a0no-break\u00a0", "\ufeffbom",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕄𝕒𝕥𝕙 ∀x∈ℝ: √x² = |x|", "𠜎𠜱𠝹", "\u0000nul", "\u001b[31mred\u001b[0m", "▁▁visible▁space", "a▁b", "ﬁ ligature Å Å", "ǅ ß ẞ ſ",
    "<bos>", "<eos>", "<pad><unk><mask>", "</s>", "a</s>b", "<end_of_turn>", "<start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>model\n", "<start_of_image>", "<unused42>", "[multimodal]", "<|im_end|><|endoftext|>", "<0x0A><0xFF>",
    "<end_of_turn", "end_of_turn>", "< end_of_turn >", "<<end_of_turn>>", "<h1>Title</h1>\n\n<p>text</p>",
    "\n".repeat(40), " ".repeat(45), "\t".repeat(33), "a" + " ".repeat(7) + "b", "\r\n\r\nwindows\r\n", "\n \n \n", "x\n\n\n\n    y",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789012345678901234567890", "!!!???...,,,;;;:::", "____----====****####", "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis"
];

// A small fixed generator: the texts are the same on every machine.
let state = 12345;
const next = (bound) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >>> 8) % bound;
};
const scraps = [
    "the ", "river", " ferry", "timetable\n", "  ", "\n\n", "\t", "价格", "二十元。", "船长", "カモメ", "は", "🚢", "⚓️", "👩🏾‍🚀", "é", "ñ", "ß", "1024", "3.5", " %", "(", ")", "{", "}", "</td>", "<td>", "<end_of_turn>", "<bos>",
    "</s>", "user", "model", "\n", " ", ".", ",", "\u200d", "\u00a0", "Ω≈ç√", "don't", "ing", "un", "'s", "\"", "\\", "/", "http://", "&amp;", "أهلا", "привет", "한글", "▁", "\ud83c\uddeb", "A", "zz", "Q"
];
const generated = Array.from({length: 240}, () => Array.from({length: 1 + next(24)}, () => scraps[next(scraps.length)]).join(""));

const tokenize = [...chosen, ...generated].flatMap((text) => [{text, special: false}, {text, special: true}]);
const result = spawnSync(process.execPath, [join(import.meta.dirname, "oracle.mjs")], {
    input: JSON.stringify({model: process.argv[2], tokenize}), encoding: "utf8", maxBuffer: 1 << 28, stdio: ["pipe", "pipe", "inherit"]
});
const ids = JSON.parse(result.stdout).tokenize;
const lines = tokenize.map((item, index) => JSON.stringify({...item, ids: ids[index]}));
process.stdout.write("[\n" + lines.join(",\n") + "\n]\n");
