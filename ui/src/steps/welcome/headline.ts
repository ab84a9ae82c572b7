// The one loud sentence of the first page, made from what the machine said.
import type { Machine } from "../../host/types/Machine";
import { bytes, duration } from "../../words/format";
import { t } from "../../words/words.svelte";

/** What this computer can do. */
export function headline(machine: Machine | null): string {
  if (!machine) return t("verdict_looking");
  if (machine.verdict.code === "too_little_memory") return t("verdict_too_little_memory", { free: bytes(machine.memory_available) });
  return t("verdict_can_train", { time: duration(machine.verdict.minutes_smallest * 60) });
}

/** `270 M`, `4 B`: how big a model is, as its makers say it. */
export function parameters(count: number): string {
  return count >= 1e9 ? `${Number((count / 1e9).toPrecision(2))} B` : `${Math.round(count / 1e6)} M`;
}
