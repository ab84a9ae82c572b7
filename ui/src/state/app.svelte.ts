// What the window shows now. Nothing here is the truth: all of it is read from the host again when asked.
import { asAppError, host } from "../host";
import type { BaseModel } from "../host/types/BaseModel";
import type { DoctorReport } from "../host/types/DoctorReport";
import type { ProjectState } from "../host/types/ProjectState";
import type { RecentProject } from "../host/types/RecentProject";
import type { Settings } from "../host/types/Settings";
import type { Theme } from "../host/types/Theme";
import type { AppError } from "../host/types/AppError";
import { desktopLanguage, speak, type Language } from "../words/words.svelte";
import { training } from "./training.svelte";
import { forgetWorks } from "./work.svelte";

export const steps = ["import", "clean", "configure", "train", "evaluate", "export"] as const;
export type StepName = (typeof steps)[number];
export type Page = "welcome" | "computer" | StepName;

class App {
  page = $state<Page>("welcome");
  /** Counts the times a project was entered: what pages remember of a project belongs to one visit. */
  visit = $state(0);
  settingsOpen = $state(false);
  settings = $state<Settings>({ language: null, theme: "system" });
  project = $state<ProjectState | null>(null);
  machine = $state<DoctorReport | null>(null);
  models = $state<BaseModel[] | null>(null);
  recent = $state<RecentProject[] | null>(null);
  /** The project that was open last, looked at for the first page. */
  last = $state.raw<ProjectState | null>(null);
  error = $state<AppError | null>(null);

  /** Takes over the language and theme that were chosen. */
  async readSettings(): Promise<void> {
    await this.attempt(async () => this.#use(await host().call("settings_read", {})));
  }

  /** Reads what the first page needs. Each part appears when it is there. */
  async start(): Promise<void> {
    await this.attempt(async () => {
      const first = await host().call("first_project", {});
      if (first) await this.open(first);
    });
    await Promise.all([
      this.readRecent(),
      this.attempt(async () => void (this.machine = await host().call("machine", {}))),
      this.readModels(),
    ]);
  }

  /** Reads the projects opened before, and how the newest of them stands. */
  async readRecent(): Promise<void> {
    await this.attempt(async () => {
      this.recent = await host().call("recent_projects", {});
      const newest = this.recent[0];
      this.last = newest ? await host().call("project_open", { dir: newest.dir }).catch(() => null) : null;
    });
  }

  /** Reads the base models that are at hand. */
  async readModels(): Promise<void> {
    await this.attempt(async () => void (this.models = await host().call("models", {})));
  }

  /** Opens a project folder at the step where it stands. */
  async open(dir: string): Promise<boolean> {
    return this.attempt(async () => this.enter(await host().call("project_open", { dir })));
  }

  /** Shows a project at the step where it stands. */
  enter(project: ProjectState): void {
    if (this.project?.dir !== project.dir) {
      training.clear();
      forgetWorks();
      this.visit += 1;
    }
    this.project = project;
    this.page = steps.find((step) => project[step].status === "running" || project[step].status === "now") ?? "export";
  }

  /** Reads the project's state again, after something in it changed. */
  async refresh(): Promise<void> {
    const dir = this.project?.dir;
    if (!dir) return;
    await this.attempt(async () => {
      const project = await host().call("project_state", { dir });
      if (this.project?.dir === dir) this.project = project;
    });
  }

  /** Goes back to the list of projects. */
  async home(): Promise<void> {
    this.page = "welcome";
    this.project = null;
    training.clear();
    forgetWorks();
    await this.readRecent();
  }

  async setLanguage(language: Language): Promise<void> {
    await this.#change({ ...this.settings, language });
  }

  async setTheme(theme: Theme): Promise<void> {
    await this.#change({ ...this.settings, theme });
  }

  /** Runs something; a failure is shown on the page. */
  async attempt(action: () => Promise<void> | void): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (failure) {
      this.error = asAppError(failure);
      return false;
    }
  }

  async #change(settings: Settings): Promise<void> {
    this.#use(settings);
    await this.attempt(async () => void (await host().call("settings_write", { settings: $state.snapshot(this.settings) })));
  }

  #use(settings: Settings): void {
    this.settings = settings;
    speak(settings.language === "zh" || settings.language === "en" ? settings.language : desktopLanguage());
    if (settings.theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = settings.theme;
  }
}

export const app = new App();
