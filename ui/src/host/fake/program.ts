// The in-memory program behind the pages: answers commands, plays jobs, lets a training run.
import type { Drop } from "../index";
import type { CleanOptions } from "../types/CleanOptions";
import type { DraftNote } from "../types/DraftNote";
import type { ExportEntry } from "../types/ExportEntry";
import type { ExportOutcome } from "../types/ExportOutcome";
import type { ImportOutcome } from "../types/ImportOutcome";
import type { JobSpec } from "../types/JobSpec";
import type { ProjectState } from "../types/ProjectState";
import type { Quantisation } from "../types/Quantisation";
import type { Row } from "../types/Row";
import type { RowFilter } from "../types/RowFilter";
import type { RowStatus } from "../types/RowStatus";
import type { RuleHits } from "../types/RuleHits";
import type { RunUpdate } from "../types/RunUpdate";
import type { Settings } from "../types/Settings";
import type { AppError } from "../types/AppError";
import type { Event } from "../types/Event";
import type { RunState } from "../types/RunState";
import type { RunView } from "../types/RunView";
import type { Rule } from "../types/Rule";
import { FakeDrafts } from "./drafts";
import * as found from "./rules";
import * as story from "./story";

/** How far the story is told: `new` nothing yet, `empty` an empty project, then step by step to `all`. */
export type Scene = "new" | "empty" | "imported" | "cleaned" | "running" | "stopped" | "failed" | "trained" | "examined" | "all";
const scenes: Scene[] = ["new", "empty", "imported", "cleaned", "running", "stopped", "failed", "trained", "examined", "all"];
const runId = story.report.run;

type Asked = { scene: Scene; language: string | null; theme: string | null; pace: number; drafts?: string | null };

export class FakeProgram {
  /** Every command that was asked, for tests. */
  asked: { name: string; args: Record<string, unknown> }[] = [];
  /** What the next job of a kind answers instead. */
  failures = new Map<string, AppError>();

  #settings: Settings;
  #name = "Lindenhof handbook";
  #base = story.base;
  #documents = [...story.documents];
  #mapping = story.mapping;
  #rows: Row[] = structuredClone(story.rows);
  #rules: RuleHits[] = structuredClone(found.rules);
  #split = { seed: 42, valid: 10, exam: 10 };
  #run: { state: RunState; alive: boolean } | null = null;
  #examined = false;
  #exports: ExportEntry[] = [];
  #listening = new Set<(drop: Drop) => void>();
  #following = new Set<(update: RunUpdate) => void>();
  #cancelled = new Set<string>();
  #jobs = 0;
  #drafts: FakeDrafts;
  #pace: number;
  #new: boolean;

