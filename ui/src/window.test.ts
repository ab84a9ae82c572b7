// The window as a person uses it, over the in-memory host: what is pressed and what is then to be read.
import { flushSync, mount, unmount } from "svelte";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import App from "./app.svelte";
import { setHost } from "./host";
import { fakeHost } from "./host/fake";
import { app } from "./state/app.svelte";
import { toast } from "./state/toast.svelte";
import { training } from "./state/training.svelte";
import { forgetWorks } from "./state/work.svelte";

let host: ReturnType<typeof fakeHost>;
let component: ReturnType<typeof mount> | undefined;

/** Opens the window on a scene of the story. */
async function open(scene: string, more = ""): Promise<void> {
  host = fakeHost(new URLSearchParams(`scene=${scene}&pace=2${more}${more.includes("lang=") ? "" : "&lang=en"}`));
  setHost(host);
  await app.readSettings();
  component = mount(App, { target: document.body });
  await until(() => find("welcome") !== null && app.recent !== null);
}

/** Opens the window and in it the project. */
async function openProject(scene: string, more = ""): Promise<void> {
  await open(scene, more);
  await press("recent-project");
  await until(() => find("welcome") === null);
}

const find = (hook: string): HTMLElement | null => document.querySelector(`[data-test="${hook}"]`);
const all = (hook: string): HTMLElement[] => [...document.querySelectorAll<HTMLElement>(`[data-test="${hook}"]`)];
const text = (hook: string): string => find(hook)?.textContent?.replace(/\s+/g, " ").trim() ?? "";

async function until(holds: () => boolean): Promise<void> {
  await vi.waitFor(() => {
    flushSync();
    if (!holds()) throw new Error(`still waiting; the page says: ${document.body.textContent?.replace(/\s+/g, " ").slice(-700)}`);
  }, { timeout: 20_000, interval: 5 });
}

async function press(hook: string): Promise<void> {
  await until(() => find(hook) !== null);
  const found = find(hook);
  (found?.matches("button, input") ? found : found?.querySelector<HTMLElement>("button, input"))?.click();
  flushSync();
}

function key(key: string, more: KeyboardEventInit = {}): void {
  (document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  flushSync();
}

beforeEach(() => {
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener: () => undefined, removeEventListener: () => undefined }));
  if (!HTMLDialogElement.prototype.showModal) HTMLDialogElement.prototype.showModal = function () { this.open = true; };
});

afterEach(close);

async function close(): Promise<void> {
  if (component) await unmount(component);
  component = undefined;
  document.body.innerHTML = "";
  app.page = "welcome";
  app.project = null;
  app.recent = null;
  app.error = null;
  app.settingsOpen = false;
  toast.close();
  training.clear();
  forgetWorks();
}

test("scanned pages are read as text where the computer can, and then say so", async () => {
  await openProject("imported");
  app.page = "import";
  await until(() => all("document-row").length === 6);
  all("document-row")[0]?.click();
  await until(() => document.body.textContent?.includes("they look scanned") === true);
  await press("recognise");
  await until(() => document.body.textContent?.includes("recognised from pictures, 91 % sure") === true);
  expect(find("recognise")).toBeNull();
});

test("the whole way: from dropped files to a model in Ollama with its proof", async () => {
  await openProject("empty");
  expect(find("step-import")).not.toBeNull();
  host.program.drop(["/home/ada/Clinic"]);
  await until(() => all("document-row").length === 6);
  expect(text("unread-row")).toContain("only pictures");
  expect(find("mapping")).not.toBeNull();

  await press("main-action");
  await until(() => text("main-action") === "Apply 7 rules");
  await press("main-action");
  await until(() => text("main-action").startsWith("Continue with"));
  expect(host.program.project().clean.rules).toContain("duplicates");

  await press("main-action");
  await until(() => text("plan-time") === "About 7 min");
  await press("main-action");
  await until(() => Number(find("loss-curve")?.dataset.points) > 5);
  await until(() => find("run-status")?.dataset.status === "done");
  expect(all("sample-answer").length).toBe(3);

  await press("main-action");
  await press("start-exam");
  await until(() => text("verdict").startsWith("It answers 14 of 33"));
  expect(all("measure-row").map((row) => row.dataset.verdict)).toEqual(["better", "better", "better", "unclear"]);

  await press("main-action");
  await press("put-into-ollama");
  await until(() => all("proof-row").length === 12);
  expect(text("export-dir")).toContain("exports/lindenhof-handbook");
});

