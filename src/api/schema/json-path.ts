/** Names and indexes from the root to where a walk is. Pushed and popped by the walker, turned to text only for messages. */
export type PathStack = (string | number)[]

/** `spec.containers[0].name`; '' at the root. */
export function renderPath(path: readonly (string | number)[]): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}
