import { type Html, html } from './html.js'

/** What is wrong with a form, by field. */
export type Problems = Readonly<Record<string, string>>

/** What was typed, to be shown again. */
export type Values = Readonly<Record<string, string>>

/** A form's state as its page shows it. */
export interface FormState {
  readonly values: Values
  readonly problems: Problems
}

export const EMPTY_FORM: FormState = { values: {}, problems: {} }

interface Field {
  readonly name: string
  readonly label: string
  readonly hint?: string
  /** The control itself, given the attributes that tie it to its label and its problem. */
  control(attributes: Html, value: string): Html
}

/** A labelled control with its hint and its problem. */
export function field(
  { values, problems }: FormState,
  { name, label, hint, control }: Field,
): Html {
  const problem = problems[name]
  const described = [hint && `${name}-hint`, problem && `${name}-problem`].filter(Boolean).join(' ')
  const attributes = html`id="${name}" name="${name}"${
    described !== '' && html` aria-describedby="${described}"`
  }${problem && html` aria-invalid="true"`}`
  return html`<div class="field">
    <label for="${name}">${label}</label>
    ${hint && html`<p class="hint" id="${name}-hint">${hint}</p>`}
    ${control(attributes, values[name] ?? '')}
    ${problem && html`<p class="problem" id="${name}-problem">${problem}</p>`}
  </div>`
}

/** A choice among texts; the values may differ from what is shown. */
export function options(
  choices: readonly (readonly [value: string, label: string])[],
  chosen: string,
) {
  return choices.map(
    ([value, label]) =>
      html`<option value="${value}"${value === chosen && html` selected`}>${label}</option>`,
  )
}

/** Says above a form that something is wrong with it; the fields say what. */
export function problemSummary({ problems }: FormState): Html | false {
  if (Object.keys(problems).length === 0) return false
  return html`<p class="problem-summary" role="alert">Please look at the marked fields again.</p>`
}