test("a training that another window began is shown as it is, and can be stopped and continued", async () => {
  await openProject("running");
  await until(() => find("run-status")?.dataset.status === "running");
  expect(find("run-status")?.dataset.step).toBe("121");
  expect(find("loss-curve")?.dataset.points).toBe("122");
  await press("stop");
  expect(host.program.asked.at(-1)?.name).toBe("run_cancel");

  await close();
  await openProject("stopped");
  await until(() => find("run-status")?.dataset.status === "cancelled");
  expect(text("say")).toContain("Step 121 is saved");
  await press("resume");
  await until(() => find("run-status")?.dataset.status === "done");
  expect(find("run-status")?.dataset.step).toBe("192");
});

test("stopping a run that this window began saves it and offers to continue", async () => {
  await openProject("cleaned");
  await until(() => find("plan-time") !== null);
  await press("main-action");
  await until(() => Number(find("run-status")?.dataset.step) > 3);
  await press("stop");
  await until(() => find("run-status")?.dataset.status === "cancelled");
  expect(find("resume")).not.toBeNull();
});

test("the first page offers to continue what was cut off", async () => {
  await open("stopped");
  await until(() => find("resume-card") !== null);
  expect(text("resume-card")).toContain("step 121 of 192");
  await press("continue-training");
  await until(() => find("run-status")?.dataset.status === "running");
});

test("a failed job says what to do, in the window's language, and the page stays usable", async () => {
  await openProject("cleaned");
  await press("rail-export");
  await until(() => text("step-export").includes("No finished training yet"));

  host.program.failures.set("plan", { code: "bad_config", message: "there is no knob `x`", hint: "Choose another", detail: null });
  await press("rail-configure");
  await until(() => find("error-notice") !== null);
  expect(find("error-notice")?.getAttribute("role")).toBe("alert");
  expect(text("error-notice")).toContain("there is no knob `x`");
  await press("settings");
  await press("language-zh");
  expect(text("error-notice")).toContain("有一项设置不合适");
  expect(document.documentElement.lang).toBe("zh-CN");
});

test("language and light are kept", async () => {
  await open("new");
  await press("settings");
  await press("theme-dark");
  await press("language-zh");
  expect(document.documentElement.dataset.theme).toBe("dark");
  await until(() => text("verdict").includes("这台电脑"));
  expect(await host.call("settings_read", {})).toEqual({ language: "zh", theme: "dark" });
});

test("the main action answers to Ctrl Enter and F6 goes round", async () => {
  await openProject("imported");
  await until(() => text("main-action") === "Apply 7 rules");
  key("F6");
  const first = document.activeElement?.closest("[data-region]")?.getAttribute("data-region");
  key("F6");
  expect(document.activeElement?.closest("[data-region]")?.getAttribute("data-region")).not.toBe(first);
  key("Enter", { ctrlKey: true });
  await until(() => text("main-action").startsWith("Continue with"));
});

test("rows are decided by keys and taken back", async () => {
  await openProject("cleaned");
  await press("rail-clean");
  await press("tab-rows");
  await until(() => all("row-item").length > 100);
  key("r");
  await until(() => text("toast").includes("left out"));
  expect(host.program.project().clean.left_out).toBe(2);
  key("z");
  await until(() => host.program.project().clean.left_out === 1);
  key("j");
  expect(document.querySelector('[role="option"][aria-selected="true"]')?.getAttribute("data-at")).toBe("2");
});

