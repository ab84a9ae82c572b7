// The exam's report as the lines of a table. Right is always better: measures where less is better are turned round.
import type { EvalReport } from "../../host/types/EvalReport";
import type { Interval } from "../../host/types/Interval";

export type Verdict = "better" | "unclear" | "worse";
export type Measure = {
  name: "facts" | "f1" | "held_out" | "forgetting";
  /** `share`: 0 to 1, told in percent. `nats`: surprise per word piece. */
  unit: "share" | "nats";
  before: number;
  after: number;
  /** `after - before`, as it is. */
  change: Interval;
  /** The same, turned so that more is better. */
  gain: Interval;
  verdict: Verdict;
};

const turned = ({ estimate, low, high }: Interval): Interval => ({ estimate: -estimate, low: -high, high: -low });

/** What the exam says about the user's own pages. */
export function ownMeasures(report: EvalReport): Measure[] {
  const found: Measure[] = [];
  if (report.facts) found.push({ name: "facts", unit: "share", ...report.facts, gain: report.facts.change });
  if (report.f1) found.push({ name: "f1", unit: "share", ...report.f1, gain: report.f1.change });
  const { before, after, change, verdict } = report.held_out;
  found.push({ name: "held_out", unit: "nats", before, after, change, gain: turned(change), verdict });
  return found;
}

/** What the exam says about everything else. */
export function forgotMeasure(report: EvalReport): Measure {
  const { before, after, change, verdict } = report.forgetting;
  return { name: "forgetting", unit: "nats", before, after, change, gain: turned(change), verdict };
}

/** How many of the exam's questions each model answered with the right fact. */
export function rightAnswers(report: EvalReport): { before: number; after: number; all: number } {
  const count = (right: (answer: EvalReport["answers"][number]) => boolean): number => report.answers.filter(right).length;
  return { before: count((each) => each.fact_before), after: count((each) => each.fact_after), all: report.answers.length };
}
