/** Names that break stores which build statements, patterns or plain objects from them. */
export const HOSTILE_NAMES: readonly string[] = [
  '__proto__',
  'constructor',
  "it's",
  '"quoted"',
  '$1',
  "'; drop table sessions; --",
  'a%',
  'a_',
  'ab',
  'back\\slash',
  'snow ☃ and 🐘',
  ' leading and trailing ',
  'new\nline',
  'l'.repeat(1_000),
]

/** A value with everything JSON can hold that databases and careless copies trip over. */
export const HOSTILE_VALUE: Readonly<Record<string, unknown>> = Object.freeze({
  text: '\'quotes" \\ back, \u0000 NUL, ☃ 🐘 and \ud7ff',
  empty: '',
  numbers: [0, -1, 1.5, 1e21, Number.MAX_SAFE_INTEGER],
  nothing: null,
  flags: [true, false],
  nested: { deep: [{ er: [] }] },
  constructor: 'not a function',
})
