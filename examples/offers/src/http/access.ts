import type { NextFunction, Request, Response } from 'express'
import type { Member } from '../domain/members.js'
import { memberOf } from './page.js'
import { HttpProblem, notFound } from './problems.js'

/** Lets members through and sends everyone else to log in. */
export function membersOnly(_req: Request, res: Response, next: NextFunction): void {
  if (memberOf(res) === undefined) res.redirect(303, '/login')
  else next()
}

/** Lets administrators through; to others the page does not exist. */
export function adminsOnly(_req: Request, res: Response, next: NextFunction): void {
  if (memberOf(res)?.admin !== true) notFound()
  next()
}

/** The member behind a request that {@link membersOnly} let through. */
export function currentMember(res: Response): Member {
  const member = memberOf(res)
  if (member === undefined) throw new HttpProblem(403, 'Please log in.')
  return member
}
