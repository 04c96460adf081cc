import { type Request, Router } from 'express'
import type { Board } from '../board.js'
import { hotLists } from '../domain/hot-lists.js'
import { institutionByName } from '../domain/institutions.js'
import { countView, offerById } from '../domain/offers.js'
import { type OfferQuery, SORTS, type Sort, searchOffers } from '../domain/search.js'
import { paramOf, paramsOf } from '../http/input.js'
import { memberOf, pageOf, send } from '../http/page.js'
import { notFound } from '../http/problems.js'
import { homePage } from '../views/home.js'
import { offerPage } from '../views/offer.js'
import { offersPage } from '../views/offers.js'

/** Looking at offers: the hot lists, the search, one offer. */
export function offerRoutes(board: Board): Router {
  const router = Router()

  router.get('/', async (req, res) => {
    send(res, homePage(pageOf(req, res), await hotLists(board)))
  })

  router.get('/offers', async (req, res) => {
    const query = queryOf(req)
    send(res, offersPage(pageOf(req, res), query, await searchOffers(board, query)))
  })

  router.get('/offers/:id', async (req, res) => {
    const offer = await offerById(board.pool, idOf(req))
    if (offer === undefined) notFound()
    const institution = await institutionByName(board.pool, offer.institution, memberOf(res)?.id)
    if (institution === undefined) notFound()
    // The page's own script loads it again to stay current; that is nobody looking.
    const views = isRefresh(req) ? offer.views : await countView(board.pool, offer.id)
    send(res, offerPage(pageOf(req, res), { ...offer, views }, institution))
    if (!isRefresh(req)) await board.events.publish({ kind: 'viewed', offerId: offer.id, views })
  })

  return router
}

/** Reads an offer's number; anything else is no offer's. */
function idOf(req: Request): string {
  const id = String(req.params['id'])
  return /^\d{1,18}$/.test(id) ? id : notFound()
}

function isRefresh(req: Request): boolean {
  return req.get('X-Refresh') !== undefined
}

const MAX_PAGE = 1000

function queryOf(req: Request): OfferQuery {
  const sort = paramOf(req, 'sort')
  const page = Number(paramOf(req, 'page'))
  return {
    text: paramOf(req, 'q').slice(0, 200),
    filters: {
      category: paramsOf(req, 'category'),
      institution: paramsOf(req, 'institution'),
      status: paramsOf(req, 'status'),
    },
    sort: Object.hasOwn(SORTS, sort) ? (sort as Sort) : 'best',
    page: Number.isInteger(page) && page >= 1 && page <= MAX_PAGE ? page : 1,
  }
}
