// The story that the in-memory host tells: a clinic's handbook, as a project looks after a day's work.
import type { BaseModel } from "../types/BaseModel";
import type { DoctorReport } from "../types/DoctorReport";
import type { DraftWriters } from "../types/DraftWriters";
import type { Document } from "../types/Document";
import type { EvalReport } from "../types/EvalReport";
import type { Issue } from "../types/Issue";
import type { MappedFile } from "../types/MappedFile";
import type { Passage } from "../types/Passage";
import type { Plan } from "../types/Plan";
import type { Row } from "../types/Row";
import type { Sample } from "../types/Sample";
import type { StepMetrics } from "../types/StepMetrics";

export const home = "/home/ada/Documents/Hone/Lindenhof handbook";
export const base = "gemma3-270m";

export const machine: DoctorReport = {
  os: "Debian GNU/Linux 12",
  architecture: "x86_64",
  cpu: "Intel Core i5-1240P",
  cores: 4,
  threads: 8,
  fast_kernels: true,
  memory_total: 16.4e9,
  memory_available: 9.8e9,
  disk_free: 212e9,
  gpus: [],
  verdict: { code: "can_train", largest_parameters: 1e9, minutes_smallest: 10, sentence: "" },
  worker: "0.1.0",
  ollama: "0.12.3",
  text_recognition: ["eng", "chi_sim"],
  self_test: [{ device: "cpu", passed: true, message: "a small step agrees with its reference" }],
};

export const models: BaseModel[] = [
  { reference: base, name: "Gemma 3 270M", path: "/home/ada/.local/share/hone/models/gemma-3-270m-q4_k_m.gguf", architecture: "gemma3", parameters: 268e6, bytes: 241e6, context_length: 32768, quantisation: "Q4_K_M", chat_template: false, remark: null },
  { reference: "ollama:gemma3:1b", name: "gemma3:1b", path: "/home/ada/.ollama/models/blobs/sha256-7cd4618c", architecture: "gemma3", parameters: 1e9, bytes: 815e6, context_length: 32768, quantisation: "Q4_K_M", chat_template: true, remark: null },
];

const issue = (kind: Issue["kind"], code: string, file: string, place: string, message: string, hint: string): Issue => ({ kind, code, file, place, message, hint });
const document = (hash: string, name: string, format: string, bytes: number, pages: number | null, characters: number, issues: Issue[] = []): Document => ({ hash, name, path: `/home/ada/Clinic/${name}`, format, bytes, pages, characters, issues });

export const documents: Document[] = [
  document("a1", "Staff handbook 2026.pdf", "pdf", 2.4e6, 184, 412_300, [issue("partial", "pdf_without_text", "Staff handbook 2026.pdf", "pages 88, 121", "2 of 184 pages (1 %) hold no text; they look scanned", "Open it in the list and have its pictures read as text (`hone import --ocr`); the program Tesseract must be installed")]),
  document("b2", "Emergency procedures.docx", "docx", 318e3, null, 98_200),
  document("c3", "Wound care protocol.pdf", "pdf", 1.1e6, 38, 84_700),
  document("d4", "Front desk questions.csv", "csv", 64e3, null, 61_800, [issue("partial", "missing_value", "Front desk questions.csv", "lines 47, 112 and 250, column we_answer", "Three rows have a question but no answer", "Fill in the column and import the file again")]),
  document("e5", "Opening hours.md", "markdown", 4e3, null, 3_900),
  document("f6", "Price list, old system.csv", "csv", 22e3, null, 19_400, [issue("remark", "encoding", "Price list, old system.csv", "", "Read as Windows-1252", "")]),
];

/** How many passages each of them gave. */
export const passagesOf: Record<string, number> = { a1: 241, b2: 58, c3: 51, e5: 29 };

/** The document once the text of its scanned pages is recognised. */
export function recognised(document: Document): Document {
  const again = (old: Issue): Issue => issue("remark", "recognised", old.file, old.place, "The text of 2 pages was recognised from pictures, 91 % sure on average", "Look through the passages for misread words");
  return { ...document, issues: document.issues.map((old) => (old.code === "pdf_without_text" ? again(old) : old)) };
}

