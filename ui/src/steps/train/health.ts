// How a training is doing, from what it measured: a light, a word and always the reason.
import type { StepMetrics } from "../../host/types/StepMetrics";

export type Light = "healthy" | "look" | "stopped" | "paused";
export type Health = { light: Light; reason: "improving" | "learning" | "starting" | "unseen_rising" | "failed" | "paused" | "done" | "done_past_best" };

type Seen = { status: string; alive: boolean; metrics: StepMetrics[] };

/** A last measurement this much above the best is past chance. */
const PAST_BEST = 1.05;

/**
 * The light and its reason. Unseen rows that got worse twice running, or that ended clearly above their best, are worth a
 * look; everything else is calm.
 */
export function health({ status, alive, metrics }: Seen): Health {
  if (status === "failed") return { light: "stopped", reason: "failed" };
  const unseen = metrics.map((step) => step.valid_loss).filter((loss) => loss !== undefined);
  if (status === "done") {
    const past = (unseen.at(-1) ?? 0) > PAST_BEST * Math.min(...unseen);
    return past ? { light: "look", reason: "done_past_best" } : { light: "healthy", reason: "done" };
  }
  if (!alive) return { light: "paused", reason: "paused" };
  const [before, last, now] = unseen.slice(-3);
  if (before !== undefined && last !== undefined && now !== undefined && now > last && last > before) return { light: "look", reason: "unseen_rising" };
  if (metrics.length < 3) return { light: "healthy", reason: "starting" };
  return { light: "healthy", reason: unseen.length > 1 && (unseen.at(-1) ?? 0) <= Math.min(...unseen) ? "improving" : "learning" };
}

/** The measurements on unseen rows, each with whether it was the best until then. */
export function measurements(metrics: StepMetrics[], before: number | undefined): { step: number; loss: number; best: boolean; was: number | null }[] {
  let best = before ?? null;
  const found = [];
  for (const step of metrics) {
    if (step.valid_loss === undefined) continue;
    const better = best === null || step.valid_loss < best;
    found.push({ step: step.step, loss: step.valid_loss, best: better, was: best });
    if (better) best = step.valid_loss;
  }
  return found;
}
