// Drafts behind the pages: written, decided on, taken back.
import type { Decided } from "../types/Decided";
import type { DraftingState } from "../types/DraftingState";
import type { DraftNote } from "../types/DraftNote";
import type { ReviewState } from "../types/ReviewState";
import type { Row } from "../types/Row";
import type { RowStatus } from "../types/RowStatus";

type Told = [kind: DraftNote["kind"], question: string, answer: string, quote: string];
const english: Told[] = [
  ["fact", "What should I do if the vaccine fridge shows 9 °C in the morning?", "Leave the doses in the fridge, mark the shelf “Do not use”, note the highest and lowest reading with the time, and call the lead nurse on extension 214.", "leave the vaccines inside, label the shelf “Do not use” and write down the highest and the lowest reading with the time. Telephone the lead nurse (extension 214)"],
  ["procedure", "Who signs the fridge log when the lead nurse is away?", "The deputy signs it.", "the deputy signs the log"],
  ["definition", "What does “discarded” mean for vaccines?", "Nothing is discarded before the manufacturer has answered.", "Nothing is discarded before the manufacturer has answered."],
  ["refusal", "Which brand of data logger does the clinic use?", "The handbook does not say which brand the clinic uses.", ""],
  ["fact", "What is the extension of the lead nurse?", "The lead nurse is on extension 214.", "Telephone the lead nurse (extension 214)"],
];
const chinese: Told[] = [
  ["fact", "疫苗冰箱早上显示 9 °C 时该怎么办？", "把疫苗留在冰箱里，在架子上标明“请勿使用”，记下最高和最低读数及时间，并打分机 214 给护士长。", "leave the vaccines inside, label the shelf “Do not use” and write down the highest and the lowest reading with the time. Telephone the lead nurse (extension 214)"],
  ["procedure", "护士长不在时由谁在冰箱记录上签字？", "由副护士长签字。", "the deputy signs the log"],
  ["definition", "“报废”在这里指什么？", "厂家答复之前什么都不扔。", "Nothing is discarded before the manufacturer has answered."],
  ["refusal", "诊所用的是哪个牌子的温度记录仪？", "手册没有说明用的是哪个牌子。", ""],
  ["fact", "护士长的分机号是多少？", "护士长的分机是 214。", "Telephone the lead nurse (extension 214)"],
];

export class FakeDrafts {
  #notes = new Map<number, DraftNote>();
  #writer = "ollama:qwen3:4b";
  #read = new Set<number>();
  #decisions: { ids: number[]; before: RowStatus[] }[] = [];
  #scene: string;
  #told: Told[];
  #next = 1001;

  constructor(scene: string, zh: boolean) {
    this.#scene = scene;
    this.#told = zh ? chinese : english;
  }

  /** The drafts that are there when the window opens. */
  rows(): Row[] {
    return this.#scene === "waiting" || this.#scene === "failed" ? this.write(this.#writer) : [];
  }

  write(writer: string): Row[] {
    this.#writer = writer;
    return Array.from({ length: 24 }, (_, index) => {
      const [kind, question, answer, quote] = this.#told[index % this.#told.length] ?? ["fact", "", "", ""];
      const grounding = kind === "refusal" ? "no_quote" : kind === "procedure" ? "missing" : "found";
      return this.#row({ kind, quote, grounding, writer, parent: null }, question, answer, "a1");
    });
  }

  derive(rows: Row[]): Row[] {
    return rows.filter((row) => row.status === "approved" && row.messages.length > 0).slice(0, 4).map((row) => this.#row({ kind: "synonyms", quote: "", grounding: "no_quote", writer: "words", parent: row.id }, row.messages[0]?.content ?? "", row.messages[1]?.content ?? "", "a1"));
  }

  #row(note: Omit<DraftNote, "row">, question: string, answer: string, document: string): Row {
    const id = this.#next++;
    this.#notes.set(id, { row: id, ...note });
    return { id, messages: [{ role: "user", content: question }, { role: "assistant", content: answer }], text: "", label: null, origin: "drafted", document, passage: 0, line: 61, status: "draft", split: "train" };
  }

  note(id: number): DraftNote | undefined {
    return this.#notes.get(id);
  }

  state(rows: Row[]): DraftingState {
    const own = rows.filter((row) => this.#notes.get(row.id)?.parent === null);
    const failures = this.#scene === "failed" ? [{ document: "Staff handbook 2026.pdf", passage: 143, page: 112, heading: "9 Rota > 9.2 Swaps", tries: 3, reason: "the answer is not JSON: EOF while parsing a string at line 1 column 812; it begins `{\"drafts\": [{\"kind\": \"fact\"`" }, { document: "Wound care protocol.pdf", passage: 7, page: 6, heading: "2 Dressings", tries: 3, reason: "the answer was cut off after 1600 tokens" }] : [];
    const half = this.#scene === "failed";
    return {
      passages: 379,
      drafts: own.length,
      writers: own.length === 0 ? [] : [{ writer: this.#writer, done: half ? 246 : 370, nothing: 9, failed: failures.length, drafts: own.length, not_grounded: own.filter((row) => this.#notes.get(row.id)?.grounding === "missing").length, prompt_tokens: this.#writer === "rules" ? 0 : 412_000, answer_tokens: this.#writer === "rules" ? 0 : 61_300, seconds: 1840, failures }],
    };
  }

  review(rows: Row[]): ReviewState {
    const own = rows.filter((row) => row.origin === "drafted");
    const count = (status: RowStatus): number => own.filter((row) => row.status === status).length;
    return { waiting: count("draft"), approved: count("approved"), rejected: count("rejected"), read: own.filter((row) => this.#read.has(row.id)).length, wanted: Math.ceil(own.length * 0.05) };
  }

  decide(rows: Row[], status: RowStatus, single: boolean): Decided {
    const ids = rows.map((row) => row.id);
    this.#decisions.push({ ids, before: rows.map((row) => row.status) });
    for (const row of rows) row.status = status;
    if (single) for (const id of ids) this.#read.add(id);
    return { ids, status };
  }

  undo(rows: Row[]): Decided | null {
    const last = this.#decisions.pop();
    if (!last) return null;
    last.ids.forEach((id, at) => {
      const row = rows.find((each) => each.id === id);
      if (row) row.status = last.before[at] ?? "draft";
      this.#read.delete(id);
    });
    return { ids: last.ids, status: last.before[0] ?? null };
  }
}