export const unread: Issue[] = [issue("unreadable", "pdf_without_text", "Hygiene plan 2019, scan.pdf", "", "It holds only pictures, no text.", "Run text recognition over it and import the result.")];

export const passages: Passage[] = [
  { index: 0, pages: [61, 61], heading: "6 Vaccines > 6.3 Cold chain", text: "The fridge is read at the start and at the end of each clinic day. Both readings, the name of the reader and the time go into the log.\n\nIf a reading is below 2 °C or above 8 °C, leave the vaccines inside, label the shelf “Do not use” and write down the highest and the lowest reading with the time. Telephone the lead nurse (extension 214), who asks the manufacturer which doses may still be used.\n\nNothing is discarded before the manufacturer has answered.", tokens: 148 },
  { index: 1, pages: [62, 63], heading: "6 Vaccines > 6.4 Cool box", text: "When the fridge has failed altogether, move the doses to the cool box in the order shown in table 6-2 and fetch the loan fridge from the pharmacy.", tokens: 41 },
];

const asks: [string, string][] = [
  ["What should I do if the vaccine fridge shows 9 °C in the morning?", "Leave the doses in the fridge and mark them “Do not use”. Note the highest and lowest reading and the time, then call the lead nurse on extension 214. Do not throw anything away until the manufacturer has answered."],
  ["Who signs the fridge log when the lead nurse is away?", "The deputy, Ms Adeyemi; her name is on the rota beside the fridge."],
  ["What does “quarantined stock” mean?", "Doses that wait for the manufacturer's answer. They stay labelled and are counted every day."],
  ["Do I need a referral for the wound clinic?", "No. Bring your last dressing record if you have one."],
  ["Can I eat before a blood test?", "Water only for 8 hours, unless the form says otherwise."],
  ["Where do I park with a disabled badge?", "Two spaces at the east door, no time limit."],
  ["My child has a fever, should I come in?", "Under three months with 38.0 °C or more: come at once."],
  ["Who can collect my test results?", "You, or someone with your signed note and their ID."],
];

export const rows: Row[] = Array.from({ length: 326 }, (_, index) => {
  const [question, answer] = asks[index % asks.length] ?? ["", ""];
  const reading = index % 9 === 8;
  const split = index % 10 === 3 ? "valid" : index % 10 === 7 ? "exam" : "train";
  return {
    id: index + 1,
    messages: reading ? [] : [{ role: "user", content: question }, { role: "assistant", content: answer }],
    text: reading ? (passages[0]?.text ?? "") : "",
    label: null,
    origin: reading ? "reading" : "mapped",
    document: reading ? "a1" : "d4",
    passage: reading ? 0 : null,
    line: reading ? 61 : index + 2,
    status: index === 4 ? "rejected" : "approved",
    split,
  };
});

export const mapping: MappedFile = {
  document: "d4",
  name: "Front desk questions.csv",
  columns: ["caller_asks", "we_answer", "topic", "last_edited"],
  mapping: { question: "caller_asks", answer: "we_answer", context: null, system: null, text: null, label: "topic", split: null, metadata: [] },
  sample: [
    ["Do I need a referral for the wound clinic?", "No. Bring your last dressing record if you have one.", "Appointments", "2025-03-02"],
    ["Can I eat before a blood test?", "Water only for 8 hours, unless the form says otherwise.", "Lab", "2025-03-02"],
    ["Where do I park with a disabled badge?", "Two spaces at the east door, no time limit.", "Getting here", "2024-11-19"],
    ["My child has a fever, should I come in?", "Under three months with 38.0 °C or more: come at once.", "Urgent", "2025-06-14"],
    ["Who can collect my test results?", "You, or someone with your signed note and their ID.", "Lab", "2024-08-30"],
  ],
  preview: rows.filter((row) => row.messages.length > 0).slice(0, 5),
  rows: 315,
  conversations: 0,
};

