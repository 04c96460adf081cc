/** What every process of the board hears, so that it can tell the pages that are open on it. */
export type BoardEvent =
  | { readonly kind: 'published'; readonly offerId: string; readonly title: string }
  | { readonly kind: 'expired'; readonly offerId: string }
  | { readonly kind: 'viewed'; readonly offerId: string; readonly views: number }
  | { readonly kind: 'followed'; readonly institution: string; readonly followers: number }
  | { readonly kind: 'mailed'; readonly memberId: string; readonly mails: number }
  | { readonly kind: 'undelivered' }
