import type { Member } from '../domain/members.js'

/** What every page knows about who looks at it. */
export interface Page {
  readonly path: string
  readonly member: Member | undefined
  /** How many mails the member has. */
  readonly mails: number
  /** Proves that a form was sent from one of our pages. */
  readonly csrfToken: string
}
