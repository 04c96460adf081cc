import type { NextFunction, Request, Response } from 'express'
import { messagePage } from '../views/message.js'
import { pageOf, send } from './page.js'
import { HttpProblem } from './problems.js'

/** Turns errors into pages. What is not the visitor's doing is logged, and not shown. */
export function showProblem(error: unknown, req: Request, res: Response, next: NextFunction): void {
  if (res.headersSent) {
    next(error)
    return
  }
  const status = statusOf(error)
  const known = error instanceof HttpProblem
  if (status >= 500) console.error(error)
  const message = known ? error.message : 'That did not work. Please try again.'
  send(res.status(status), messagePage(pageOf(req, res), titleOf(status), message))
}

/** Express's own errors, such as that of a body that is too large, carry a status as well. */
function statusOf(error: unknown): number {
  const status = (error as { status?: unknown } | null)?.status
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500
}

function titleOf(status: number): string {
  if (status === 404) return 'Not found'
  return status < 500 ? 'Not accepted' : 'Something went wrong'
}
