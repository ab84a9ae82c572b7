// The review of drafts: the queue, what was decided, and how many have to be read before the rest may be approved at once.
import { host } from "../../host";
import type { Document } from "../../host/types/Document";
import type { DraftNote } from "../../host/types/DraftNote";
import type { ReviewState } from "../../host/types/ReviewState";
import type { Row } from "../../host/types/Row";
import type { RowFilter } from "../../host/types/RowFilter";
import { app } from "../../state/app.svelte";
import { toast } from "../../state/toast.svelte";
import { t } from "../../words/words.svelte";

const page = 200;
type Decision = "approved" | "rejected";

class Reviewing {
  rows = $state.raw<Row[] | null>(null);
  notes = $state.raw<Record<number, DraftNote>>({});
  documents = $state.raw<Document[]>([]);
  total = $state(0);
  at = $state(0);
  editing = $state(false);
  /** All drafts of the project. */
  all = $state.raw<ReviewState | null>(null);
  /** Those of the choice whose quote was found: they can be approved at once. */
  rest = $state.raw<ReviewState | null>(null);

  search = $state("");
  status = $state<"draft" | "approved" | "rejected" | "">("draft");
  kind = $state<NonNullable<RowFilter["kind"]> | "">("");
  grounding = $state<NonNullable<RowFilter["grounding"]> | "">("");
  document = $state("");

  #asked = 0;
  #visit = 0;

  get row(): Row | null {
    return this.rows?.[this.at] ?? null;
  }

  get note(): DraftNote | null {
    return this.row ? (this.notes[this.row.id] ?? null) : null;
  }

  get filter(): RowFilter {
    return { origin: "drafted", status: this.status || undefined, search: this.search.trim() || undefined, kind: this.kind || undefined, grounding: this.grounding || undefined, document: this.document || undefined };
  }

  /** How many more have to be read before the rest may be approved at once. */
  get unread(): number {
    return this.rest ? Math.max(0, this.rest.wanted - this.rest.read) : 0;
  }

  /** Reads the queue from its start, or the next page of it. */
  async read(filter: RowFilter, from = 0): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    if (app.visit !== this.#visit) {
      this.#visit = app.visit;
      this.rows = null;
      this.at = 0;
      this.editing = false;
      this.all = null;
      this.rest = null;
    }
    const mine = ++this.#asked;
    await app.attempt(async () => {
      const found = await host().call("rows", { dir, filter, offset: from, limit: page });
      if (mine !== this.#asked) return;
      this.rows = from === 0 ? found.rows : [...(this.rows ?? []), ...found.rows];
      this.notes = { ...(from === 0 ? {} : this.notes), ...Object.fromEntries(found.drafts.map((note) => [note.row, note])) };
      this.total = found.total;
      this.at = Math.min(this.at, Math.max(0, this.rows.length - 1));
    });
    await this.count();
  }

  async readDocuments(): Promise<void> {
    const dir = app.project?.dir;
    if (dir) await app.attempt(async () => void (this.documents = await host().call("documents", { dir })));
  }

  /** Counts what is decided. */
  async count(): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    await app.attempt(async () => {
      this.all = await host().call("review", { dir, filter: {} });
      this.rest = await host().call("review", { dir, filter: { ...this.filter, status: undefined, grounding: "found" } });
    });
  }

  /** Decides on the draft that is shown and goes to the next one that waits. */
  async decide(status: Decision): Promise<void> {
    const dir = app.project?.dir;
    const row = this.row;
    if (!dir || !row) return;
    const done = await app.attempt(async () => {
      await host().call("row_set_status", { dir, ids: [row.id], status });
      this.rows = this.rows?.map((each) => (each.id === row.id ? { ...each, status } : each)) ?? null;
    });
    if (!done) return;
    toast.say(t(status === "approved" ? "review_approved" : "review_rejected"), () => this.undo());
    const next = this.rows?.findIndex((each, index) => index > this.at && each.status === "draft") ?? -1;
    if (next >= 0) this.at = next;
    else await this.read(this.filter);
    await this.count();
    await app.refresh();
  }

  /** Approves every draft of the choice that waits and whose quote was found. */
  async approveRest(): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    await app.attempt(async () => {
      const decided = await host().call("row_decide_all", { dir, filter: { ...this.filter, status: undefined, grounding: "found" }, status: "approved" });
      toast.say(t("review_approved_rest", { n: decided.ids.length }), () => this.undo());
    });
    await this.read(this.filter);
    await app.refresh();
  }

  /** Takes the last decision back and shows its draft. */
  async undo(): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    await app.attempt(async () => {
      const undone = await host().call("row_undo", { dir });
      toast.close();
      if (!undone) return;
      await this.read(this.filter);
      const back = this.rows?.findIndex((each) => each.id === undone.ids[0]) ?? -1;
      if (back >= 0) this.at = back;
    });
    await app.refresh();
  }

  /** Keeps a changed draft; it still waits. */
  async save(changed: Row): Promise<void> {
    const dir = app.project?.dir;
    const before = this.row;
    if (!dir || !before) return;
    const put = async (row: Row): Promise<void> => {
      await host().call("row_edit", { dir, id: row.id, row });
      this.rows = this.rows?.map((each) => (each.id === row.id ? row : each)) ?? null;
    };
    if (!(await app.attempt(() => put(changed)))) return;
    this.editing = false;
    toast.say(t("row_changed"), () => put(before));
  }
}

export const reviewing = new Reviewing();
