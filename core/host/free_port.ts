/** A TCP port that nobody listens on now: for those who leave the choice to us and have to name it to others. */
import { createServer } from "node:net";
import { GcError, messageOf } from "../errors.ts";

/** @throws GcError unavailable `listen.failed` when this machine has no such address. */
export function freePort(hostname: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => {
      const what = `Cannot listen on "${hostname}": ${messageOf(error)}`;
      reject(new GcError("unavailable", "listen.failed", what, { cause: error }));
    });
    server.listen(0, hostname, () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
