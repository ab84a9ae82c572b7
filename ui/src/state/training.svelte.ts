// The run that the Train page shows, told by its folder: the window that started it may be long gone.
import { asAppError, host } from "../host";
import type { RunUpdate } from "../host/types/RunUpdate";
import type { AppError } from "../host/types/AppError";
import type { RunState } from "../host/types/RunState";
import type { Sample } from "../host/types/Sample";
import type { StepMetrics } from "../host/types/StepMetrics";

class Training {
  state = $state.raw<RunState | null>(null);
  alive = $state(false);
  resumable = $state(false);
  metrics = $state.raw<StepMetrics[]>([]);
  samples = $state.raw<Sample[]>([]);
  error = $state<AppError | null>(null);

  #followed = 0;

  /** Shows a run and everything that is added to it until it ends or another is followed. */
  async follow(dir: string, run: string): Promise<void> {
    const followed = ++this.#followed;
    this.error = null;
    const mine = (): boolean => this.#followed === followed;
    try {
      const hear = (update: RunUpdate): void => {
        if (mine()) this.#hear(update);
      };
      const view = await host().stream("run_follow", { dir, run }, hear);
      if (!mine()) return;
      this.state = view.state;
      this.alive = view.alive;
      this.resumable = view.resumable;
      this.metrics = settled([], view.metrics);
      this.samples = told([], view.samples);
    } catch (failure) {
      if (mine()) this.error = asAppError(failure);
    }
  }

  /** Forgets the run and stops listening. */
  clear(): void {
    this.#followed += 1;
    this.error = null;
    this.state = null;
    this.alive = false;
    this.resumable = false;
    this.metrics = [];
    this.samples = [];
  }

  #hear(update: RunUpdate): void {
    if (update.kind === "state") {
      this.state = update.state;
      this.alive = update.alive;
      if (update.alive) this.resumable = false;
    } else if (update.kind === "steps") {
      this.metrics = settled(update.all ? [] : this.metrics, update.steps);
    } else {
      this.samples = told(update.all ? [] : this.samples, update.samples);
    }
  }
}

/** Steps in order, each once. A run that went on from a checkpoint does some steps again: the newer ones count. */
export function settled(before: StepMetrics[], more: StepMetrics[]): StepMetrics[] {
  const steps = [...before];
  for (const step of more) {
    while ((steps.at(-1)?.step ?? 0) >= step.step) steps.pop();
    steps.push(step);
  }
  return steps;
}

/** Answers in order, each question once a step; the newer one counts. */
function told(before: Sample[], more: Sample[]): Sample[] {
  const found = new Map([...before, ...more].map((sample) => [`${sample.step} ${sample.question}`, sample]));
  return [...found.values()];
}

export const training = new Training();