  constructor({ scene, language, theme, pace, drafts }: Asked) {
    this.#drafts = new FakeDrafts(drafts ?? "none", language === "zh");
    const at = scenes.indexOf(scene);
    const reached = (other: Scene): boolean => at >= scenes.indexOf(other);
    this.#pace = pace;
    this.#new = scene === "new";
    this.#settings = { language, theme: theme === "dark" || theme === "light" ? theme : "system" };
    if (!reached("imported")) {
      this.#documents = [];
      this.#rows = [];
    }
    if (reached("imported")) this.#rows.push(...this.#drafts.rows());
    if (reached("cleaned")) this.#rules = this.#rules.map((rule) => ({ ...rule, applied: !["personal", "language", "balance", "perplexity"].includes(rule.rule) }));
    if (reached("running")) this.#run = { state: this.#state(reached("trained") ? 192 : 121), alive: scene === "running" };
    if (this.#run && scene === "stopped") this.#run.state.status = "cancelled";
    if (this.#run && reached("trained")) this.#run.state = { ...this.#run.state, status: "done", loss_after: 1.3 };
    if (this.#run && scene === "failed") {
      this.#run.state.status = "failed";
      this.#run.state.error = { code: "no_space", message: "The disk is full: cannot write `checkpoints/step-121`", hint: "Free some space on this disk and try again; nothing that was there is lost", detail: "No space left on device (os error 28)" };
    }
    this.#examined = reached("examined");
    if (reached("all")) this.#exports = [this.#entry("lindenhof-handbook")];
  }

  /** Plays a drop of files onto the window. */
  drop(paths: string[]): void {
    for (const heard of this.#listening) heard({ kind: "drop", paths });
  }

  onDrop(heard: (drop: Drop) => void): () => void {
    this.#listening.add(heard);
    return () => this.#listening.delete(heard);
  }

  async answer(name: string, args: Record<string, unknown>): Promise<unknown> {
    this.asked.push({ name, args });
    const answers: Record<string, () => unknown> = {
      machine: () => story.machine,
      models: () => story.models,
      settings_read: () => this.#settings,
      settings_write: () => void (this.#settings = args.settings as Settings),
      recent_projects: () => (this.#new ? [] : [{ dir: story.home, name: this.#name, opened_at: new Date().toISOString() }, { dir: "/home/ada/Documents/Hone/Front desk answers", name: "Front desk answers", opened_at: "2026-11-12T09:10:00Z" }]),
      first_project: () => null,
      project_create: () => {
        this.#name = String(args.name);
        this.#base = String(args.base);
        return this.project();
      },
      project_open: () => this.project(),
      project_state: () => this.project(),
      project_set_base: () => {
        this.#base = String(args.base);
        return this.project();
      },
      sample_project: () => this.project(),
      pick_files: () => ["/home/ada/Clinic/Front desk questions.csv"],
      pick_folder: () => "/home/ada/Clinic",
      pick_model: () => "/home/ada/models/other.gguf",
      reveal: () => undefined,
      documents: () => this.#documents,
      document_yields: () => this.#documents.map(({ hash }) => ({ document: hash, passages: story.passagesOf[hash] ?? 0, rows: this.#rows.filter((row) => row.document === hash).length })),
      document_mapping: () => (args.hash === this.#mapping.document ? this.#mapping : null),
      passages: () => (story.passagesOf[String(args.hash)] ? story.passages : []),
      drafting: () => this.#drafts.state(this.#rows),
      draft_writers: () => story.writers,
      review: () => this.#drafts.review(this.#found(args.filter as RowFilter)),
      row_decide_all: () => this.#drafts.decide(this.#found({ ...(args.filter as RowFilter), status: "draft" }), args.status as RowStatus, false),
      row_undo: () => this.#drafts.undo(this.#rows),
      document_remove: () => {
        this.#documents = this.#documents.filter((document) => document.hash !== args.hash);
        this.#rows = this.#rows.filter((row) => row.document !== args.hash);
      },
      rows: () => this.#page(args.filter as RowFilter, args.offset as number, args.limit as number),
      row_set_status: () => {
        this.#drafts.decide(this.#rows.filter((row) => (args.ids as number[]).includes(row.id)), args.status as RowStatus, true);
      },
      row_edit: () => void (this.#rows = this.#rows.map((row) => (row.id === args.id ? (args.row as Row) : row))),
      row_read: () => this.#rows.find((row) => row.id === args.id),
      rule_hits: () => [],
      rule_keep: () => {
        const row = args.row as number;
        this.#rules = this.#rules.map((rule) => (rule.rule === (args.rule as Rule) ? this.#passing(rule, row, args.kept as boolean) : rule));
      },
      verdicts: () => this.#rules.filter((rule) => rule.applied),
      job_cancel: () => void this.#cancelled.add(String(args.id)),
      runs: () => (this.#run ? [this.#run.state] : []),
      run_read: () => this.#view(),
      run_cancel: () => void this.#cancelled.add("run"),
      run_report: () => (this.#examined ? story.report : null),
      exports: () => this.#exports,
    };
    const answer = answers[name];
    if (!answer) throw { code: "internal", message: `no command ${name}`, hint: null, detail: null } satisfies AppError;
    return structuredClone(answer());
  }

  async stream(name: string, args: Record<string, unknown>, heard: (event: unknown) => void): Promise<unknown> {
    this.asked.push({ name, args });
    if (name === "run_follow") return this.#follow(heard);
    const id = String((this.#jobs += 1));
    void this.#play(id, args.job as JobSpec, heard);
    return id;
  }

  project(): ProjectState {
    const rows = this.#rows;
    const count = (split: string): number => rows.filter((row) => row.split === split && row.status === "approved").length;
    const counts = { total: rows.length, drafts: rows.filter((row) => row.status === "draft").length, rejected: rows.filter((row) => row.status === "rejected").length, train: count("train"), valid: count("valid"), exam: count("exam") };
    let open = true;
    const step = (done: boolean, running = false): "done" | "running" | "now" | "later" => {
      if (running) return ((open = false), "running");
      if (done) return "done";
      return open ? ((open = false), "now") : "later";
    };
    const applied = this.#rules.filter((rule) => rule.applied);
    const run = this.#run;
    return {
      dir: story.home,
      name: this.#name,
      base: this.#base,
      language: "en",
      import: { status: step(rows.length > 0), documents: { documents: this.#documents.length, pages: 222, passages: rows.length > 0 ? 379 : 0, with_issues: this.#documents.filter((document) => document.issues.some((each) => each.kind !== "remark")).length }, rows: rows.length },
      clean: { status: step(applied.length > 0), rules: applied.map((rule) => rule.rule), changed: applied.reduce((sum, rule) => sum + rule.changed, 0), left_out: counts.rejected, drafts: counts.drafts, split: this.#split },
      configure: { status: step(run !== null), rows: counts },
      train: { status: step(run?.state.status === "done", run?.alive), runs: run ? 1 : 0, run: run?.state ?? null, alive: run?.alive ?? false, resumable: run ? !run.alive && run.state.status !== "done" : false },
      evaluate: { status: step(this.#examined), run: this.#examined ? runId : null, report: this.#examined ? `${story.home}/runs/${runId}/report.html` : null },
      export: { status: step(this.#exports.length > 0), exports: this.#exports },
    };
  }

  #state(step: number): RunState {
    const now = new Date().toISOString();
    return { id: runId, status: "running", pid: 1, step, total_steps: 192, epoch: step / 64, started_at: now, updated_at: now, base: this.#base, loss_before: 3.17, seconds_left: (192 - step) * 2.1 };
  }

  #entry(name: string): ExportEntry {
    return { name, dir: `${story.home}/exports/${name}`, model: `${name}.gguf`, bytes: 292e6, modelfile: true, proof: true, written_at: new Date().toISOString() };
  }

  #found(filter: RowFilter): Row[] {
    const note = (row: Row): DraftNote | undefined => this.#drafts.note(row.id);
    const fits = (row: Row): boolean =>
      (!filter.status || row.status === filter.status) &&
      (!filter.split || row.split === filter.split) &&
      (!filter.origin || row.origin === filter.origin) &&
      (!filter.document || row.document === filter.document) &&
      (!filter.kind || note(row)?.kind === filter.kind) &&
      (!filter.grounding || note(row)?.grounding === filter.grounding) &&
      (!filter.search || JSON.stringify(row).toLowerCase().includes(filter.search.toLowerCase()));
    return this.#rows.filter(fits);
  }

  #page(filter: RowFilter, offset: number, limit: number): unknown {
    const found = this.#found(filter);
    const rows = found.slice(offset, offset + limit);
    return { rows, hits: [], drafts: rows.flatMap((row) => this.#drafts.note(row.id) ?? []), total: found.length, at_least: false };
  }

  #view(): RunView {
    const run = this.#run;
    if (!run) throw { code: "not_found", message: "There is no such run", hint: null, detail: null } satisfies AppError;
    return { state: run.state, alive: run.alive, resumable: !run.alive && run.state.status !== "done", metrics: story.steps(run.state.step), samples: story.samples.filter((sample) => sample.step <= run.state.step) };
  }

  #tell(update: RunUpdate): void {
    for (const heard of this.#following) heard(structuredClone(update));
  }

  async #follow(heard: (update: RunUpdate) => void): Promise<RunView> {
    const view = this.#view();
    heard({ kind: "steps", all: true, steps: view.metrics });
    heard({ kind: "samples", all: true, samples: view.samples });
    heard({ kind: "state", state: view.state, alive: view.alive });
    this.#following.add(heard);
    while (this.#run?.alive) await this.#wait(this.#pace);
    this.#following.delete(heard);
    return this.#view();
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }

  async #play(id: string, job: JobSpec, heard: (event: Event) => void): Promise<void> {
    const stopped = (): boolean => this.#cancelled.has(id);
    const failure = this.failures.get(job.kind);
    await this.#wait(1);
    if (failure) return heard({ event: "failed", ...failure });
    if (job.kind === "train" || job.kind === "resume") return this.#train(job, heard, stopped);
    const stages = { draft: "draft", augment: "augment", import: "import", remap: "import", clean: "clean", undo: "clean", plan: "tokenise", eval: "answers", chat: "load", export: "write", row_view: "load", seen: "tokenise", split: "split", rows_export: "write", model_get: "download" };
    heard({ event: "stage", name: stages[job.kind] });
    const scale = job.kind === "import" ? 500_000 : 1;
    for (let done = 0; done <= 8; done += 1) {
      if (stopped()) return heard({ event: "cancelled" });
      heard({ event: "progress", done: done * scale, total: 8 * scale, unit: job.kind === "import" ? "bytes" : job.kind === "draft" ? "passages" : "rows" });
      await this.#wait(this.#pace / 8);
    }
    const value = this.#finish(job, heard);
    if (value !== undefined) heard({ event: "result", value });
    heard({ event: "done" });
  }

  #finish(job: JobSpec, heard: (event: Event) => void): unknown {
    switch (job.kind) {
      case "import": {
        // Files that were here already came in once more: the first has a new version, the others are the same.
        const again = this.#documents.length > 0 && !job.ocr;
        this.#documents = story.documents.map((document) => (job.ocr ? story.recognised(document) : document));
        if (!again) this.#rows = structuredClone(story.rows);
        const changes = { passages_added: 0, passages_removed: 0, passages_kept: 0, rows_added: 12, rows_removed: 3, rows_kept: 312, back_to_review: 0 };
        const changed = again ? [{ document: story.mapping.document, name: story.mapping.name, new_bytes: true, changes }] : [];
        return { documents: this.#documents, issues: [...story.unread, ...story.documents.flatMap((document) => document.issues)], passages: again ? 0 : 379, rows: again ? 12 : this.#rows.length, unchanged: 0, changed, mappings: [this.#mapping] } satisfies ImportOutcome;
      }
      case "remap": {
        this.#mapping = { ...this.#mapping, mapping: job.mapping };
        const changes = { passages_added: 0, passages_removed: 0, passages_kept: 0, rows_added: 290, rows_removed: 290, rows_kept: 0, back_to_review: 0 };
        return { documents: [], issues: [], passages: 0, rows: 290, unchanged: 0, changed: [{ document: job.document, name: this.#mapping.name, new_bytes: false, changes }], mappings: [this.#mapping] } satisfies ImportOutcome;
      }
      case "draft":
        this.#rows.push(...this.#drafts.write(job.writer.by === "rules" ? "rules" : `${job.writer.by}:${job.writer.model}`));
        return undefined;
      case "augment":
        this.#rows.push(...this.#drafts.derive(this.#rows));
        return { kind: "synonyms", parents: 4, drafts: 4, unchanged: 0, failed: 0, reason: "" };
      case "clean": {
        const named = job.rules.length > 0 ? job.rules : this.#rules.map((rule) => rule.rule);
        const measures = (rule: RuleHits): boolean => rule.rule === "perplexity" && job.rules.includes("perplexity");
        this.#rules = this.#rules.map((rule) => (named.includes(rule.rule) ? { ...rule, ...(measures(rule) ? found.measured : {}), applied: rule.applied || !job.preview, options: withOptions(rule.options, job.set ?? {}) } : rule));
        return { preview: job.preview, rules: this.#rules.filter((rule) => named.includes(rule.rule)).map((rule) => ({ ...rule, applied: !job.preview })) };
      }
      case "undo":
        this.#rules = this.#rules.map((rule) => (rule.rule === job.rule ? { ...rule, applied: false } : rule));
        return { rule: job.rule, rows: 0 };
      case "plan":
        return { ...story.plan, preset: job.preset, seconds: story.plan.seconds * { quick: 0.3, balanced: 1, thorough: 2.4 }[job.preset as "quick"] };
      case "eval":
        this.#examined = true;
        return story.report;
      case "chat":
        for (const message of ["Leave the doses ", "inside and call ", "the lead nurse."]) heard({ event: "notice", code: "token", message });
        return { text: "Leave the doses inside and call the lead nurse.", tokens: [], prompt_tokens: 12 };
      case "export": {
        const entry = this.#entry(job.name);
        this.#exports = [entry, ...this.#exports.filter((each) => each.name !== job.name)];
        return { folder: entry.dir, model_file: entry.model, bytes: entry.bytes, quantisation: job.quantize as Quantisation, modelfile: "", warnings: [], ollama_name: job.ollama ?? null, proof: job.ollama ? this.#proof(job.ollama) : null } satisfies ExportOutcome;
      }
      case "row_view": {
        const row = this.#rows.find((each) => each.id === job.id);
        const [asked, answer] = row?.messages ?? [];
        const pieces = asked && answer
          ? [{ text: "<start_of_turn>user\n", kind: "template" }, { text: asked.content, kind: "read" }, { text: "<end_of_turn>\n<start_of_turn>model\n", kind: "template" }, { text: answer.content, kind: "learned" }, { text: "<end_of_turn>\n", kind: "learned" }]
          : [{ text: row?.text ?? "", kind: "learned" }];
        return { row, pieces, tokens: 83, trained_tokens: 51, cut_tokens: 0 };
      }
      case "seen":
        return { max_seq_len: 1024, rows: 290, other_kind: 32, tokens: 22_400, trained_tokens: 9_100, cut_tokens: 214, longest: 1_083, cut: [18, 97, 203], cut_rows: 3, nothing: [], nothing_rows: 0, refused: [], enough: "few_tokens" };
      case "split":
        this.#split = { seed: job.seed, valid: job.valid, exam: job.exam };
        return this.project().configure.rows;
      case "rows_export":
        return { folder: job.folder, files: [`${job.folder}/train.jsonl`, `${job.folder}/README.md`], rows: this.#rows.length };
      default:
        return undefined;
    }
  }

  #passing(rule: RuleHits, row: number, kept: boolean): RuleHits {
    const verdicts = kept ? rule.verdicts.filter((verdict) => verdict.row !== row) : (found.rules.find((each) => each.rule === rule.rule)?.verdicts ?? []);
    const by = kept ? -1 : 1;
    return { ...rule, verdicts, kept: rule.kept - by, changed: rule.changed + (rule.changed > 0 ? by : 0), dropped: rule.dropped + (rule.dropped > 0 ? by : 0) };
  }

  #proof(model: string): ExportOutcome["proof"] {
    const replays = story.report.answers.slice(0, 12).map((answer, index) => {
      const same = index !== 3;
      return { prompt: answer.question, hone: "… or when it smells, or if the skin around it is red.", ollama: "… or when it smells and if the skin around it is red.", tokens: same ? 41 : 44, same_tokens: same ? 41 : 30, same };
    });
    return { model, ollama_version: "0.12.3", renders: [], replays, same: false };
  }

  async #train(job: Extract<JobSpec, { kind: "train" | "resume" }>, heard: (event: Event) => void, stopped: () => boolean): Promise<void> {
    heard({ event: "stage", name: "preflight" });
    for (let done = 0; done < 3; done += 1) {
      heard({ event: "progress", done, total: 3, unit: "micro_batches" });
      await this.#wait(this.#pace * 3);
    }
    const from = job.kind === "resume" ? (this.#run?.state.step ?? 0) : 0;
    this.#cancelled.delete("run");
    this.#run = { state: this.#state(from), alive: true };
    this.#examined = false;
    heard({ event: "notice", code: "run", message: runId });
    const all = story.steps(192);
    for (let step = from + 1; step <= 192; step += 1) {
      await this.#wait(this.#pace);
      const ends = stopped() || this.#cancelled.has("run");
      const state: RunState = { ...this.#state(step - (ends ? 1 : 0)), status: ends ? "cancelled" : step === 192 ? "done" : "running" };
      const made = all[step - 1];
      if (!ends && made) this.#tell({ kind: "steps", all: false, steps: [made] });
      const sample = story.samples.filter((each) => each.step === (step === from + 1 ? 0 : step));
      if (sample.length > 0) this.#tell({ kind: "samples", all: false, samples: sample });
      this.#run = { state, alive: state.status === "running" };
      this.#tell({ kind: "state", ...this.#run });
      if (ends) return heard({ event: "cancelled" });
    }
    heard({ event: "done" });
  }
}

/** The options as the worker would have them after changes by name. */
function withOptions(options: CleanOptions, set: Record<string, string>): CleanOptions {
  const made = structuredClone(options) as unknown as Record<string, Record<string, unknown>>;
  for (const [name, value] of Object.entries(set)) {
    const [rule = "", option = ""] = name.split(".");
    const of = made[rule];
    if (of) of[option] = Array.isArray(of[option]) ? value.split(",").filter(Boolean) : typeof of[option] === "string" ? value : JSON.parse(value);
  }
  return made as unknown as CleanOptions;
}
