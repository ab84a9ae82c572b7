// Which column plays which part, as the page changes it.
import type { Mapping } from "../../host/types/Mapping";

export const single = ["question", "answer", "context", "system", "text", "label", "split"] as const;
export const parts = [...single, "metadata"] as const;
/** The part of a column; `""` where it is left out. */
export type Part = (typeof parts)[number] | "";

/** The part of each column of a mapping. */
export function partsOf(columns: string[], mapping: Mapping): Record<string, Part> {
  const part = (column: string): Part => single.find((each) => mapping[each] === column) ?? (mapping.metadata.includes(column) ? "metadata" : "");
  return Object.fromEntries(columns.map((column) => [column, part(column)]));
}

/** Gives a column a part. All but the remarks belong to one column: the one that had it gives it up. */
export function withPart(now: Record<string, Part>, column: string, part: Part): Record<string, Part> {
  const taken = part === "" || part === "metadata" ? [] : Object.keys(now).filter((other) => other !== column && now[other] === part);
  return { ...now, ...Object.fromEntries(taken.map((other) => [other, "" as const])), [column]: part };
}

/** The mapping that says so. */
export function mappingOf(columns: string[], now: Record<string, Part>): Mapping {
  const column = (part: Part): string | null => columns.find((each) => now[each] === part) ?? null;
  return {
    question: column("question"),
    answer: column("answer"),
    context: column("context"),
    system: column("system"),
    text: column("text"),
    label: column("label"),
    split: column("split"),
    metadata: columns.filter((each) => now[each] === "metadata"),
  };
}

/** Whether rows come out: a question with an answer or a label, or a text. */
export function isComplete(mapping: Mapping): boolean {
  return mapping.text !== null || (mapping.question !== null && (mapping.answer !== null || mapping.label !== null));
}
