import { CATEGORIES } from '../domain/offers.js'
import { type FormState, field, options, problemSummary } from './forms.js'
import { type Html, html } from './html.js'
import { layout } from './layout.js'
import type { Page } from './page.js'
import { csrfField } from './parts.js'

/** How long an offer can run: seconds, and how that is said. */
export const RUN_TIMES = [
  ['60', 'One minute (to see it end)'],
  ['86400', 'One day'],
  ['604800', 'One week'],
  ['2592000', '30 days'],
  ['7776000', '90 days'],
] as const

export function publishPage(page: Page, form: FormState, institutions: readonly string[]): Html {
  return layout(
    page,
    'Publish',
    html`<div class="narrow panel">
      <h1>Publish an offer</h1>
      <p class="lead">Everyone who follows the institution gets a mail, and every open page shows it.</p>
      ${problemSummary(form)}
      <form method="post" action="/publish" class="stack">
        ${csrfField(page)}
        ${field(form, {
          name: 'title',
          label: 'Title',
          control: (attributes, value) =>
            html`<input ${attributes} value="${value}" maxlength="120" required>`,
        })}
        <div class="pair">
          ${select(form, 'institution', 'Institution', institutions)}
          ${select(form, 'category', 'Category', CATEGORIES)}
        </div>
        <div class="pair">
          ${field(form, {
            name: 'bonus',
            label: 'Bonus in dollars',
            control: (attributes, value) =>
              html`<input ${attributes} type="number" value="${value}" min="0" max="100000" step="1" required>`,
          })}
          ${field(form, {
            name: 'runsFor',
            label: 'Runs for',
            control: (attributes, value) =>
              html`<select ${attributes}>${options(RUN_TIMES, value === '' ? '2592000' : value)}</select>`,
          })}
        </div>
        ${field(form, {
          name: 'body',
          label: 'What one has to do',
          hint: 'Plain text, up to 4,000 characters.',
          control: (attributes, value) =>
            html`<textarea ${attributes} rows="6" maxlength="4000" required>${value}</textarea>`,
        })}
        <button>Publish</button>
      </form>
    </div>`,
  )
}

function select(form: FormState, name: string, label: string, values: readonly string[]): Html {
  const choices = values.map((value) => [value, value] as const)
  return field(form, {
    name,
    label,
    control: (attributes, value) =>
      html`<select ${attributes} required><option value="">Choose…</option>${options(choices, value)}</select>`,
  })
}
