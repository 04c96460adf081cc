import { Router } from 'express'
import type { LiveFeed } from '../http/live-feed.js'
import { memberOf } from '../http/page.js'

/** What open pages listen to. */
export function liveRoutes(feed: LiveFeed): Router {
  const router = Router()
  router.get('/live', (_req, res) => feed.open(res, memberOf(res)?.id))
  return router
}
