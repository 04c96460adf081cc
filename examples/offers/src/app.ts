import { fileURLToPath } from 'node:url'
import express, { type Express } from 'express'
import type { Board } from './board.js'
import { protectForms } from './http/csrf.js'
import type { LiveFeed } from './http/live-feed.js'
import { identify } from './http/page.js'
import { notFound } from './http/problems.js'
import { securityHeaders } from './http/security-headers.js'
import { sessions } from './http/session.js'
import { showProblem } from './http/show-problem.js'
import { accountRoutes } from './routes/account.js'
import { deadLetterRoutes } from './routes/dead-letters.js'
import { institutionRoutes } from './routes/institutions.js'
import { liveRoutes } from './routes/live.js'
import { mailRoutes } from './routes/mail.js'
import { offerRoutes } from './routes/offers.js'
import { publishRoutes } from './routes/publish.js'

const PUBLIC = fileURLToPath(new URL('../public', import.meta.url))

/** Puts the web application together. */
export function createApp(board: Board, feed: LiveFeed, sessionSecret: string): Express {
  const app = express()
  app.disable('x-powered-by')
  app.use(securityHeaders)
  app.use('/static', express.static(PUBLIC))
  app.use(sessions(board.sessions, sessionSecret))
  app.use(express.urlencoded({ extended: false, limit: '32kb' }))
  app.use(identify(board))
  app.use(protectForms)
  app.use(
    liveRoutes(feed),
    offerRoutes(board),
    publishRoutes(board),
    institutionRoutes(board),
    mailRoutes(board),
    deadLetterRoutes(board),
    accountRoutes(board),
  )
  app.use(notFound)
  app.use(showProblem)
  return app
}
