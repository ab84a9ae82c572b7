// Starting a training, or going on with one. The worker lives on when the window closes; its run is followed by its folder.
import type { JobSpec } from "../../host/types/JobSpec";
import { app } from "../../state/app.svelte";
import { training } from "../../state/training.svelte";
import { work } from "../../state/work.svelte";

/** Starts the worker and shows the Train page; the run is followed from the moment it has a folder. */
export async function startTraining(job: Extract<JobSpec, { kind: "train" | "resume" }>): Promise<void> {
  const dir = app.project?.dir;
  if (!dir) return;
  const starting = work("train");
  if (starting.running) return;
  if (job.kind === "train") training.clear();
  app.page = "train";
  const follow = (run: string): void => {
    if (app.project?.dir !== dir) return;
    void training.follow(dir, run);
    void app.refresh();
  };
  if (job.kind === "resume") setTimeout(() => follow(job.run), 400);
  const outcome = await starting.run(dir, job, (event) => {
    if (event.event === "notice" && event.code === "run") follow(event.message);
  });
  await app.refresh();
  const run = app.project?.dir === dir ? app.project.train.run?.id : undefined;
  // Read once more: the last state may have been written after the last look.
  if (run && (outcome.end !== "failed" || training.state?.id === run)) void training.follow(dir, run);
}
