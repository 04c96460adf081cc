import { Router } from 'express'
import type { Board } from '../board.js'
import { deadMails, fullMailboxes, setMailbox } from '../domain/dead-letters.js'
import { adminsOnly } from '../http/access.js'
import { fieldOf } from '../http/input.js'
import { pageOf, send } from '../http/page.js'
import { notFound } from '../http/problems.js'
import { deadLettersPage } from '../views/dead-letters.js'

const ID = /^\d{1,18}$/

/** What the administrator does about mails that could not be sent. */
export function deadLetterRoutes(board: Board): Router {
  const router = Router()

  router.get('/dead-letters', adminsOnly, async (req, res) => {
    const [letters, mailboxes] = await Promise.all([deadMails(board), fullMailboxes(board.pool)])
    send(res, deadLettersPage(pageOf(req, res), letters, mailboxes))
  })

  router.post('/dead-letters/redrive', adminsOnly, async (req, res) => {
    const id = fieldOf(req, 'id')
    if (id !== '' && !ID.test(id)) notFound()
    await board.jobs.mails.redrive(id === '' ? undefined : [id])
    res.redirect(303, '/dead-letters')
  })

  router.post('/mailboxes/:id/empty', adminsOnly, async (req, res) => {
    const id = String(req.params['id'])
    if (!ID.test(id)) notFound()
    await setMailbox(board.pool, id, true)
    res.redirect(303, '/dead-letters')
  })

  return router
}
