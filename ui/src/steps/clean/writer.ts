// Who wrote a draft, in words.
import { t } from "../../words/words.svelte";

/** `by qwen3:4b in Ollama`, `by rules`. */
export function writerTold(writer: string): string {
  const at = writer.indexOf(":");
  const [by, model] = at < 0 ? [writer, ""] : [writer.slice(0, at), writer.slice(at + 1)];
  if (by === "rules") return t("by_rules");
  if (by === "words") return t("by_words");
  return t(by === "ollama" ? "by_ollama" : by === "engine" ? "by_engine" : "by_endpoint", { name: model });
}
