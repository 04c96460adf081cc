import { Router } from 'express'
import type { Board } from '../board.js'
import { institutionByName, institutions, setFollowing } from '../domain/institutions.js'
import { currentMember, membersOnly } from '../http/access.js'
import { fieldOf } from '../http/input.js'
import { memberOf, pageOf, send } from '../http/page.js'
import { notFound } from '../http/problems.js'
import { institutionsPage } from '../views/institutions.js'

/** The institutions, and following them. */
export function institutionRoutes({ pool, events }: Board): Router {
  const router = Router()

  router.get('/institutions', async (req, res) => {
    const all = await institutions(pool, memberOf(res)?.id)
    send(res, institutionsPage(pageOf(req, res), all))
  })

  router.post('/institutions/:name/follow', membersOnly, async (req, res) => {
    const name = String(req.params['name']).replaceAll('\0', '')
    const institution = await institutionByName(pool, name)
    if (institution === undefined) notFound()
    const member = currentMember(res)
    await setFollowing(pool, member.id, institution.name, fieldOf(req, 'following') === 'yes')
    const followers = (await institutionByName(pool, name))?.followers ?? 0
    await events.publish({ kind: 'followed', institution: institution.name, followers })
    res.redirect(303, cameFrom(req.get('Referer')))
  })

  return router
}

/** The page on which the button was pressed; only its path, so that it cannot lead elsewhere. */
function cameFrom(referer: string | undefined): string {
  if (referer === undefined || !URL.canParse(referer)) return '/institutions'
  return new URL(referer).pathname.replace(/^\/+/, '/')
}
