import { expect, test } from "vitest";

import en from "../../messages/en.json";
import zh from "../../messages/zh.json";
import { differences, values } from "../../scripts/differences";
import { bytes, duration, percent, signed } from "./format";
import { speak, t } from "./words.svelte";

test("both languages hold the same messages with the same values", () => {
  expect(differences(en, zh)).toEqual([]);
});

test("a missing message and a lost value are named", () => {
  expect(differences({ a: "x {n}", b: "y" }, { a: "x" })).toEqual(["`b` is missing in zh.json", "`a` takes other values in zh.json than in en.json"]);
  expect(values("{n} {n|row|rows} of {m}")).toBe("m n");
});

test("every message is used somewhere", () => {
  const sources = Object.values(import.meta.glob<string>("../**/*.{svelte,ts}", { query: "?raw", import: "default", eager: true })).join("\n");
  // Keys that are made at run time begin with one of the prefixes in a template: `step_${step}`.
  const prefixes = [...sources.matchAll(/`([a-z0-9_]+_)\$\{/g)].map((match) => match[1] ?? "");
  const unused = Object.keys(en).filter((key) => !sources.includes(`"${key}"`) && !prefixes.some((prefix) => key.startsWith(prefix)));
  expect(unused).toEqual([]);
});

test("one row is a row and two are rows", () => {
  speak("en");
  expect(t("clean_next", { n: 1 })).toBe("Continue with 1 row");
  expect(t("clean_next", { n: 1892 })).toBe("Continue with 1,892 rows");
  speak("zh");
  expect(t("clean_next", { n: 1892 })).toBe("继续，共 1,892 条");
  speak("en");
});

test("jargon stays off the main path", () => {
  const never = /\b(loss|epochs?|OOM|VRAM|GGUF|LoRA|alpha|batch|logits|perplexity|tensor|checkpoint|hyperparameter|CUDA|Python|cloud|successfully|oops)\b|please wait|!/i;
  // Tooltips (`term`), what a knob under 'all settings' does (`hint`), the file dialog's title and the report may hold the field's words.
  const path = Object.entries(en).filter(([key]) => !/(^|_)term(_|$)|^hint_|new_model_title/.test(key));
  expect(path.filter(([, text]) => never.test(text.replace(/\{\w+/g, ""))).map(([key]) => key)).toEqual([]);
});

test("Chinese is addressed as 您 and keeps a space beside digits and Latin letters", () => {
  const written = Object.entries(zh).map(([key, text]) => [key, text.replace(/\{(\w+)\}/g, "9").replace(/\*\*|\[\[|\]\]/g, "")] as const);
  expect(written.filter(([, text]) => text.includes("你")).map(([key]) => key)).toEqual([]);
  expect(written.filter(([, text]) => /\p{Script=Han}[A-Za-z0-9]|[A-Za-z0-9]\p{Script=Han}/u.test(text)).map(([key]) => key)).toEqual([]);
});

test("sizes, times and shares carry their units", () => {
  expect([bytes(999), bytes(241_000_000), bytes(6_120_000_000)]).toEqual(["999 B", "241 MB", "6.1 GB"]);
  expect([duration(40), duration(46 * 60), duration(130 * 60), duration(3 * 86400)]).toEqual(["40 s", "46 min", "2 h 10 min", "3 days"]);
  expect([percent(0.685), signed(34), signed(-7), signed(0)]).toEqual(["69 %", "+34", "−7", "0"]);
});
