/** A failure whose message is all that the person at the terminal needs: no stack is printed. */
export class CommandError extends Error {
  /** @override */
  name = 'CommandError'
}
