import type { FoundRoute } from '../../../policy/traffic/evaluate/index.ts'
import type { HeaderModifier, HttpConnectionManager } from '../../../policy/traffic/model/index.ts'
import type { Host, UpstreamCluster } from '../clusters/index.ts'
import type { Exchange, Service } from '../contract.ts'

/** What a route was compiled to. */
export type CompiledRoute = FoundRoute<Service>

/** What layers tell each other, and the access log, about one exchange. One object for each, made by the first layer. */
export class RequestState {
  readonly exchange: Exchange
  readonly manager: HttpConnectionManager
  found: CompiledRoute | undefined = undefined
  cluster: UpstreamCluster | undefined = undefined
  /** Of the last try. */
  host: Host | undefined = undefined
  /** Tries so far. */
  attempts = 0
  /** Somebody will read `upstreamMs`: reading the clock is dear. */
  readonly isTimed: boolean
  /** From the last try's start to the response's head, milliseconds; -1: none came. */
  upstreamMs = -1
  upstreamFailure = ''
  /** Applied to the response, in this order. */
  routeModifier: HeaderModifier | undefined = undefined
  clusterModifier: HeaderModifier | undefined = undefined
  /** More of the response's headers: cookies, CORS. */
  responseHeaders: { readonly name: string; readonly value: string }[] | undefined = undefined
  /** A rule that would have refused the request. */
  shadowRule: string | undefined = undefined
  /** What each access log wrote down while the heads were there. */
  captured: (string | undefined)[][] | undefined = undefined
  ended = false
  /** The last thing to do, for the one layer that waits for something: timers of delays and retries, counts of circuits. */
  onEnd: (() => void) | undefined = undefined

  constructor(exchange: Exchange, manager: HttpConnectionManager, isTimed: boolean) {
    this.exchange = exchange
    this.isTimed = isTimed
    this.manager = manager
  }

  addResponseHeader(name: string, value: string): void {
    if (this.responseHeaders) this.responseHeaders.push({ name, value })
    else this.responseHeaders = [{ name, value }]
  }
}

/** Of an exchange inside the stack. */
export const stateOf = (exchange: Exchange): RequestState => exchange.layerState as RequestState
