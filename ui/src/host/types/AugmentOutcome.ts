import type { DraftKind } from "./DraftKind";
export type AugmentOutcome = { kind: DraftKind | null, parents: number, drafts: number, unchanged: number, failed: number, reason: string };
