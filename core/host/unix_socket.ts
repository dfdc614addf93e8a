/** Whether somebody listens on a Unix socket: it is opened and closed again at once, nothing is said. */
import { connect } from "node:net";

/** Resolves to whether something accepts connections at `path`. Never rejects. */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
