import type { DraftWriter } from "./DraftWriter";
export type DraftWriters = { writers: Array<DraftWriter>, ollama: boolean };
