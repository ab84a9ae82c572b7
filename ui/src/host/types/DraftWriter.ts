import type { DraftBy } from "./DraftBy";
export type DraftWriter = { by: DraftBy, model: string, title: string, bytes: number, elsewhere: string | null };
