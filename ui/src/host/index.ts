// The one border between the pages and the program around them.
//
// Hooks for the test that drives the real window (`data-test`), stable by agreement:
//   welcome            new-project, project-name, base-model, create-project, open-folder, open-sample, recent-project,
//                      verdict, continue-training
//   rail               rail-{import|clean|configure|train|evaluate|export}, rail-home, settings
//   every step         step-{import|clean|configure|train|evaluate|export}, main-action, say, error-notice, job-progress,
//                      job-cancel
//   import             drop-zone, open-files, open-folder-import, document-row, remove-document, mapping
//   import, drafting   drafting, draft-writer, draft-address, draft-model, draft-leave, kind-{name}, draft-start, draft-again,
//                      draft-count, draft-failures, go-review
//   clean, review      tab-drafts, review, draft-list, draft-item, quote, grounding, edit-draft, reject-draft, draft-search,
//                      draft-{status|kind|grounding}, approve-rest, approve-rest-do, augment, augment-{how}, augment-start
//   clean              tab-rules, tab-rows, tab-seen, rule-{name}, undo-rule, row-item, approve, reject, edit-row, seen
//   configure          model-option, goal-{preset}, plan-time, plan-fits, measure, all-settings
//   train              run-status, time-left, health, loss-curve (data-points = steps drawn), sample-answer, stop, resume
//   evaluate           start-exam, verdict, measure-row, answer-row
//   export             size-{quantisation}, export-name, write-export, put-into-ollama, export-done, export-dir,
//                      show-folder, proof-row
//   settings           language-en, language-zh, theme-light, theme-dark, theme-system, settings-close
import type { Commands } from "./commands";
import type { AppError } from "./types/AppError";

/** What lies over the window while files are dragged across it, and what was let go. */
export type Drop = { kind: "over"; paths: string[] } | { kind: "leave" } | { kind: "drop"; paths: string[] };

type Command = keyof Commands;
/** Commands that also tell things while they work. */
export type Stream = { [Name in Command]: [Commands[Name]["events"]] extends [never] ? never : Name }[Command];

/** What the pages can ask of the program around them. Every rejection is an `AppError`. */
export interface Host {
  /** Asks one command of the shell. */
  call<Name extends Exclude<Command, Stream>>(name: Name, args: Commands[Name]["args"]): Promise<Commands[Name]["result"]>;
  /** Asks a command that tells things to `heard` meanwhile, and possibly after it has answered. */
  stream<Name extends Stream>(name: Name, args: Commands[Name]["args"], heard: (event: Commands[Name]["events"]) => void): Promise<Commands[Name]["result"]>;
  /** Tells of files dragged over the window, until the answer is called. */
  onDrop(heard: (drop: Drop) => void): () => void;
}

/** Any failure in the shape that the pages show. */
export function asAppError(failure: unknown): AppError {
  if (typeof failure === "object" && failure !== null && "code" in failure && "message" in failure) {
    return { hint: null, detail: null, ...(failure as Pick<AppError, "code" | "message">) };
  }
  const detail = failure instanceof Error ? (failure.stack ?? null) : null;
  return { code: "internal", message: failure instanceof Error ? failure.message : String(failure), hint: null, detail };
}

let chosen: Host | undefined;

/** Chooses the program around the pages, once, before anything is shown. */
export function setHost(host: Host): void {
  chosen = host;
}

/** The program around the pages. */
export function host(): Host {
  if (!chosen) throw new Error("no host was chosen");
  return chosen;
}
