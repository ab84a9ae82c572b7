import { expect, test } from "vitest";

import { isLocal } from "./address";

test("only the loopback is this computer", () => {
  for (const address of ["http://127.0.0.1:8080/v1", "localhost:1234/v1", "http://[::1]:1", " 127.8.9.1 "]) expect(isLocal(address), address).toBe(true);
  for (const address of ["https://api.example.com/v1", "192.168.1.5:11434", "http://localhost.example.com", "http://127.0.0.1.example.com", "", "http://"]) expect(isLocal(address), address).toBe(false);
});
