import { mount } from "svelte";

import "./tokens.css";
import "./base.css";
import App from "./app.svelte";
import { setHost } from "./host";
import { app, type Page } from "./state/app.svelte";

const asked = new URLSearchParams(location.search);

async function start(): Promise<void> {
  if (__FAKE_HOST__ && (asked.get("host") === "fake" || !("__TAURI_INTERNALS__" in window))) {
    const { fakeHost } = await import("./host/fake");
    setHost(fakeHost(asked));
  } else {
    const { tauriHost } = await import("./host/tauri");
    setHost(tauriHost);
  }
  // Before anything is drawn, so that no other language or theme flashes up.
  await app.readSettings();
  const step = asked.get("step");
  if (__FAKE_HOST__ && step) await show(step);
  const target = document.getElementById("app");
  if (target) mount(App, { target });
  if (__FAKE_HOST__) await press(asked.get("press"));
}

/** For pictures: a page at once, without the way to it. */
async function show(step: string): Promise<void> {
  if (step !== "welcome" && step !== "computer") await app.open("picture");
  app.page = step as Page;
}

/** For pictures: presses what is named, one after the other. */
async function press(hooks: string | null): Promise<void> {
  for (const hook of hooks?.split(",") ?? []) {
    await new Promise((later) => setTimeout(later, 500));
    const found = document.querySelector<HTMLElement>(`[data-test="${hook}"]`);
    (found?.matches("button, input, tr, summary") ? found : found?.querySelector<HTMLElement>("button, input"))?.click();
  }
}

void start();
