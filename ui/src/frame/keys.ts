// The keyboard where it is the same on every page: F6 goes round the window's regions, Ctrl Enter is the main action.

/** Handles a key press of the window; true when it was one of these. */
export function pageKey(event: KeyboardEvent): boolean {
  if (event.key === "F6") {
    goRound(event.shiftKey ? -1 : 1);
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    if (document.querySelector("dialog[open]")) return false;
    document.querySelector<HTMLButtonElement>('[data-test="main-action"]')?.click();
  } else {
    return false;
  }
  event.preventDefault();
  return true;
}

/** Whether single keys rest: a text is being written, or a dialog asks something. */
export function isWriting(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  const target = event.target;
  if (document.querySelector("dialog[open]")) return true;
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox]):not([type=radio])"));
}

function goRound(direction: number): void {
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")];
  const here = regions.findLastIndex((region) => region.contains(document.activeElement));
  const next = regions[(here + direction + regions.length) % regions.length];
  if (!next) return;
  const inside = next.querySelector<HTMLElement>('[aria-current], button:not(:disabled), a[href], input:not(:disabled), select, [tabindex="0"]');
  (inside && inside.closest("[data-region]") === next ? inside : next).focus();
}
