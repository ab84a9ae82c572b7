// The project's documents as the Import page shows them, and taking in more of them.
import { host } from "../../host";
import type { ChangedFile } from "../../host/types/ChangedFile";
import type { Document } from "../../host/types/Document";
import type { DocumentYield } from "../../host/types/DocumentYield";
import type { ImportOutcome } from "../../host/types/ImportOutcome";
import type { Issue } from "../../host/types/Issue";
import type { MappedFile } from "../../host/types/MappedFile";
import type { Mapping } from "../../host/types/Mapping";
import type { JobSpec } from "../../host/types/JobSpec";
import { app } from "../../state/app.svelte";
import { work } from "../../state/work.svelte";

class Importing {
  documents = $state.raw<Document[] | null>(null);
  /** What each document gave, by its hash. */
  yields = $state.raw<Map<string, DocumentYield>>(new Map());
  /** What the last import could not read at all. */
  unread = $state.raw<Issue[]>([]);
  /** Files that gave something else in the last import than before. */
  changed = $state.raw<ChangedFile[]>([]);

  #visit = 0;

  get work() {
    return work("import");
  }

  /** Reads the documents; what was said of another project's import is forgotten. */
  async read(): Promise<void> {
    const dir = app.project?.dir;
    if (!dir) return;
    if (app.visit !== this.#visit) {
      this.#visit = app.visit;
      this.documents = null;
      this.unread = [];
      this.changed = [];
    }
    await app.attempt(async () => {
      const [documents, yields] = await Promise.all([host().call("documents", { dir }), host().call("document_yields", { dir })]);
      this.documents = documents;
      this.yields = new Map(yields.map((each) => [each.document, each]));
    });
  }

  /** How the columns of a document were understood; `null` where it has none. */
  async mapping(hash: string): Promise<MappedFile | null> {
    const dir = app.project?.dir;
    return dir ? host().call("document_mapping", { dir, hash }) : null;
  }

  /** Takes in files and folders; with `ocr`, scanned pages are read as text. */
  take(paths: string[], ocr = false): Promise<ImportOutcome | null> {
    return this.#run({ kind: "import", paths, ...(ocr ? { ocr } : {}) });
  }

  /** Reads a document's table anew, with other columns. */
  remap(document: string, mapping: Mapping): Promise<ImportOutcome | null> {
    return this.#run({ kind: "remap", document, mapping });
  }

  async #run(job: JobSpec): Promise<ImportOutcome | null> {
    const dir = app.project?.dir;
    if (!dir) return null;
    this.changed = [];
    const outcome = await this.work.run<ImportOutcome>(dir, job);
    await this.read();
    await app.refresh();
    if (outcome.end === "cancelled" || !outcome.value) return null;
    const known = new Set(this.documents?.map((document) => document.name));
    const unread = outcome.value.issues.filter((issue) => issue.kind === "unreadable" && !known.has(issue.file));
    this.unread = [...this.unread.filter((old) => !unread.some((issue) => issue.file === old.file) && !known.has(old.file)), ...unread];
    this.changed = outcome.value.changed;
    return outcome.value;
  }
}

export const importing = new Importing();
