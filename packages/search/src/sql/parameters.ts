/** The values of a statement, in the order in which its text names them. */
export class Parameters {
  readonly values: unknown[] = []

  /** Takes a value and answers what stands for it in the text. */
  readonly add = (value: unknown): string => `$${this.values.push(value)}`
}
