// The project's documents as the Import page shows them, and taking in more of them.
import { host } from "../../host";
import type { Document } from "../../host/types/Document";
import type { ImportOutcome } from "../../host/types/ImportOutcome";
import type { Issue } from "../../host/types/Issue";
import type { MappedFile } from "../../host/types/MappedFile";
import { app } from "../../state/app.svelte";
import { work } from "../../state/work.svelte";

class Importing {
  documents = $state.raw<Document[] | null>(null);
  /** What the last import could not read at all. */
  unread = $state.raw<Issue[]>([]);
  /** How the columns of the last import's tables were understood. */
  mappings = $state.raw<MappedFile[]>([]);

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
      this.mappings = [];
    }
    await app.attempt(async () => void (this.documents = await host().call("documents", { dir })));
  }

  /** Takes in files and folders. */
  async take(paths: string[], mapping?: Record<string, string>): Promise<ImportOutcome | null> {
    const dir = app.project?.dir;
    if (!dir) return null;
    const job = mapping ? { kind: "import" as const, paths, mapping } : { kind: "import" as const, paths };
    let outcome = await this.work.run<ImportOutcome>(dir, job);
    // A file that is here already is left as it is. Read with other columns it has to go first; that it was recognised
    // shows that it still lies where it came from.
    const same = this.documents?.find((document) => document.path === paths[0]);
    if (mapping && same && outcome.end === "done" && outcome.value?.unchanged === 1) {
      const removed = await app.attempt(async () => void (await host().call("document_remove", { dir, hash: same.hash })));
      if (removed) outcome = await this.work.run<ImportOutcome>(dir, job);
    }
    await this.read();
    await app.refresh();
    if (outcome.end === "cancelled" || !outcome.value) return null;
    const known = new Set(this.documents?.map((document) => document.name));
    const unread = outcome.value.issues.filter((issue) => issue.kind === "unreadable" && !known.has(issue.file));
    this.unread = [...this.unread.filter((old) => !unread.some((issue) => issue.file === old.file) && !known.has(old.file)), ...unread];
    const again = new Set(outcome.value.mappings.map((mapped) => mapped.document));
    this.mappings = [...this.mappings.filter((mapped) => !again.has(mapped.document)), ...outcome.value.mappings];
    return outcome.value;
  }
}

export const importing = new Importing();
