/** An invented institution and what it makes offers for. */
export interface SeedInstitution {
  readonly name: string
  readonly about: string
  readonly categories: readonly string[]
}

const MONEY = ['Checking', 'Savings', 'Credit card']

/** None of these exists. */
export const INSTITUTIONS: readonly SeedInstitution[] = [
  of('First Bank of Atlantis', 'Deep roots, deeper vaults. Branches open at low tide.', MONEY),
  of('Moonbase Mutual', 'Owned by its members, on the near side since the first landing.', MONEY),
  of('Dragon & Hoard Savings', 'Sits on your gold so that you need not.', ['Savings']),
  of('Snowglobe Savings', 'A small bank that settles after every shake.', ['Checking', 'Savings']),
  of('Wishing Well Trust', 'Throw in a coin and read the terms.', ['Savings', 'Brokerage']),
  of('Bank of Yesterday', 'Yesterday’s rates, tomorrow’s opening hours.', MONEY),
  of('Cloud Nine Credit', 'Cards for people who travel with their head.', ['Credit card']),
  of('Rabbit Hole Cards', 'It goes further down than you think.', ['Credit card']),
  of('Golden Fleece Card Company', 'Named before the marketing department arrived.', [
    'Credit card',
  ]),
  of('Beanstalk Brokerage', 'Trades five magic beans a day without a fee.', ['Brokerage']),
  of('Crystal Ball Capital', 'Past performance is all it ever shows.', ['Brokerage']),
  of('Tortoise & Hare Investing', 'Index funds for one, day trading for the other.', ['Brokerage']),
  of('Paper Boat Insurance', 'Covers rain, puddles and modest seas.', ['Insurance']),
  of('Ninth Life Insurance', 'For the last one, when it matters.', ['Insurance']),
  of('Feather & Anvil Assurance', 'Insures what falls from the sky.', ['Insurance']),
  of('Teapot Telecom', 'A calm network for storms of any size.', ['Mobile plan', 'Broadband']),
  of('Yonder Mobile', 'Coverage from here to there.', ['Mobile plan']),
  of('Tin Can & String', 'Two ends, one line, no contract.', ['Mobile plan', 'Broadband']),
  of('Carrier Pigeon Broadband', 'Packets delivered by hand, mostly in order.', ['Broadband']),
  of('Glow-worm Fibre', 'Light down every lane, after dusk at full speed.', ['Broadband']),
  of('Perpetual Motion Energy', 'Has run since the start and never explained how.', ['Energy']),
  of('Windmill Giants Power', 'We looked twice: they were windmills.', ['Energy']),
  of('Bottled Lightning Co-op', 'Caught locally, corked responsibly.', ['Energy']),
  of('Everything Under the Sun', 'One account for nearly everything.', [
    'Checking',
    'Insurance',
    'Mobile plan',
    'Energy',
  ]),
]

function of(name: string, about: string, categories: readonly string[]): SeedInstitution {
  return { name, about, categories }
}
