import { Router } from 'express'
import type { Board } from '../board.js'
import { mailsOf } from '../domain/mail.js'
import { currentMember, membersOnly } from '../http/access.js'
import { pageOf, send } from '../http/page.js'
import { mailPage } from '../views/mail.js'

/** A member's mails. */
export function mailRoutes({ pool }: Board): Router {
  const router = Router()
  router.get('/mail', membersOnly, async (req, res) => {
    send(res, mailPage(pageOf(req, res), await mailsOf(pool, currentMember(res).id)))
  })
  return router
}
