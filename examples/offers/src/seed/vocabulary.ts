/** The words offers are made of, by category. */
export const PRODUCTS: Readonly<Record<string, readonly string[]>> = {
  Checking: ['everyday account', 'joint account', 'student account', 'paperless account'],
  Savings: ['notice account', 'rainy-day pot', 'twelve-month deposit', 'round-up saver'],
  'Credit card': ['cashback card', 'travel card', 'no-fee card', 'balance-transfer card'],
  Brokerage: ['index portfolio', 'pension transfer', 'first-trade account', 'dividend plan'],
  Insurance: ['bicycle cover', 'home cover', 'pet cover', 'travel cover'],
  'Mobile plan': ['SIM-only plan', 'family plan', 'roaming plan', 'data-only plan'],
  Broadband: ['gigabit line', 'starter line', 'no-contract line', 'evening line'],
  Energy: ['solar tariff', 'night tariff', 'fixed tariff', 'heat-pump tariff'],
}

export const REQUIREMENTS: Readonly<Record<string, readonly string[]>> = {
  Checking: [
    'Receive two direct deposits of $500 within 60 days',
    'Switch with the account-switch service',
    'Pay by card ten times in the first month',
  ],
  Savings: [
    'Keep $1,000 in the account for 90 days',
    'Set up a monthly standing order',
    'Leave the first deposit untouched until the term ends',
  ],
  'Credit card': [
    'Spend $750 in the first three months',
    'Pay the first statement in full',
    'No card of the same issuer in the last 24 months',
  ],
  Brokerage: [
    'Fund the account with $2,000',
    'Make three trades in the first quarter',
    'Transfer an existing portfolio',
  ],
  Insurance: [
    'Hold the policy for one year',
    'Install the mileage tag',
    'Insure two things together',
  ],
  'Mobile plan': [
    'Bring your number along',
    'Keep the plan for six months',
    'Add a second line for the household',
  ],
  Broadband: [
    'Be a new address on the network',
    'Choose a 24-month contract',
    'Return the old router within 30 days',
  ],
  Energy: [
    'Pay by direct debit',
    'Let the smart meter report every hour',
    'Stay for two full billing cycles',
  ],
}

export const AUDIENCES = [
  'for newcomers',
  'for students',
  'for two',
  'for switchers',
  'for early birds',
  'for freelancers',
  'for households',
  'for returning customers',
] as const

export const SEASONS = ['Spring', 'Summer', 'Autumn', 'Winter', 'Weekend', 'Anniversary'] as const

export const NOTES = [
  'You and the friend who referred you each receive the bonus.',
  'The bonus arrives within 30 days of the last requirement.',
  'Ask the person who referred you for a code before you apply.',
  'Only applications made online count.',
  'The bonus is paid once per household.',
  'Paid as account credit and free to withdraw.',
] as const
