import pc from 'picocolors'
import type { Clock, Timer } from '../../base/clock.ts'
import type { CliContext, Output } from '../context.ts'
import { plainLine, removeStep, treeLines, updateSteps, type Steps, type StepUpdate, type TreeStyle } from './progress.ts'

/** Shows how far `up` is. */
export interface ProgressView {
  /** Sets a step; it appears when first set. */
  step(update: StepUpdate): void
  /** A step that is no longer of interest. */
  forget(id: string): void
  /** Text that stays, several lines allowed. */
  note(text: string): void
  /** Leaves the last state on the screen. */
  close(): void
}

/** A live tree where somebody looks at a terminal; lines that are only ever appended where output is kept (files, CI, NO_COLOR). */
export function createProgressView(context: CliContext): ProgressView {
  const { env, out, clock } = context
  const isLive = out.isTerminal && !env['NO_COLOR'] && !env['CI'] && env['TERM'] !== 'dumb'
  return isLive ? new LiveTree(out, clock) : new PlainLines(out, clock)
}

class PlainLines implements ProgressView {
  readonly #out: Output
  readonly #clock: Clock
  readonly #startedAtMs: number
  #steps: Steps = new Map()

  constructor(out: Output, clock: Clock) {
    this.#out = out
    this.#clock = clock
    this.#startedAtMs = clock.monotonic()
  }

  step(update: StepUpdate): void {
    const now = this.#clock.monotonic()
    const next = updateSteps(this.#steps, update, now)
    if (next === this.#steps) return
    this.#steps = next
    this.#out.write(`${plainLine(update, now - this.#startedAtMs)}\n`)
  }

  forget(id: string): void {
    this.#steps = removeStep(this.#steps, id)
  }

  note(text: string): void {
    this.#out.write(`${text}\n`)
  }

  close(): void {}
}

const REDRAW_MS = 100
const MAX_STEPS = 24

class LiveTree implements ProgressView {
  readonly #out: Output
  readonly #clock: Clock
  #steps: Steps = new Map()
  #drawn = 0
  #timer: Timer | undefined
  #closed = false

  constructor(out: Output, clock: Clock) {
    this.#out = out
    this.#clock = clock
  }

  step(update: StepUpdate): void {
    this.#set(updateSteps(this.#steps, update, this.#clock.monotonic()))
  }

  forget(id: string): void {
    this.#set(removeStep(this.#steps, id))
  }

  note(text: string): void {
    this.#draw(`${text}\n`)
  }

  close(): void {
    this.#timer?.cancel()
    this.#draw('')
    this.#closed = true
  }

  #set(next: Steps): void {
    if (next === this.#steps || this.#closed) return
    this.#steps = next
    this.#timer ??= this.#clock.after(REDRAW_MS / 4, () => this.#tick())
  }

  /** Draws again and again while something goes on; an idle tree costs nothing. */
  #tick(): void {
    this.#timer = undefined
    if (this.#closed) return
    this.#draw('')
    if ([...this.#steps.values()].some((step) => step.state === 'working')) this.#timer = this.#clock.after(REDRAW_MS, () => this.#tick())
  }

  #draw(above: string): void {
    const up = this.#drawn > 0 ? `\u001b[${this.#drawn}A\r\u001b[J` : ''
    const lines = this.#closed ? [] : treeLines(this.#steps, this.#clock.monotonic(), { style: this.#style(), maxSteps: MAX_STEPS })
    this.#drawn = lines.length
    this.#out.write(`${up}${above}${lines.map((line) => `${line}\n`).join('')}`)
  }

  #style(): TreeStyle {
    const { green, yellow, red, dim } = pc.createColors(true)
    return { columns: this.#out.columns, done: green, working: yellow, failed: red, dim }
  }
}
