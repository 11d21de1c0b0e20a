import type { TokenBucket } from '../../../policy/traffic/model/index.ts'

/** A bucket at work; starts full. Time is given, in monotonic milliseconds. */
export class TokenBucketState {
  readonly #config: TokenBucket
  #tokens: number
  #filledMs: number

  constructor(config: TokenBucket, nowMs: number) {
    this.#config = config
    this.#tokens = config.maxTokens
    this.#filledMs = nowMs
  }

  /** @returns whether there was one */
  take(nowMs: number): boolean {
    const { fillIntervalMs, tokensPerFill, maxTokens } = this.#config
    const fills = Math.floor((nowMs - this.#filledMs) / fillIntervalMs)
    if (fills > 0) {
      this.#tokens = Math.min(maxTokens, this.#tokens + fills * tokensPerFill)
      this.#filledMs += fills * fillIntervalMs
    }
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
