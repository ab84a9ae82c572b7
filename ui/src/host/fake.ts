// An in-memory host for development, component tests and pictures. Its numbers are made up and never shipped:
// a plain build does not hold this file. `?host=fake&step=train&scene=running&lang=zh&theme=dark` chooses what it plays.
import type { Host } from "./index";
import { FakeProgram, type Scene } from "./fake/program";

/** A host that plays a scene: where the story stands, in which language and light. */
export function fakeHost(asked: URLSearchParams): Host & { program: FakeProgram } {
  const program = new FakeProgram({
    scene: (asked.get("scene") ?? "all") as Scene,
    language: asked.get("lang"),
    theme: asked.get("theme"),
    pace: Number(asked.get("pace") ?? 60),
    drafts: asked.get("drafts"),
  });
  return {
    program,
    call: (name, args) => program.answer(name, args as Record<string, unknown>) as never,
    stream: (name, args, heard) => program.stream(name, args as Record<string, unknown>, heard as (event: unknown) => void) as never,
    onDrop: (heard) => program.onDrop(heard),
  };
}