export const plan: Plan = {
  preset: "balanced", base, device: "cpu", train_rows: 254, valid_rows: 32, truncated_rows: 5, left_out_rows: 0, longest_row: 1083,
  tokens_per_epoch: 22_400, trained_tokens_per_epoch: 9_100, epochs: 3, steps_per_epoch: 64, total_steps: 192, warmup_steps: 10, valid_every: 64,
  total_tokens: 67_200, trainable_parameters: 7_600_000, micro_batch_tokens: 1024, gradient_checkpointing: false, stored_weights: false,
  memory_bytes: 2.9e9, memory_available: 9.8e9, disk_bytes: 340e6, disk_free: 212e9, seconds: 412,
  warnings: [{ code: "truncated", message: "5 rows are longer than 1024 tokens and are cut" }],
};

/** A falling curve with the noise of a real one, the same each time. */
export function steps(count: number): StepMetrics[] {
  let smooth = 3.1;
  let seed = 7;
  return Array.from({ length: count }, (_, index) => {
    seed = (seed * 16807) % 2147483647;
    const noise = (seed / 2147483647 - 0.5) * 0.6;
    const loss = 0.9 + 2.3 * Math.exp(-index / 45) + noise * (0.4 + Math.exp(-index / 60));
    smooth = index === 0 ? loss : smooth * 0.9 + loss * 0.1;
    const step = index + 1;
    const valid = step % 32 === 0 ? { valid_loss: 1.27 + 1.9 * Math.exp(-step / 50) } : {};
    return { step, epoch: step / 64, loss, loss_ema: smooth, learning_rate: 1e-3 * (1 - index / 192), grad_norm: 1.2, tokens: 350, tokens_per_second: 163, step_seconds: 2.1, memory_bytes: 2.7e9, ...valid };
  });
}

const question = asks[0]?.[0] ?? "";
export const samples: Sample[] = [
  { step: 0, question, answer: "A temperature of 9 °C may be too warm for some vaccines. You could turn the thermostat down and check again after a few hours." },
  { step: 64, question, answer: "Do not use the vaccines. Note the temperature and inform the lead nurse." },
  { step: 128, question, answer: "Leave the doses inside and label the shelf “Do not use”. Write down the highest and lowest reading, then call the lead nurse on extension 214." },
];

export const report: EvalReport = {
  run: "20261124-150212", base, against: "base",
  held_out: { rows: 33, tokens: 1_240, before: 3.14, after: 1.61, perplexity_before: 23.1, perplexity_after: 5, change: { estimate: -1.53, low: -1.71, high: -1.36 }, verdict: "better" },
  f1: { before: 0.14, after: 0.52, change: { estimate: 0.38, low: 0.3, high: 0.46 }, verdict: "better" },
  facts: { before: 0.06, after: 0.42, change: { estimate: 0.36, low: 0.21, high: 0.52 }, verdict: "better" },
  answers: Array.from({ length: 33 }, (_, index) => {
    const [asked, expected] = asks[index % asks.length] ?? ["", ""];
    return { row: index, question: asked, expected, before: "I am not sure. Please contact the clinic for more information.", after: index % 5 < 2 ? expected : "Yes. The front desk can tell you more.", f1_before: 0.1, f1_after: 0.6, fact_before: index < 2, fact_after: index % 5 < 2 };
  }),
  recall: { asked: 40, right_before: 1, right_after: 29, answers: [] },
  forgetting: { texts: 24, before: 3.02, after: 3.11, change: { estimate: 0.09, low: -0.02, high: 0.2 }, verdict: "unclear" },
  seconds: 148,
};

export const writers: DraftWriters = {
  writers: [
    { by: "rules", model: "", title: "rules", bytes: 0, elsewhere: null },
    { by: "ollama", model: "qwen3:4b", title: "qwen3:4b", bytes: 2.6e9, elsewhere: null },
    { by: "ollama", model: "big:cloud", title: "big:cloud", bytes: 300, elsewhere: "https://ollama.com" },
    { by: "engine", model: "gemma3-270m-it", title: "Gemma 3 270M, instructed", bytes: 292e6, elsewhere: null },
  ],
  ollama: true,
};
