// The cleaning rules as the page shows them: what is applied, and what the others would do.
import { host } from "../../host";
import type { CleanOutcome } from "../../host/types/CleanOutcome";
import type { Rule } from "../../host/types/Rule";
import type { RuleHits } from "../../host/types/RuleHits";
import { app } from "../../state/app.svelte";
import { toast } from "../../state/toast.svelte";
import { work } from "../../state/work.svelte";
import { t } from "../../words/words.svelte";

export type View = "drafts" | "rules" | "rows" | "seen";
/** All rules, in the order of the page: those that mend, then those that take out, then those that only point. */
export const order: Rule[] = ["whitespace", "duplicates", "too_short", "too_long"];

class Cleaning {
  view = $state<View>("rules");
  applied = $state.raw<RuleHits[] | null>(null);
  previewed = $state.raw<RuleHits[]>([]);
  /** Rules that the user switched off: they are not offered again while this window is open. */
  refused = $state<Rule[]>([]);
  chosen = $state<Rule>("whitespace");
  previewing = $state(false);

  #visit = 0;
  #looked = "";

  get work() {
    return work("clean");
  }

  /** Every rule with its hits: applied ones, else what they would do, else nothing known yet. */
  get rules(): { rule: Rule; hits: RuleHits | null }[] {
    return order.map((rule) => ({
      rule,
      hits: this.applied?.find((hits) => hits.rule === rule) ?? this.previewed.find((hits) => hits.rule === rule) ?? null,
    }));
  }

  /** Rules with something to do that is not done. */
  get waiting(): Rule[] {
    return this.rules.filter(({ rule, hits }) => hits && !hits.applied && hits.changed + hits.dropped > 0 && !this.refused.includes(rule)).map(({ rule }) => rule);
  }

  /** Reads what is applied, and looks once at what the other rules would do. */
  async read(): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    if (app.visit !== this.#visit) {
      this.#visit = app.visit;
      this.applied = null;
      this.previewed = [];
      this.refused = [];
      this.view = (app.project?.clean.drafts ?? 0) > 0 ? "drafts" : "rules";
    }
    await app.attempt(async () => void (this.applied = await host().call("verdicts", { dir })));
    const state = `${app.visit} ${app.project?.import.rows} ${app.project?.import.documents.documents}`;
    if (this.#looked !== state && (app.project?.import.rows ?? 0) > 0) {
      this.#looked = state;
      await this.preview();
    }
  }

  /** Looks at what every rule would do, changing nothing. */
  async preview(): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    this.previewing = true;
    const outcome = await this.work.run<CleanOutcome>(dir, { kind: "clean", rules: [], preview: true });
    this.previewing = false;
    if (outcome.end === "done" && outcome.value) this.previewed = outcome.value.rules;
  }

  /** Applies rules; the toast takes them back. */
  async apply(rules: Rule[]): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    this.refused = this.refused.filter((rule) => !rules.includes(rule));
    const outcome = await this.work.run(dir, { kind: "clean", rules, preview: false });
    await this.#readAgain();
    if (outcome.end === "done") toast.say(t("clean_applied", { n: rules.length }), async () => { for (const rule of rules) await this.undo(rule, false); });
  }

  /** Takes a rule back: every row is as it was. */
  async undo(rule: Rule, told = true): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    this.refused = [...this.refused, rule];
    const outcome = await this.work.run(dir, { kind: "undo", rule });
    await this.#readAgain();
    if (told && outcome.end === "done") toast.say(t("clean_undone", { name: t(`rule_${rule}`) }), () => this.apply([rule]));
  }

  async #readAgain(): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    await app.attempt(async () => void (this.applied = await host().call("verdicts", { dir })));
    await app.refresh();
  }
}

export const cleaning = new Cleaning();
