import type { DraftingFailure } from "./DraftingFailure";
export type DraftOutcome = { writer: string, passages: number, done: number, nothing: number, failed: number, drafts: number, known: number, not_grounded: number, prompt_tokens: number, answer_tokens: number, seconds: number, failures: Array<DraftingFailure> };
