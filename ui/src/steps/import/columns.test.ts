import { expect, test } from "vitest";
import { isComplete, mappingOf, partsOf, withPart } from "./columns";

const columns = ["q", "a", "who", "when"];
const mapping = { question: "q", answer: "a", context: null, system: null, text: null, label: null, split: null, metadata: ["who"] };

test("a mapping survives being shown column by column", () => {
  const shown = partsOf(columns, mapping);
  expect(shown).toEqual({ q: "question", a: "answer", who: "metadata", when: "" });
  expect(mappingOf(columns, shown)).toEqual(mapping);
});

test("a part belongs to one column, remarks to as many as one likes", () => {
  const shown = partsOf(columns, mapping);
  expect(withPart(shown, "when", "answer")).toEqual({ q: "question", a: "", who: "metadata", when: "answer" });
  expect(withPart(shown, "when", "metadata")).toEqual({ q: "question", a: "answer", who: "metadata", when: "metadata" });
});

test("without an answer, a label or a text no rows come out", () => {
  expect(isComplete(mapping)).toBe(true);
  expect(isComplete({ ...mapping, answer: null })).toBe(false);
  expect(isComplete({ ...mapping, answer: null, label: "who" })).toBe(true);
  expect(isComplete({ ...mapping, question: null, answer: null, text: "when" })).toBe(true);
});
