// The real program around the pages. The only file that imports Tauri.
import { Channel, invoke } from "@tauri-apps/api/core";
import { getCurrentWebview } from "@tauri-apps/api/webview";

import { asAppError, type Host } from "./index";

async function ask<Result>(name: string, args: object): Promise<Result> {
  try {
    return await invoke<Result>(name, { ...args });
  } catch (failure) {
    throw asAppError(failure);
  }
}

export const tauriHost: Host = {
  call: (name, args) => ask(name, args),

  stream(name, args, heard) {
    const channel = new Channel<Parameters<typeof heard>[0]>();
    channel.onmessage = heard;
    return ask(name, { ...args, channel });
  },

  onDrop(heard) {
    const stop = getCurrentWebview().onDragDropEvent(({ payload }) => {
      if (payload.type === "enter") heard({ kind: "over", paths: payload.paths });
      else if (payload.type === "drop") heard({ kind: "drop", paths: payload.paths });
      else if (payload.type === "leave") heard({ kind: "leave" });
    });
    return () => void stop.then((end) => end());
  },
};
