import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { NextFunction, Request, Response } from 'express'
import { fieldOf } from './input.js'
import { HttpProblem } from './problems.js'

/** The session's token, made when a page first needs it for a form. */
export function csrfToken(req: Request): string {
  req.session.csrf ??= randomBytes(18).toString('base64url')
  return req.session.csrf
}

/** Refuses a form that does not carry its session's token, so that no other site can send one in a member's name. */
export function protectForms(req: Request, _res: Response, next: NextFunction): void {
  const safe = req.method === 'GET' || req.method === 'HEAD'
  if (!safe && !matches(fieldOf(req, 'csrf'), req.session.csrf)) {
    throw new HttpProblem(403, 'This form has expired. Go back, load the page again and repeat.')
  }
  next()
}

function matches(given: string, expected: string | undefined): boolean {
  if (expected === undefined) return false
  const [a, b] = [Buffer.from(given), Buffer.from(expected)]
  return a.length === b.length && timingSafeEqual(a, b)
}
