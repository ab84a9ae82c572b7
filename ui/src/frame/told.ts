// The second line of each step in the rail: how it stands, in words.
import type { ProjectState } from "../host/types/ProjectState";
import type { StepName } from "../state/app.svelte";
import { clock, day, duration, percent } from "../words/format";
import { t } from "../words/words.svelte";

/** How a step stands. */
export function told(step: StepName, project: ProjectState): string {
  switch (step) {
    case "import": {
      const { documents, with_issues } = project.import.documents;
      if (documents === 0) return t("told_import_empty");
      return with_issues > 0 ? t("told_import_issues", { n: documents, m: with_issues }) : t("told_import", { n: documents });
    }
    case "clean": {
      const { drafts, left_out } = project.clean;
      if (project.import.rows === 0) return t("told_not_begun");
      if (drafts > 0) return t("told_drafts", { n: drafts });
      return project.clean.status === "done" ? t("told_rows", { n: project.import.rows - left_out }) : t("told_rows_found", { n: project.import.rows });
    }
    case "configure":
      return project.configure.status === "done" || project.configure.status === "now" ? t("told_configure", { n: project.configure.rows.train }) : t("told_not_begun");
    case "train": {
      const { run, alive, resumable } = project.train;
      if (!run) return t("told_not_begun");
      if (alive) return toldRun(run.step, run.total_steps, run.seconds_left);
      if (run.status === "done") return t("told_finished", { time: day(new Date(run.updated_at)) });
      if (resumable) return t(run.status === "cancelled" ? "told_paused" : "told_interrupted", { n: run.step });
      return run.status === "failed" ? t("told_failed") : t("told_stopped");
    }
    case "evaluate":
      if (project.evaluate.run) return project.evaluate.run === project.train.run?.id ? t("told_examined") : t("told_examined_older");
      return project.train.run?.status === "done" ? t("told_not_begun") : t("told_after_training");
    case "export": {
      const newest = project.export.exports[0];
      if (newest) return t("told_exported", { time: day(new Date(newest.written_at)) });
      return project.train.run?.status === "done" ? t("told_not_begun") : t("told_after_training");
    }
  }
}

function toldRun(step: number, total: number, secondsLeft: number | null | undefined): string {
  const share = total > 0 ? percent(step / total) : "";
  return typeof secondsLeft === "number" ? t("told_running", { share, left: duration(secondsLeft) }) : t("told_measuring", { share });
}

/** When something will be ready: `15:42`. */
export function readyAt(secondsLeft: number): string {
  return clock(new Date(Date.now() + secondsLeft * 1000));
}
