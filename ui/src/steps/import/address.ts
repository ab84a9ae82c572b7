// Whether an address is this computer's own. The worker decides; the page only asks in time.

/** True for `localhost` and the loopback addresses, with or without a scheme. */
export function isLocal(address: string): boolean {
  const text = address.trim();
  try {
    const host = new URL(text.includes("://") ? text : `http://${text}`).hostname;
    return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
  } catch {
    return false;
  }
}
