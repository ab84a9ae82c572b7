// What the cleaning rules find in the story's rows.
import type { CleanOptions } from "../types/CleanOptions";
import type { Details } from "../types/Details";
import type { Rule } from "../types/Rule";
import type { RuleHits } from "../types/RuleHits";
import type { RuleVerdict } from "../types/RuleVerdict";

export const options: CleanOptions = {
  characters: { letters_and_digits_only: false },
  width: { nfkc: false },
  boilerplate: { documents: 3, lines: [] },
  personal: { action: "mask", kinds: ["email", "account", "identity", "card", "ip", "phone"], own: [] },
  near_duplicates: { threshold: 0.8, numbers_differ: true },
  too_short: { min_tokens: 4 },
  too_long: { max_tokens: 2048, action: "drop" },
  language: { keep: [] },
  balance: { ratio: 3, seed: 42 },
  perplexity: { threshold: 150 },
  contradictions: { action: "flag" },
  leaks: { action: "flag" },
};

type Found = Partial<Pick<RuleHits, "changed" | "dropped" | "flagged">> & { verdicts?: Omit<RuleVerdict, "rule">[]; details?: Details };
const hits = (rule: Rule, { verdicts = [], details = { bars: [], quantiles: [] }, ...counts }: Found = {}): RuleHits => ({
  rule, applied: false, changed: 0, dropped: 0, flagged: 0, made: 0, kept: 0, ...counts, verdicts: verdicts.map((verdict) => ({ ...verdict, rule })), details, options,
});
const change = (row: number, before: string, after: string): Omit<RuleVerdict, "rule"> => ({ row, action: "change", before, after, related: null });
const drop = (row: number, before: string, related: number | null = null): Omit<RuleVerdict, "rule"> => ({ row, action: "drop", before, after: "", related });
const flag = (row: number, before: string, related: number): Omit<RuleVerdict, "rule"> => ({ row, action: "flag", before, after: before, related });

const results = "Who can collect my test results?\n\nYou, or someone with your signed note and their ID.";

/** As the worker would find them. */
export const rules: RuleHits[] = [
  hits("html"),
  hits("characters", { changed: 3, verdicts: [change(61, "6.3 Cold chain ............ 61\n\nThe fridge is read twice a day.", "6.3 Cold chain … 61\n\nThe fridge is read twice a day.")] }),
  hits("width"),
  hits("hyphenation", { changed: 14, verdicts: [change(88, "Both readings, the name of the read-\ner and the time go into the log.", "Both readings, the name of the reader and the time go into the log.")] }),
  hits("whitespace", { changed: 21, verdicts: [change(18, "Do I need  a referral for the wound clinic?\n\nNo.   Bring your last dressing record if you have one. ", "Do I need a referral for the wound clinic?\n\nNo. Bring your last dressing record if you have one."), change(40, "Can I eat\u00a0before a blood test?  ", "Can I eat before a blood test?")] }),
  hits("boilerplate", { changed: 31, verdicts: [change(97, "Lindenhof day clinic, page 62 of 184\nWhen the fridge has failed altogether, move the doses to the cool box.", "When the fridge has failed altogether, move the doses to the cool box.")] }),
  hits("personal", {
    changed: 38,
    verdicts: [change(12, "For a needlestick injury call the occupational physician, Dr. Halder, on 0170 555 0142 or write to a.halder@lindenhof.example within two hours.", "For a needlestick injury call the occupational physician, Dr. Halder, on [telephone] or write to [e-mail] within two hours."), change(33, "联系张医生：13800138000。", "联系张医生：[电话]。")],
    details: { bars: [{ name: "email", rows: 17, out: 0 }, { name: "phone", rows: 31, out: 0 }, { name: "identity", rows: 9, out: 0 }, { name: "account", rows: 4, out: 0 }], quantiles: [] },
  }),
  hits("duplicates", { dropped: 6, verdicts: [drop(77, results, 8), drop(141, results, 8)] }),
  hits("near_duplicates", { dropped: 4, verdicts: [drop(205, "Who may collect my test results?\n\nYou, or someone with your signed note and their ID.", 8), drop(214, "Who can collect my results?\n\nYou, or someone with your signed note and their ID.", 8)] }),
  hits("too_short", { dropped: 2, verdicts: [drop(201, "Fax?\n\nNo.")] }),
  hits("language", { dropped: 3, verdicts: [drop(260, "Wo kann ich parken?\n\nZwei Plätze an der Osttür, ohne zeitliche Begrenzung.")], details: { bars: [{ name: "eng", rows: 301, out: 0 }, { name: "und", rows: 22, out: 0 }, { name: "deu", rows: 3, out: 3 }], quantiles: [] } }),
  hits("balance", { dropped: 40, verdicts: [drop(9, "Can I eat before a blood test?\n\nWater only for 8 hours, unless the form says otherwise.")], details: { bars: [{ name: "appointments", rows: 94, out: 40 }, { name: "tests", rows: 41, out: 0 }, { name: "vaccines", rows: 36, out: 0 }, { name: "parking", rows: 18, out: 0 }], quantiles: [] } }),
  hits("perplexity"),
  hits("too_long"),
  hits("contradictions", { flagged: 2, verdicts: [flag(52, "Can I eat before a blood test?\n\nWater only for 12 hours.", 5), flag(5, "Can I eat before a blood test?\n\nWater only for 8 hours, unless the form says otherwise.", 52)] }),
  hits("leaks"),
];

/** How the rows lie once the base model has read them. */
export const measured: Pick<RuleHits, "dropped" | "verdicts" | "details"> = {
  dropped: 19,
  verdicts: [{ ...drop(171, "Rm 4 ... x x 9920 -- sched\n\ntbd tbd"), rule: "perplexity" }],
  details: {
    bars: [{ name: "4–8", rows: 12, out: 0 }, { name: "8–16", rows: 61, out: 0 }, { name: "16–32", rows: 104, out: 0 }, { name: "32–64", rows: 78, out: 0 }, { name: "64–100", rows: 33, out: 0 }, { name: "100–150", rows: 19, out: 0 }, { name: "150–250", rows: 12, out: 12 }, { name: "250–500", rows: 7, out: 7 }],
    quantiles: [{ percent: 5, value: 9 }, { percent: 25, value: 18 }, { percent: 50, value: 31 }, { percent: 75, value: 62 }, { percent: 90, value: 131 }, { percent: 95, value: 186 }, { percent: 99, value: 402 }],
  },
};