const job = (kind: string): Record<string, unknown> | undefined => host.program.asked.filter((each) => each.name === "job_start").map((each) => each.args.job as Record<string, unknown>).findLast((each) => each.kind === kind);

test("a careful rule is off until it is switched on, with what was chosen about it", async () => {
  await openProject("imported");
  await press("look-personal");
  await until(() => text("rule-told").includes("would change 38 rows"));
  expect(text("main-action")).toBe("Apply 7 rules");
  await until(() => !(find("option-action") as HTMLSelectElement).disabled);
  const action = find("option-action") as HTMLSelectElement;
  action.value = "drop";
  action.dispatchEvent(new Event("change", { bubbles: true }));
  await until(() => (job("clean")?.set as Record<string, string>)?.["personal.action"] === "drop");
  expect(job("clean")?.preview).toBe(true);
  await until(() => !(find("apply-rule") as HTMLButtonElement).disabled);
  await press("apply-rule");
  await until(() => host.program.project().clean.rules.includes("personal"));
  expect(job("clean")).toMatchObject({ rules: ["personal"], preview: false, set: { "personal.action": "drop" } });
  await press("undo-rule");
  await until(() => !host.program.project().clean.rules.includes("personal"));
});

test("rules that find nothing are folded, and one hit can be kept as it was", async () => {
  await openProject("imported");
  await until(() => text("quiet-rules").includes("find nothing"));
  expect(find("rule-html")).toBeNull();
  await press("quiet-rules");
  expect(find("rule-html")).not.toBeNull();
  await press("look-whitespace");
  await until(() => text("rule-hit").includes("row 18"));
  key("j");
  await until(() => text("rule-hit").includes("row 40"));
  await press("keep-hit");
  await until(() => text("rule-told").includes("1 left as they were"));
  expect(host.program.asked.find((each) => each.name === "rule_keep")?.args).toMatchObject({ rule: "whitespace", row: 40, kept: true });
});

test("rows that are nearly the same are shown with the one that stays", async () => {
  await openProject("imported");
  await press("look-near_duplicates");
  await until(() => text("rule-hit").includes("Row 8, stays") && text("rule-hit").includes("Row 214"));
  expect(document.querySelectorAll('[data-test="rule-hit"] ins').length).toBeGreaterThan(0);
});

test("how unusual rows are is measured when asked for, and shown before a mark is chosen", async () => {
  await openProject("imported");
  await until(() => find("quiet-rules") !== null);
  await press("quiet-rules");
  await press("look-perplexity");
  await press("measure");
  await until(() => text("quantiles").includes("50 % of the rows up to 31"));
  expect(host.program.project().clean.rules).not.toContain("perplexity");
});

test("the parts are drawn anew and what the model will see is summed up", async () => {
  await openProject("imported");
  await press("open-parts");
  const exam = find("parts-exam") as HTMLInputElement;
  exam.value = "20";
  exam.dispatchEvent(new Event("input", { bubbles: true }));
  await press("parts-draw");
  await until(() => host.program.project().clean.split.exam === 20);
  await press("tab-seen");
  await until(() => text("enough").includes("Less than 100,000 word pieces"));
  await press("long-split");
  await until(() => (job("clean")?.set as Record<string, string>)?.["too_long.action"] === "split");
});

test("a new project needs a name that a folder can have", async () => {
  await open("new");
  await press("new-project");
  await until(() => find("project-name") !== null);
  const name = find("project-name") as HTMLInputElement;
  name.value = "Handbook: 2026/27";
  name.dispatchEvent(new Event("input", { bubbles: true }));
  await press("create-project");
  expect(document.body.textContent).toContain("cannot hold “:”");
  expect(host.program.asked.some((each) => each.name === "project_create")).toBe(false);
  name.value = "Handbook 2026-27";
  name.dispatchEvent(new Event("input", { bubbles: true }));
  await press("create-project");
  await until(() => app.project !== null);
});

