import { INSTITUTIONS } from './institutions.js'
import { Random } from './random.js'
import { AUDIENCES, NOTES, PRODUCTS, REQUIREMENTS, SEASONS } from './vocabulary.js'

/** An offer to load. Times are relative, so that the board looks alive on whatever day it is filled. */
export interface SeedOffer {
  readonly title: string
  readonly body: string
  readonly institution: string
  readonly category: string
  readonly bonus: number
  readonly views: number
  /** Seconds since it was published. */
  readonly age: number
  /** Seconds until it ends; negative where it has. */
  readonly endsIn: number
}

const DAY = 24 * 60 * 60
/** Every so many seconds an offer ends, so that a page left open shows it happen: one in thirty, for a quarter of an hour. */
const SOON_STEP = 45
const SOON_COUNT = 20
const SOON_EVERY = 30

/** Makes the same offers each time. */
export function seedOffers(count: number, seed = 20_240_229): SeedOffer[] {
  const random = new Random(seed)
  return Array.from({ length: count }, (_, index) => seedOffer(random, index, count))
}

function seedOffer(random: Random, index: number, count: number): SeedOffer {
  const institution = random.pick(INSTITUTIONS)
  const category = random.pick(institution.categories)
  const product = random.pick(PRODUCTS[category] ?? [])
  const bonus = random.whole(1, 16) * random.pick([5, 10, 25, 50])
  const age = Math.round(((index + random.next()) / count) ** 2 * 120 * DAY) + 60
  return {
    title: title(random, bonus, product),
    body: body(random, category, product),
    institution: institution.name,
    category,
    bonus,
    // Few offers are looked at often and most hardly ever.
    views: Math.floor(400 * random.next() ** 8),
    age,
    endsIn: endsIn(random, index, age),
  }
}

function title(random: Random, bonus: number, product: string): string {
  const audience = random.pick(AUDIENCES)
  const season = random.pick(SEASONS)
  return random.pick([
    `$${bonus} with your first ${product}`,
    `${season} bonus: $${bonus} ${audience}`,
    `${capitalize(product)} ${audience}: $${bonus} each`,
    `Refer a friend to our ${product}, get $${bonus}`,
    `${season} ${product} with a $${bonus} welcome`,
    `${capitalize(product)}: $${bonus} back ${audience}`,
  ])
}

function body(random: Random, category: string, product: string): string {
  const requirements = [...(REQUIREMENTS[category] ?? [])]
  if (random.next() < 0.5) requirements.splice(random.whole(0, 2), 1)
  return [
    `Open a ${product} through a member’s referral and collect the bonus. ${random.pick(NOTES)}`,
    'What you need to do:',
    ...requirements.map((requirement) => `• ${requirement}`),
    random.pick(NOTES),
  ].join('\n')
}

function endsIn(random: Random, index: number, age: number): number {
  const turn = index / SOON_EVERY
  if (Number.isInteger(turn) && turn < SOON_COUNT) return (turn + 2) * SOON_STEP
  const wholeDays = random.whole(1, 60) * DAY
  // A quarter is over; what ended, ended after it was published.
  return random.next() < 0.25 ? -Math.round(age * random.next()) : wholeDays
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
