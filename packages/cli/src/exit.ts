/** Thrown to end the command with another exit code than 0 or 1, once everything has been said. */
export class Exit {
  readonly code: number

  constructor(code: number) {
    this.code = code
  }
}
