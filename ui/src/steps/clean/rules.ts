// The rules as the page orders them, and what can be chosen about each.
import type { CleanOptions } from "../../host/types/CleanOptions";
import type { Rule } from "../../host/types/Rule";

export type Group = "mend" | "protect" | "take_out" | "check";

/** All rules by what they do, in the order in which they are applied. */
export const groups: { group: Group; rules: Rule[] }[] = [
  { group: "mend", rules: ["html", "characters", "width", "hyphenation", "whitespace", "boilerplate"] },
  { group: "protect", rules: ["personal"] },
  { group: "take_out", rules: ["duplicates", "near_duplicates", "too_short", "language", "balance", "perplexity", "too_long"] },
  { group: "check", rules: ["contradictions", "leaks"] },
];
export const order: Rule[] = groups.flatMap((group) => group.rules);

/** Rules that may lose something wanted: they are only applied when somebody switches them on. */
export const careful: Rule[] = ["personal", "language", "balance", "perplexity"];

/** Rules whose hits are about another row: they are shown together with it. */
export const paired: Rule[] = ["duplicates", "near_duplicates", "contradictions", "leaks"];

/** One thing to choose about a rule. The words are `option_RULE_NAME`, those of a choice `option_RULE_NAME_VALUE`. */
export type Option =
  | { name: string; kind: "switch"; warns?: boolean }
  | { name: string; kind: "choice"; values: string[] }
  | { name: string; kind: "several"; values: string[] }
  | { name: string; kind: "number"; min: number; max: number; step: number }
  | { name: string; kind: "words" };

export const options: Partial<Record<Rule, Option[]>> = {
  characters: [{ name: "letters_and_digits_only", kind: "switch", warns: true }],
  width: [{ name: "nfkc", kind: "switch", warns: true }],
  boilerplate: [{ name: "documents", kind: "number", min: 2, max: 1000, step: 1 }],
  personal: [
    { name: "action", kind: "choice", values: ["mask", "drop", "keep"] },
    { name: "kinds", kind: "several", values: ["email", "phone", "identity", "account", "card", "ip"] },
    { name: "own", kind: "words" },
  ],
  near_duplicates: [
    { name: "threshold", kind: "number", min: 0.5, max: 1, step: 0.05 },
    { name: "numbers_differ", kind: "switch" },
  ],
  too_short: [{ name: "min_tokens", kind: "number", min: 0, max: 200, step: 1 }],
  too_long: [
    { name: "max_tokens", kind: "number", min: 8, max: 131072, step: 1 },
    { name: "action", kind: "choice", values: ["drop", "truncate", "split"] },
  ],
  language: [{ name: "keep", kind: "words" }],
  balance: [{ name: "ratio", kind: "number", min: 1, max: 100, step: 0.5 }],
  perplexity: [{ name: "threshold", kind: "number", min: 2, max: 100000, step: 10 }],
  contradictions: [{ name: "action", kind: "choice", values: ["flag", "drop"] }],
  leaks: [{ name: "action", kind: "choice", values: ["flag", "drop"] }],
};

/** What is chosen, as the worker takes it. */
export function written(value: unknown): string {
  return Array.isArray(value) ? value.join(",") : String(value);
}

/** What an option of a rule is set to. */
export function valueOf(chosen: CleanOptions, rule: Rule, name: string): unknown {
  return (chosen as unknown as Record<string, Record<string, unknown>>)[rule]?.[name];
}
