// Drafting questions from the passages: who writes, what is asked, how far it is.
import { host } from "../../host";
import type { DraftingState } from "../../host/types/DraftingState";
import type { DraftOutcome } from "../../host/types/DraftOutcome";
import type { DraftWriters } from "../../host/types/DraftWriters";
import type { DraftWriterSpec } from "../../host/types/DraftWriterSpec";
import type { WriterState } from "../../host/types/WriterState";
import { app } from "../../state/app.svelte";
import { work } from "../../state/work.svelte";
import { isLocal } from "./address";

export const kinds = ["fact", "procedure", "definition", "comparison", "refusal"] as const;
export type Kind = (typeof kinds)[number];
/** The choice of a server that is not in the list. */
export const OTHER = "endpoint:";

class Drafting {
  state = $state.raw<DraftingState | null>(null);
  writers = $state.raw<DraftWriters | null>(null);
  /** `rules`, `ollama:NAME`, `engine:REF`, or `endpoint:` for a server by its address. */
  chosen = $state("rules");
  address = $state("");
  model = $state("");
  leave = $state(false);
  kinds = $state<Kind[]>(["fact", "procedure", "definition", "refusal"]);
  perPassage = $state(3);
  language = $state("");
  tone = $state("");
  system = $state("");
  temperature = $state(0.5);

  #visit = 0;
  #asked = 0;

  get work() {
    return work("draft");
  }

  get by(): string {
    return this.chosen.split(":", 1)[0] ?? "rules";
  }

  /** The name under which this writer's drafts are kept. */
  get writer(): string {
    return this.chosen === OTHER ? `${OTHER}${this.model}` : this.chosen;
  }

  /** How far the chosen writer is. */
  get own(): WriterState | null {
    return this.state?.writers.find((each) => each.writer === this.writer) ?? null;
  }

  /** Passages that the chosen writer has still to read. */
  get left(): number {
    return Math.max(0, (this.state?.passages ?? 0) - (this.own?.done ?? 0) - (this.own?.nothing ?? 0));
  }

  /** The computer, not this one, to which passages would go. */
  get elsewhere(): string | null {
    if (this.chosen === OTHER) return this.address.trim() === "" || isLocal(this.address) ? null : this.address.trim();
    return this.writers?.writers.find((each) => `${each.by}:${each.model}` === this.chosen)?.elsewhere ?? null;
  }

  /** Why it cannot start; nothing where it can. */
  get missing(): "kinds" | "address" | "model" | "leave" | null {
    if (this.kinds.length === 0) return "kinds";
    if (this.chosen === OTHER && this.address.trim() === "") return "address";
    if (this.chosen === OTHER && this.model.trim() === "") return "model";
    return this.elsewhere !== null && !this.leave ? "leave" : null;
  }

  /** The writer in the words of a job. */
  get spec(): DraftWriterSpec {
    const model = this.chosen === OTHER ? this.model.trim() : this.chosen.slice(this.by.length + 1);
    return { by: this.by, model: this.by === "rules" ? "" : model, address: this.chosen === OTHER ? this.address.trim() : "", temperature: this.temperature, leave: this.elsewhere !== null && this.leave };
  }

  /** Reads how far drafting is and, once a visit, who could write. */
  async read(): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    if (app.visit !== this.#visit) {
      this.#visit = app.visit;
      this.state = null;
      this.leave = false;
      await Promise.all([this.readWriters(), this.readState()]);
      // Whoever wrote last goes on.
      const last = (this.state as DraftingState | null)?.writers[0]?.writer;
      if (last !== undefined && this.#known.includes(last)) this.chosen = last;
      return;
    }
    await this.readState();
  }

  get #known(): string[] {
    return this.writers?.writers.map((each) => (each.by === "rules" ? "rules" : `${each.by}:${each.model}`)) ?? [];
  }

  async readWriters(): Promise<void> {
    await app.attempt(async () => void (this.writers = await host().call("draft_writers", {})));
    if (this.chosen !== OTHER && !this.#known.includes(this.chosen)) this.chosen = "rules";
  }

  async readState(): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    await app.attempt(async () => {
      const state = await host().call("drafting", { dir });
      if (app.project?.dir === dir) this.state = state;
    });
  }

  /** Drafts from the passages that are left, or from all of them anew. */
  async start(again: boolean): Promise<void> {
    const dir = app.project?.dir;
    if (!dir || this.missing) return;
    const job = { kind: "draft" as const, writer: this.spec, kinds: [...this.kinds], per_passage: this.by === "rules" ? 8 : this.perPassage, language: this.language.trim(), tone: this.tone.trim(), system: this.system.trim(), again };
    await this.work.run<DraftOutcome>(dir, job, (event) => {
      // The counts are in the project; they are looked at now and then while it goes on.
      if (event.event === "progress" && performance.now() - this.#asked > 1000) {
        this.#asked = performance.now();
        void this.readState();
      }
    });
    await this.readState();
    await app.refresh();
  }
}

export const drafting = new Drafting();
