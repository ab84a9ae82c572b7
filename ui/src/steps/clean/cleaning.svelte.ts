// The cleaning rules as the page shows them: what is applied, and what the others would do.
import { host } from "../../host";
import type { CleanOutcome } from "../../host/types/CleanOutcome";
import type { Rule } from "../../host/types/Rule";
import type { RuleHits } from "../../host/types/RuleHits";
import type { RuleVerdict } from "../../host/types/RuleVerdict";
import { app } from "../../state/app.svelte";
import { toast } from "../../state/toast.svelte";
import { work } from "../../state/work.svelte";
import { t } from "../../words/words.svelte";
import { careful, order, valueOf, written } from "./rules";

export type View = "drafts" | "rules" | "rows" | "seen";

class Cleaning {
  view = $state<View>("rules");
  applied = $state.raw<RuleHits[] | null>(null);
  previewed = $state.raw<RuleHits[]>([]);
  /** Rules that the user switched off: they are not offered again while this window is open. */
  refused = $state<Rule[]>([]);
  chosen = $state<Rule>("whitespace");
  previewing = $state(false);
  /** Whether the user has chosen a rule to look at; until then it is the first with hits. */
  looked = $state(false);

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

  hitsOf(rule: Rule): RuleHits | null {
    return this.rules.find((each) => each.rule === rule)?.hits ?? null;
  }

  /** Rules with something to do that is not done, and that do no harm. */
  get waiting(): Rule[] {
    return this.rules.filter(({ rule, hits }) => hits && !hits.applied && hits.changed + hits.dropped > 0 && !careful.includes(rule) && !this.refused.includes(rule)).map(({ rule }) => rule);
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
      this.looked = false;
      this.view = (app.project?.clean.drafts ?? 0) > 0 ? "drafts" : "rules";
    }
    await app.attempt(async () => void (this.applied = await host().call("verdicts", { dir })));
    const state = `${app.visit} ${app.project?.import.rows} ${app.project?.import.documents.documents}`;
    if (this.#looked !== state && (app.project?.import.rows ?? 0) > 0) {
      this.#looked = state;
      await this.preview();
    }
    this.#choose();
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

  /** Looks at one rule again, with an option changed; an applied rule is applied anew, and the toast takes that back. */
  async change(rule: Rule, name: string, value: unknown): Promise<void> {
    const hits = this.hitsOf(rule);
    const before = hits ? written(valueOf(hits.options, rule, name)) : null;
    if (before === written(value)) return;
    if (!(await this.#runWith(rule, { ...this.#set(rule), [`${rule}.${name}`]: written(value) })) || before === null) return;
    if (hits?.applied) toast.say(t("clean_option_changed", { name: t(`rule_${rule}`) }), () => this.change(rule, name, before));
  }

  /** Looks at one rule by name: the one that measures does so now. */
  async measure(rule: Rule): Promise<void> {
    await this.#runWith(rule, this.#set(rule));
  }

  /** Applies rules; the toast takes them back. */
  async apply(rules: Rule[]): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    this.refused = this.refused.filter((rule) => !rules.includes(rule));
    const set = Object.assign({}, ...rules.map((rule) => this.#set(rule)));
    const outcome = await this.work.run(dir, { kind: "clean", rules, preview: false, set });
    await this.#readAgain();
    if (outcome.end === "done") toast.say(t("clean_applied", { n: rules.length }), async () => { for (const rule of rules) await this.undo(rule, false); });
  }

  /** Takes a rule back: every row is as it was. */
  async undo(rule: Rule, told = true): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    const hits = this.hitsOf(rule);
    this.refused = [...this.refused, rule];
    const outcome = await this.work.run(dir, { kind: "undo", rule });
    // What it did is what it would do.
    if (outcome.end === "done" && hits) this.previewed = [...this.previewed.filter((each) => each.rule !== rule), { ...hits, applied: false }];
    await this.#readAgain();
    if (told && outcome.end === "done") toast.say(t("clean_undone", { name: t(`rule_${rule}`) }), () => this.apply([rule]));
  }

  /** Further hits of an applied rule. */
  async more(rule: Rule): Promise<void> {
    const dir = app.project?.dir;
    const hits = this.applied?.find((each) => each.rule === rule);
    if (!dir || !hits) return;
    await app.attempt(async () => {
      const more = await host().call("rule_hits", { dir, rule, offset: hits.verdicts.length });
      this.applied = this.applied?.map((each) => (each.rule === rule ? { ...each, verdicts: [...each.verdicts, ...more] } : each)) ?? null;
    });
  }

  /** Tells a rule to pass over a row; the toast takes that back. */
  async keep(verdict: RuleVerdict): Promise<void> {
    const { rule, row } = verdict;
    if (await this.#setKept(verdict, true)) toast.say(t("clean_kept", { n: row, name: t(`rule_${rule}`) }), async () => { await this.#setKept(verdict, false); });
  }

  async #setKept({ rule, row }: RuleVerdict, kept: boolean): Promise<boolean> {
    const dir = app.project?.dir;
    if (!dir) return false;
    const done = await app.attempt(async () => void (await host().call("rule_keep", { dir, rule, row, kept })));
    if (done) await this.#runWith(rule, this.#set(rule));
    return done;
  }

  /** What is chosen about a rule, as the worker takes it. */
  #set(rule: Rule): Record<string, string> {
    const chosen = this.hitsOf(rule)?.options as unknown as Record<string, Record<string, unknown>> | undefined;
    const own = Object.entries(chosen?.[rule] ?? {}).filter(([name]) => name !== "lines");
    return Object.fromEntries(own.map(([name, value]) => [`${rule}.${name}`, written(value)]));
  }

  async #runWith(rule: Rule, set: Record<string, string>): Promise<boolean> {
    const dir = app.project?.dir;
    if (!dir) return false;
    const preview = !(this.applied?.some((hits) => hits.rule === rule) ?? false);
    this.previewing = preview;
    const outcome = await this.work.run<CleanOutcome>(dir, { kind: "clean", rules: [rule], preview, set });
    this.previewing = false;
    const found = outcome.end === "done" ? outcome.value?.rules[0] : undefined;
    if (preview && found) this.previewed = [...this.previewed.filter((hits) => hits.rule !== rule), found];
    if (!preview) await this.#readAgain();
    return outcome.end === "done";
  }

  #choose(): void {
    const first = this.rules.find(({ hits }) => hits && hits.changed + hits.dropped + hits.flagged > 0);
    if (!this.looked && first) this.chosen = first.rule;
  }

  async #readAgain(): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    await app.attempt(async () => void (this.applied = await host().call("verdicts", { dir })));
    await app.refresh();
  }
}

export const cleaning = new Cleaning();
