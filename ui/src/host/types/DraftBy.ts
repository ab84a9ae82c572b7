export type DraftBy = "rules" | "ollama" | "endpoint" | "engine";
