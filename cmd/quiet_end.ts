/** The end of a command about which there is nothing more to say: the exit code says it. */
export class QuietEnd extends Error {
  override name = "QuietEnd";
  readonly exit_code: number;

  constructor(exit_code: number, why: string, cause?: unknown) {
    super(why, cause === undefined ? undefined : { cause });
    this.exit_code = exit_code;
  }
}
