import type { Clock } from '../../../base/clock.ts'
import type { ExtAuthzFilter } from '../../../policy/traffic/model/index.ts'
import type { Exchange, Layer, LocalReply } from '../contract.ts'
import type { InternalClient } from '../internal-client/index.ts'
import { applyVerdict, sendable, type AuthorityVerdict, type ShownBody } from './authority-verdict.ts'
import { CHECK_METHOD, checkRequest, grpcVerdict } from './ext-authz-grpc.ts'
import { authorityRequest, httpVerdict } from './ext-authz-http.ts'

/** Envoy's default. */
const TIMEOUT_MS = 200
/** A verdict is short; a page for a client that was refused may be longer. */
const MAX_ANSWER = 262_144

/** Who cannot be asked has not agreed. */
const NO_AUTHORITY: LocalReply = { status: 403, flag: 'UAEX', details: 'ext_authz_error' }

/**
 * Asks an authority about each request and waits for its word. Refused: its own status, headers and body (UAEX, `ext_authz_denied`). Allowed: the request goes
 * on with the headers that it wants. Cannot be asked in time: 403 (UAEX, `ext_authz_error`), or on as it is with `failOpen`. Source: Envoy, ext_authz filter.
 */
export function createExtAuthzLayer(filter: ExtAuthzFilter, parts: { readonly client: InternalClient; readonly clock: Clock }): Layer {
  const { maxBodyBytes = 0, failOpen = false } = filter
  return (inner) => (exchange) => {
    let isEnded = false
    let cancel: (() => void) | undefined
    exchange.onEnd(() => {
      isEnded = true
      cancel?.()
    })
    const judge = (body: ShownBody | undefined): void => {
      if (isEnded) return
      const asked = ask(filter, exchange, body, parts)
      cancel = () => asked.cancel()
      asked.verdict.then(
        (verdict) => {
          if (isEnded) return
          cancel = undefined
          if (!verdict.allowed) return refuse(exchange, verdict)
          applyVerdict(exchange, verdict)
          inner(exchange)
        },
        () => {
          if (isEnded) return
          cancel = undefined
          if (failOpen) inner(exchange)
          else exchange.respond(NO_AUTHORITY)
        },
      )
    }
    const { endsWithHead, upgrade } = exchange.request
    // what follows an upgrade is no body
    if (maxBodyBytes === 0 || endsWithHead || upgrade !== undefined) judge(undefined)
    else exchange.bufferRequestBody(maxBodyBytes, (body, start) => judge({ bytes: body ?? start ?? new Uint8Array(0), partial: !body }))
  }
}

interface Asked {
  /** Rejects where there is no decision. */
  readonly verdict: Promise<AuthorityVerdict>
  cancel(): void
}

function ask(
  filter: ExtAuthzFilter,
  exchange: Exchange,
  body: ShownBody | undefined,
  { client, clock }: { readonly client: InternalClient; readonly clock: Clock },
): Asked {
  const { cluster, timeoutMs = TIMEOUT_MS } = filter
  const options = { timeoutMs, maxBytes: MAX_ANSWER }
  const { request, connection } = exchange
  if (filter.protocol === 'http') {
    const pending = client.start(cluster, authorityRequest(filter, request, body), options)
    return { verdict: pending.answer.then((answer) => httpVerdict(filter, answer)), cancel: () => pending.cancel() }
  }
  const message = checkRequest(filter, { request, connection, body, nowMs: clock.now() })
  const pending = client.grpc(cluster, { path: CHECK_METHOD, authority: cluster, message }, options)
  return { verdict: pending.message.then((bytes) => grpcVerdict(filter, bytes)), cancel: () => pending.cancel() }
}

function refuse(exchange: Exchange, { status, headers, body }: AuthorityVerdict & { readonly allowed: false }): void {
  exchange.respond({ status, body, headers: sendable(headers), flag: 'UAEX', details: 'ext_authz_denied' })
}
