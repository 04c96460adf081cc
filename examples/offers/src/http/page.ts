import type { NextFunction, Request, Response } from 'express'
import type { Board } from '../board.js'
import { countMails } from '../domain/mail.js'
import { type Member, memberById } from '../domain/members.js'
import type { Html } from '../views/html.js'
import type { Page } from '../views/page.js'
import { csrfToken } from './csrf.js'

interface Locals {
  member?: Member
  mails?: number
}

/** Finds out who is asking. */
export function identify({ pool }: Board) {
  return async (req: Request, res: Response, next: NextFunction): Promise<void> => {
    const { memberId } = req.session
    if (memberId !== undefined) {
      const locals = res.locals as Locals
      const [member, mails] = await Promise.all([
        memberById(pool, memberId),
        countMails(pool, memberId),
      ])
      if (member !== undefined) Object.assign(locals, { member, mails })
    }
    next()
  }
}

/** Answers who is asking, if they are logged in. */
export function memberOf(res: Response): Member | undefined {
  return (res.locals as Locals).member
}

/** Describes the request to the views. */
export function pageOf(req: Request, res: Response): Page {
  const { member, mails = 0 } = res.locals as Locals
  return {
    path: req.path,
    member,
    mails,
    // Read only where a form is written, so that looking around starts no session.
    get csrfToken() {
      return csrfToken(req)
    },
  }
}

export function send(res: Response, page: Html): void {
  res.type('html').send(page.text)
}
