// What the user asks for, and the plan that the worker makes of it.
import type { Plan } from "../../host/types/Plan";
import { app } from "../../state/app.svelte";
import { Work } from "../../state/work.svelte";
import { knobsOf, plain, type PresetName } from "./presets";

class Configuring {
  preset = $state<PresetName>("balanced");
  /** Changed knobs: name to value as text. */
  set = $state<Record<string, string>>({});
  plan = $state.raw<Plan | null>(null);
  /** Whether the plan answers what is asked now. */
  current = $state(false);
  work = $state(new Work());

  #visit = 0;
  #asked = 0;

  /** Knobs with the values in force. */
  get knobs(): { name: string; value: string; comment: string; changed: boolean }[] {
    return knobsOf(this.preset).map((knob) => {
      const changed = this.set[knob.name];
      return { ...knob, value: plain(changed ?? knob.value), changed: changed !== undefined };
    });
  }

  /** The value of a knob in force. */
  value(name: string): string {
    return this.knobs.find((knob) => knob.name === name)?.value ?? "";
  }

  /** Changes knobs; a value as in the preset is no change. */
  change(values: Record<string, string>): void {
    const shipped = Object.fromEntries(knobsOf(this.preset).map((knob) => [knob.name, plain(knob.value)]));
    const next = { ...this.set, ...values };
    this.set = Object.fromEntries(Object.entries(next).filter(([name, value]) => value.trim() !== "" && value !== shipped[name]));
  }

  /** Chooses a goal; what was changed by hand stays only where asked. */
  choose(preset: PresetName): void {
    this.preset = preset;
    this.set = {};
  }

  /** Forgets another project's choices. */
  enter(): void {
    if (app.visit === this.#visit) return;
    this.#visit = app.visit;
    this.preset = "balanced";
    this.set = {};
    this.plan = null;
  }

  /** Asks the worker what would come of what is asked now. */
  async look(): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    const asked = ++this.#asked;
    this.current = false;
    await this.work.cancel();
    if (asked !== this.#asked) return;
    const work = new Work();
    this.work = work;
    const outcome = await work.run<Plan>(dir, { kind: "plan", preset: this.preset, set: { ...this.set } });
    if (asked !== this.#asked) return;
    if (outcome.end === "done" && outcome.value) {
      this.plan = outcome.value;
      this.current = true;
    }
  }

  /** Stops looking. */
  leave(): void {
    this.#asked += 1;
    void this.work.cancel();
  }
}

export const configuring = new Configuring();
