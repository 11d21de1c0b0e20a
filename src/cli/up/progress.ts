/** One thing that `up` brings about. */
export interface Step {
  readonly id: string
  readonly title: string
  readonly detail: string
  readonly state: StepState
  /** When it began and when it last was done, monotonic. */
  readonly startedAtMs: number
  readonly endedAtMs?: number
}

export type StepState = 'working' | 'done' | 'failed'

/** What has been told of the steps, in the order of their first mention. */
export type Steps = ReadonlyMap<string, Step>

export interface StepUpdate {
  readonly id: string
  readonly title: string
  readonly detail: string
  readonly state: StepState
}

/** The steps after an update; the same value when nothing changed. */
export function updateSteps(steps: Steps, update: StepUpdate, nowMs: number): Steps {
  const before = steps.get(update.id)
  if (before && before.state === update.state && before.detail === update.detail && before.title === update.title) return steps
  // work that begins again is timed again
  const startedAtMs = before && !(before.state !== 'working' && update.state === 'working') ? before.startedAtMs : nowMs
  const endedAtMs = update.state === 'working' ? undefined : before?.state === update.state ? (before.endedAtMs ?? nowMs) : nowMs
  const { id, title, detail, state } = update
  return new Map(steps).set(id, { id, title, detail, state, startedAtMs, ...(endedAtMs === undefined ? {} : { endedAtMs }) })
}

/** The steps without one. */
export function removeStep(steps: Steps, id: string): Steps {
  if (!steps.has(id)) return steps
  const next = new Map(steps)
  next.delete(id)
  return next
}

/** `1.4s`, the time a step took or has been going on. */
export function stepTime(step: Step, nowMs: number): string {
  return `${(((step.endedAtMs ?? nowMs) - step.startedAtMs) / 1000).toFixed(1)}s`
}

/** A line without colour, for logs: `[  1.4s] ok    node local: Ready`. */
export function plainLine(step: Pick<Step, 'title' | 'detail' | 'state'>, sinceStartMs: number): string {
  const time = `${(sinceStartMs / 1000).toFixed(1)}s`.padStart(7)
  const word = { working: '..', done: 'ok', failed: 'FAIL' }[step.state].padEnd(4)
  return `[${time}] ${word} ${step.title}${step.detail === '' ? '' : `: ${step.detail}`}`
}

export interface TreeStyle {
  readonly columns: number
  readonly done: (text: string) => string
  readonly working: (text: string) => string
  readonly failed: (text: string) => string
  readonly dim: (text: string) => string
}

/** The tree as lines, each short enough for one row of the terminal. At most `maxSteps` are shown: what is not done comes first. */
export function treeLines(
  steps: Steps,
  nowMs: number,
  options: { readonly style: TreeStyle; readonly maxSteps: number },
): readonly string[] {
  const { style, maxSteps } = options
  const all = [...steps.values()]
  const hidden = all.length - maxSteps
  const kept = hidden <= 0 ? all : chosen(all, maxSteps)
  const width = Math.min(32, Math.max(0, ...kept.map((step) => step.title.length)))
  const lines = kept.map((step) => treeLine(step, { nowMs, width, style }))
  return hidden > 0 ? [...lines, style.dim(`    and ${hidden} more`)] : lines
}

function treeLine(
  step: Step,
  { nowMs, width, style }: { readonly nowMs: number; readonly width: number; readonly style: TreeStyle },
): string {
  const time = stepTime(step, nowMs)
  const room = Math.max(8, style.columns - width - time.length - 8)
  const detail = step.detail.length > room ? `${step.detail.slice(0, room - 1)}…` : step.detail.padEnd(room)
  const mark = { working: '●', done: '✔', failed: '✖' }[step.state]
  const title = step.title.length > width ? `${step.title.slice(0, width - 1)}…` : step.title.padEnd(width)
  return `  ${style[step.state](mark)} ${title}  ${detail} ${style.dim(time)}`
}

function chosen(all: readonly Step[], count: number): readonly Step[] {
  const wanted = new Set([...all.filter((step) => step.state !== 'done'), ...all.filter((step) => step.state === 'done')].slice(0, count))
  return all.filter((step) => wanted.has(step))
}
