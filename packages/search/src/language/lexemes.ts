import type { Database, Statement, TransactionHandle } from '@howdah/core'
import { type AnalysisRow, analyzeTexts } from '../sql/analyze-texts.js'
import type { Language } from './language.js'

/** Texts whose analysis is kept, and the longest of them: words and short phrases come again, long ones hardly. */
const KEPT = 20_000
const KEPT_LENGTH = 64

/**
 * What PostgreSQL makes of texts in one language, asked once for many and remembered. Dictionaries may change under the name of a
 * configuration; the process that is to notice is started anew, as the documents must be, too.
 */
export class Lexemes {
  readonly #db: Database
  readonly #analyze: (texts: readonly string[]) => Statement<AnalysisRow>
  /** In the order of their last use. */
  readonly #known = new Map<string, AnalysisRow>()

  constructor(db: Database, language: Language) {
    this.#db = db
    this.#analyze = analyzeTexts(db.schema, language)
  }

  /** Analyses texts, with one statement for all that are not known. */
  async of(
    texts: Iterable<string>,
    client?: TransactionHandle,
  ): Promise<ReadonlyMap<string, AnalysisRow>> {
    const found = new Map<string, AnalysisRow>()
    const asked: string[] = []
    for (const text of new Set(texts)) {
      const known = this.#known.get(text)
      if (known === undefined) asked.push(text)
      else {
        found.set(text, known)
        this.#known.delete(text)
        this.#known.set(text, known)
      }
    }
    if (asked.length === 0) return found
    const rows = await this.#db.query(this.#analyze(asked), client)
    for (const [at, text] of asked.entries()) {
      const row = rows[at] as AnalysisRow
      found.set(text, row)
      if (text.length <= KEPT_LENGTH) this.#keep(text, row)
    }
    return found
  }

  /** The last word of a text as the vocabulary would have it; small letters of ASCII are it already. */
  async wordOf(text: string, client?: TransactionHandle): Promise<string> {
    if (/^[a-z]+$/.test(text)) return text
    const analysis = (await this.of([text], client)).get(text)
    return analysis?.words.at(-1) ?? text.toLowerCase()
  }

  #keep(text: string, row: AnalysisRow): void {
    this.#known.set(text, row)
    if (this.#known.size <= KEPT) return
    const [oldest] = this.#known.keys()
    if (oldest !== undefined) this.#known.delete(oldest)
  }
}