test("questions are drafted, reviewed with the keyboard, and what is decided can be taken back", async () => {
  await openProject("imported");
  await press("rail-import");
  await until(() => find("drafting") !== null);
  expect(find("tab-drafts")).toBeNull();
  await press("draft-start");
  await until(() => text("draft-count") === "24");
  expect(host.program.asked.find((each) => each.name === "job_start" && (each.args.job as { kind: string }).kind === "draft")?.args.job).toMatchObject({ writer: { by: "rules", leave: false } });
  await press("go-review");
  await until(() => all("draft-item").length === 24);
  const decided = (): number => all("draft-item").filter((item) => item.dataset.status !== "draft").length;
  expect(text("quote")).toContain("leave the vaccines inside");
  expect(text("grounding")).toBe("quote found");
  key("a");
  await until(() => decided() === 1);
  key("j");
  key("r");
  await until(() => decided() === 2);
  key("z");
  // Read anew: the one that is approved stays out, the one that was taken back is shown.
  await until(() => all("draft-item").length === 23 && decided() === 0);
  key("e");
  await until(() => document.querySelector("textarea") !== null);
  key("a");
  expect(decided(), "keys rest while a text is written").toBe(0);
});

test("drafting that gave nothing says so in the window's language, and the passages that failed are named", async () => {
  await openProject("imported", "&drafts=failed&lang=zh");
  await press("rail-import");
  await until(() => find("draft-failures") !== null);
  expect(text("draft-failures")).toContain("the answer is not JSON");
  host.program.failures.set("draft", { code: "no_rows", message: "No question came out of 2 passages", hint: "Choose another model", detail: null });
  await press("draft-start");
  await until(() => find("error-notice") !== null);
  expect(text("error-notice")).toContain("没有起草出问答");
  expect(text("error-notice")).toContain("No question came out of 2 passages");
});

test("the rest is approved at once only after a sample was read", async () => {
  await openProject("imported", "&drafts=waiting");
  await press("rail-clean");
  await press("tab-drafts");
  await until(() => all("draft-item").length === 24);
  expect(find("approve-rest")).toBeNull();
  expect(text("say")).toContain("Read 1 more");
  key("a");
  await until(() => find("approve-rest") !== null);
  await press("approve-rest");
  await press("approve-rest-do");
  await until(() => all("draft-item").length === 10);
  expect(all("draft-item").every((item) => !/What should I do|Nothing is discarded/.test(item.textContent ?? ""))).toBe(true);
  await press("augment");
  await press("augment-start");
  await until(() => all("draft-item").length === 14);
});

test("a server on another computer is not asked before a yes that says what leaves", async () => {
  await openProject("imported");
  await press("rail-import");
  await until(() => find("draft-writer") !== null);
  const choose = (hook: string, value: string): void => {
    const field = find(hook) as HTMLInputElement | HTMLSelectElement;
    field.value = value;
    field.dispatchEvent(new globalThis.Event(field instanceof HTMLSelectElement ? "change" : "input", { bubbles: true }));
    flushSync();
  };
  choose("draft-writer", "endpoint:");
  await until(() => find("draft-address") !== null);
  choose("draft-address", "http://127.0.0.1:8080/v1");
  choose("draft-model", "qwen3");
  await until(() => !(find("draft-start") as HTMLButtonElement).disabled);
  expect(find("draft-leaves")).toBeNull();
  choose("draft-address", "https://api.example.com/v1");
  await until(() => find("draft-leaves") !== null);
  expect((find("draft-start") as HTMLButtonElement).disabled).toBe(true);
  expect(text("draft-missing")).toContain("leave this computer");
  await press("draft-leave");
  await press("draft-start");
  await until(() => host.program.asked.some((each) => each.name === "job_start"));
  const job = host.program.asked.find((each) => each.name === "job_start" && (each.args.job as { kind: string }).kind === "draft");
  expect(job?.args.job).toMatchObject({ writer: { by: "endpoint", address: "https://api.example.com/v1", model: "qwen3", leave: true } });
});
