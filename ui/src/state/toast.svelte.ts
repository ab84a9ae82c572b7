// The last thing done, with the way back. It stays for twenty seconds, on the page where it was done.
import { app } from "./app.svelte";

type Done = { text: string; again?: () => Promise<void> | void };

class Toast {
  shown = $state.raw<Done | null>(null);

  /** Says what was done and how to take it back. */
  say(text: string, undo?: () => Promise<void> | void): void {
    const done: Done = undo ? { text, again: undo } : { text };
    this.shown = done;
    setTimeout(() => {
      if (this.shown === done) this.shown = null;
    }, 20_000);
  }

  /** Takes the last thing back. */
  async undo(): Promise<void> {
    const undo = this.shown?.again;
    this.shown = null;
    if (undo) await app.attempt(undo);
  }

  close(): void {
    this.shown = null;
  }
}

export const toast = new Toast();
