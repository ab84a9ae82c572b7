import { expect, test } from "vitest";

import type { StepMetrics } from "../../host/types/StepMetrics";
import { settled } from "../../state/training.svelte";
import { health, measurements } from "./health";

const step = (step: number, valid_loss?: number): StepMetrics => ({ step, epoch: 0, loss: 1, loss_ema: 1, learning_rate: 0, grad_norm: 0, tokens: 0, tokens_per_second: 0, step_seconds: 1, memory_bytes: 0, ...(valid_loss === undefined ? {} : { valid_loss }) });
const light = (losses: (number | undefined)[], status = "running", alive = true) => health({ status, alive, metrics: losses.map((loss, index) => step(index + 1, loss)) });

test("unseen rows that get worse twice running are worth a look, once is not", () => {
  expect(light([2.0, 1.5, 1.6]).light).toBe("healthy");
  expect(light([1.5, 1.6, 1.7])).toEqual({ light: "look", reason: "unseen_rising" });
});

test("a run that ended clearly above its best on unseen rows says so", () => {
  expect(light([2.0, 1.5, 2.5], "done", false)).toEqual({ light: "look", reason: "done_past_best" });
  expect(light([2.0, 1.5, 1.52], "done", false)).toEqual({ light: "healthy", reason: "done" });
  expect(light([], "done", false).light).toBe("healthy");
});

test("a run that nobody works on is paused, one that failed is stopped", () => {
  expect(light([2.0], "running", false)).toEqual({ light: "paused", reason: "paused" });
  expect(light([2.0], "failed", false)).toEqual({ light: "stopped", reason: "failed" });
  expect(light([2.0], "done", false).reason).toBe("done");
});

test("each measurement says whether it is the best until then, the one before training included", () => {
  expect(measurements([step(1), step(2, 2.0), step(3, 2.2), step(4, 1.9)], 2.1)).toEqual([
    { step: 2, loss: 2.0, best: true, was: 2.1 },
    { step: 3, loss: 2.2, best: false, was: 2.0 },
    { step: 4, loss: 1.9, best: true, was: 2.0 },
  ]);
});

test("steps that were done again after a checkpoint count once, as they were done last", () => {
  const first = [step(1), step(2), step(3), step(4, 2.0)];
  const again = [step(3), step(4, 1.9), step(5)];
  expect(settled(first, again).map((each) => [each.step, each.valid_loss])).toEqual([[1, undefined], [2, undefined], [3, undefined], [4, 1.9], [5, undefined]]);
});
