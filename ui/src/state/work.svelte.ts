// A job of the worker as a page sees it: what it does, how far it is, how to stop it, how it ended.
import { asAppError, host } from "../host";
import type { JobSpec } from "../host/types/JobSpec";
import type { AppError } from "../host/types/AppError";
import type { Event } from "../host/types/Event";

export type Outcome<Value> = { end: "done"; value: Value | undefined } | { end: "cancelled" } | { end: "failed"; value: Value | undefined; error: AppError };

/** One job after another of the same kind; at most one at a time. */
export class Work {
  running = $state(false);
  cancelling = $state(false);
  /** Stable name of the stage, e.g. `tokenise`. */
  stage = $state("");
  done = $state(0);
  total = $state(0);
  unit = $state("");
  /** Seconds left of this stage, once enough has been seen to say it. */
  secondsLeft = $state<number | null>(null);
  notices = $state<{ code: string; message: string }[]>([]);
  error = $state<AppError | null>(null);

  #id: string | undefined;
  #began = 0;

  /** How far this stage is, 0 to 1; `null` where nobody can know. */
  get share(): number | null {
    return this.total > 0 ? this.done / this.total : null;
  }

  /** Starts a job and waits for its end. */
  async run<Value>(dir: string | null, job: JobSpec, heard?: (event: Event) => void): Promise<Outcome<Value>> {
    if (this.running) return { end: "cancelled" };
    this.#reset();
    try {
      return await new Promise<Outcome<Value>>((resolve, reject) => {
        let value: Value | undefined;
        const hear = (event: Event): void => {
          heard?.(event);
          this.#hear(event);
          if (event.event === "result") value = event.value as Value;
          if (event.event === "done") resolve({ end: "done", value });
          if (event.event === "cancelled") resolve({ end: "cancelled" });
          if (event.event === "failed") {
            const { event: _, ...error } = event;
            resolve({ end: "failed", value, error });
          }
        };
        host().stream("job_start", { dir, job }, hear).then((id) => {
          this.#id = id;
          if (this.cancelling) void host().call("job_cancel", { id });
        }, reject);
      }).then((outcome) => {
        if (outcome.end === "failed") this.error = outcome.error;
        return outcome;
      });
    } catch (failure) {
      this.error = asAppError(failure);
      return { end: "failed", value: undefined, error: this.error };
    } finally {
      this.running = false;
      this.cancelling = false;
      this.#id = undefined;
    }
  }

  /** Asks the job to stop; it ends on its own, at the next safe place. */
  async cancel(): Promise<void> {
    if (!this.running) return;
    this.cancelling = true;
    if (this.#id) await host().call("job_cancel", { id: this.#id }).catch(() => undefined);
  }

  #reset(): void {
    this.running = true;
    this.cancelling = false;
    this.error = null;
    this.notices = [];
    this.stage = "";
    this.#progress(0, 0, "");
  }

  #hear(event: Event): void {
    if (event.event === "stage") {
      this.stage = event.name;
      this.#progress(0, 0, "");
    } else if (event.event === "progress") {
      this.#progress(event.done, event.total, event.unit);
    } else if (event.event === "notice" && event.code !== "token") {
      this.notices.push({ code: event.code, message: event.message });
    }
  }

  #progress(done: number, total: number, unit: string): void {
    if (done === 0) this.#began = performance.now();
    this.done = done;
    this.total = total;
    this.unit = unit;
    const seconds = (performance.now() - this.#began) / 1000;
    this.secondsLeft = done > 0 && total > done && seconds > 3 ? (seconds / done) * (total - done) : null;
  }
}

const works = new Map<string, Work>();

/** The job of a page. It lives on while other pages are shown. */
export function work(name: "import" | "draft" | "augment" | "clean" | "plan" | "train" | "eval" | "export" | "chat" | "seen" | "model" | "sample"): Work {
  const found = works.get(name) ?? new Work();
  works.set(name, found);
  return found;
}

/** Forgets every job, for the next project. */
export function forgetWorks(): void {
  works.clear();
}
