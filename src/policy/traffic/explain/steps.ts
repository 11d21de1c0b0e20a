import type { ExplainAnswer, ExplainStep } from '../../../protocols/mesh-view.ts'
import { originName, type Origin } from '../model/index.ts'

export type StepName = 'identity' | 'route' | 'cluster' | 'endpoint' | 'tls' | 'permission'

/** The steps of a call, up to the one at which it ends. */
export class Steps {
  readonly #steps: ExplainStep[] = []

  ok(step: StepName, message: string, origin?: Origin | string): void {
    this.#add(step, 'ok', message, origin)
  }

  denied(step: StepName, message: string, origin?: Origin | string): void {
    this.#add(step, 'denied', message, origin)
  }

  failed(step: StepName, message: string, origin?: Origin | string): void {
    this.#add(step, 'failed', message, origin)
  }

  get answer(): ExplainAnswer {
    const bad = this.#steps.find(({ verdict }) => verdict !== 'ok')
    return { steps: this.#steps, verdict: bad ? (bad.verdict === 'denied' ? 'denied' : 'failed') : 'allowed' }
  }

  #add(step: StepName, verdict: ExplainStep['verdict'], message: string, origin: Origin | string | undefined): void {
    const name = typeof origin === 'object' ? originName(origin) : origin
    this.#steps.push({ step, verdict, message, ...(name === undefined ? {} : { origin: name }) })
  }
}
