// Made from the list of commands in `src-tauri/commands/mod.rs`. Do not edit.

import type { BaseModel } from './types/BaseModel';
import type { Decided } from './types/Decided';
import type { DoctorReport } from './types/DoctorReport';
import type { Document } from './types/Document';
import type { DocumentYield } from './types/DocumentYield';
import type { DraftWriters } from './types/DraftWriters';
import type { DraftingState } from './types/DraftingState';
import type { EvalReport } from './types/EvalReport';
import type { Event } from './types/Event';
import type { ExportEntry } from './types/ExportEntry';
import type { JobSpec } from './types/JobSpec';
import type { MappedFile } from './types/MappedFile';
import type { Passage } from './types/Passage';
import type { ProjectState } from './types/ProjectState';
import type { RecentProject } from './types/RecentProject';
import type { ReviewState } from './types/ReviewState';
import type { Row } from './types/Row';
import type { RowFilter } from './types/RowFilter';
import type { RowPage } from './types/RowPage';
import type { RowStatus } from './types/RowStatus';
import type { Rule } from './types/Rule';
import type { RuleHits } from './types/RuleHits';
import type { RuleVerdict } from './types/RuleVerdict';
import type { RunState } from './types/RunState';
import type { RunUpdate } from './types/RunUpdate';
import type { RunView } from './types/RunView';
import type { Settings } from './types/Settings';

/** Every command by its name: what it takes, what it answers, what it streams. */
export interface Commands {
  /** This computer and what can be trained on it. */
  machine: { args: Record<string, never>; result: DoctorReport; events: never };
  /** The base models at hand. */
  models: { args: Record<string, never>; result: Array<BaseModel>; events: never };
  /** The user's settings. */
  settings_read: { args: Record<string, never>; result: Settings; events: never };
  /** Keeps the user's settings. */
  settings_write: { args: { settings: Settings }; result: void; events: never };
  /** The projects opened last, newest first. */
  recent_projects: { args: Record<string, never>; result: Array<RecentProject>; events: never };
  /** The project named on the command line. */
  first_project: { args: Record<string, never>; result: string | null; events: never };
  /** Makes a project and opens it; without `dir` in a folder of its name among the user's documents. */
  project_create: { args: { dir?: string | null; name: string; base: string; language?: string | null }; result: ProjectState; events: never };
  /** Opens a project. */
  project_open: { args: { dir: string }; result: ProjectState; events: never };
  /** The state of an opened project's steps. */
  project_state: { args: { dir: string }; result: ProjectState; events: never };
  /** Chooses another base model for the project. */
  project_set_base: { args: { dir: string; base: string }; result: ProjectState; events: never };
  /** Makes the sample project, or opens the one that is there. */
  sample_project: { args: Record<string, never>; result: ProjectState; events: never };
  /** Asks for documents with the system's dialog; none when it was closed. */
  pick_files: { args: { title: string }; result: Array<string>; events: never };
  /** Asks for a folder with the system's dialog. */
  pick_folder: { args: { title: string }; result: string | null; events: never };
  /** Asks for a GGUF file with the system's dialog. */
  pick_model: { args: { title: string }; result: string | null; events: never };
  /** Shows something of an opened project in the file manager or the browser. */
  reveal: { args: { path: string }; result: void; events: never };
  /** The project's documents. */
  documents: { args: { dir: string }; result: Array<Document>; events: never };
  /** How many passages and rows each document gave. */
  document_yields: { args: { dir: string }; result: Array<DocumentYield>; events: never };
  /** The passages of a document, in its order. */
  passages: { args: { dir: string; hash: string }; result: Array<Passage>; events: never };
  /** How the columns of a document were understood; none where it has no columns. */
  document_mapping: { args: { dir: string; hash: string }; result: MappedFile | null; events: never };
  /** Takes a document and its rows out of the project. */
  document_remove: { args: { dir: string; hash: string }; result: void; events: never };
  /** A page of rows. */
  rows: { args: { dir: string; filter: RowFilter; offset: number; limit: number }; result: RowPage; events: never };
  /** One row as it would be trained on. */
  row_read: { args: { dir: string; id: number }; result: Row; events: never };
  /** Approves or rejects rows. */
  row_set_status: { args: { dir: string; ids: Array<number>; status: RowStatus }; result: void; events: never };
  /** Approves or rejects all rows of a filter that wait for review. Approving asks for a sample first. */
  row_decide_all: { args: { dir: string; filter: RowFilter; status: RowStatus }; result: Decided; events: never };
  /** Takes the last approving or rejecting back; none when there is nothing to take back. */
  row_undo: { args: { dir: string }; result: Decided | null; events: never };
  /** How far the review of the drafts of a filter is. */
  review: { args: { dir: string; filter: RowFilter }; result: ReviewState; events: never };
  /** How far drafting is. */
  drafting: { args: { dir: string }; result: DraftingState; events: never };
  /** Who could write drafts. */
  draft_writers: { args: Record<string, never>; result: DraftWriters; events: never };
  /** Replaces what a row says. */
  row_edit: { args: { dir: string; id: number; row: Row }; result: void; events: never };
  /** The applied cleaning rules with their hits. */
  verdicts: { args: { dir: string }; result: Array<RuleHits>; events: never };
  /** Further hits of an applied cleaning rule. */
  rule_hits: { args: { dir: string; rule: Rule; offset: number }; result: Array<RuleVerdict>; events: never };
  /** Tells a cleaning rule to pass over a row, or not to any more. */
  rule_keep: { args: { dir: string; rule: Rule; row: number; kept: boolean }; result: void; events: never };
  /** Starts a worker. Its events come on the channel; the last is `done`, `cancelled` or `failed`. */
  job_start: { args: { dir?: string | null; job: JobSpec }; result: string; events: Event };
  /** Asks a job to stop at the next safe place. */
  job_cancel: { args: { id: string }; result: void; events: never };
  /** The project's trainings, newest first. */
  runs: { args: { dir: string }; result: Array<RunState>; events: never };
  /** A training with all its steps so far. */
  run_read: { args: { dir: string; run: string }; result: RunView; events: never };
  /** Follows a training, whoever started it, until it ends or another is followed. */
  run_follow: { args: { dir: string; run: string }; result: RunView; events: RunUpdate };
  /** Asks a training to stop with a checkpoint, whoever started it. */
  run_cancel: { args: { dir: string; run: string }; result: void; events: never };
  /** The result of a training's exam, once held. */
  run_report: { args: { dir: string; run: string }; result: EvalReport | null; events: never };
  /** The project's exports, newest first. */
  exports: { args: { dir: string }; result: Array<ExportEntry>; events: never };
}
