/** A problem that the visitor is told about. */
export class HttpProblem extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export function notFound(): never {
  throw new HttpProblem(404, 'There is nothing at this address.')
}
