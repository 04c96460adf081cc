import { type Request, Router } from 'express'
import type { Board } from '../board.js'
import { institutions } from '../domain/institutions.js'
import { CATEGORIES } from '../domain/offers.js'
import { type Draft, publishOffer } from '../domain/publishing.js'
import { membersOnly } from '../http/access.js'
import { fieldOf } from '../http/input.js'
import { pageOf, send } from '../http/page.js'
import { EMPTY_FORM, type Problems } from '../views/forms.js'
import { publishPage, RUN_TIMES } from '../views/publish.js'

const FIELDS = ['title', 'body', 'institution', 'category', 'bonus', 'runsFor']

/** Publishing an offer. */
export function publishRoutes(board: Board): Router {
  const router = Router()
  const names = async () => (await institutions(board.pool)).map(({ name }) => name)

  router.get('/publish', membersOnly, async (req, res) => {
    send(res, publishPage(pageOf(req, res), EMPTY_FORM, await names()))
  })

  router.post('/publish', membersOnly, async (req, res) => {
    const known = await names()
    const draft = draftOf(req)
    const problems = problemsOf(draft, known)
    if (Object.keys(problems).length > 0) {
      const values = Object.fromEntries(FIELDS.map((name) => [name, fieldOf(req, name)]))
      send(res.status(422), publishPage(pageOf(req, res), { values, problems }, known))
      return
    }
    const offer = await publishOffer(board, draft)
    res.redirect(303, `/offers/${offer.id}`)
  })

  return router
}

function draftOf(req: Request): Draft {
  return {
    title: fieldOf(req, 'title'),
    body: fieldOf(req, 'body').replaceAll('\r\n', '\n'),
    institution: fieldOf(req, 'institution'),
    category: fieldOf(req, 'category'),
    bonus: Number(fieldOf(req, 'bonus') || Number.NaN),
    runsFor: Number(fieldOf(req, 'runsFor')),
  }
}

function problemsOf(draft: Draft, institutionNames: readonly string[]): Problems {
  const checks: Record<keyof Draft, [ok: boolean, message: string]> = {
    title: [within(draft.title, 120), 'Give a title of up to 120 characters.'],
    body: [within(draft.body, 4000), 'Say what one has to do, in up to 4,000 characters.'],
    institution: [institutionNames.includes(draft.institution), 'Choose an institution.'],
    category: [CATEGORIES.some((one) => one === draft.category), 'Choose a category.'],
    bonus: [
      Number.isInteger(draft.bonus) && draft.bonus >= 0 && draft.bonus <= 100_000,
      'The bonus must be a whole number from 0 to 100,000.',
    ],
    runsFor: [
      RUN_TIMES.some(([seconds]) => Number(seconds) === draft.runsFor),
      'Choose how long the offer runs.',
    ],
  }
  const failed = Object.entries(checks).filter(([, [ok]]) => !ok)
  return Object.fromEntries(failed.map(([name, [, message]]) => [name, message]))
}

function within(text: string, max: number): boolean {
  return text !== '' && text.length <= max
}
