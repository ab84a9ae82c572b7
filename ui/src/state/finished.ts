// The training that the exam and the export are about.
import { host } from "../host";
import type { RunState } from "../host/types/RunState";

/** The newest training that went through to its end. */
export async function newestFinished(dir: string): Promise<RunState | null> {
  const runs = await host().call("runs", { dir });
  return runs.find((run) => run.status === "done") ?? null;
}
