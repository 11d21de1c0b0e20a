import type { Clock } from '../../../base/clock.ts'
import type { Pod } from '../../../api/generated/types.ts'
import { serviceAccounts } from '../../../api/core/v1/service-account.ts'
import type { Client } from '../../../client/client.ts'

interface Token {
  readonly value: string
  readonly refreshAtMs: number
}

/** Part of its life after which a token is replaced. Source: kubernetes/pkg/kubelet/token. */
const REFRESH_AT = 0.8
const TIMEOUT_MS = 5_000
const MAX_TOKENS = 1_000

/** Asks for service account tokens bound to a pod and keeps them until most of their life is over. */
export class TokenCache {
  readonly #client: Client
  readonly #clock: Clock
  readonly #tokens = new Map<string, Token>()

  constructor(client: Client, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  async get(pod: Pod, account: string, options: { readonly audience?: string; readonly expirationSeconds: number }): Promise<string> {
    const key = `${pod.metadata.uid}/${account}/${options.audience ?? ''}`
    const known = this.#tokens.get(key)
    if (known && this.#clock.monotonic() < known.refreshAtMs) return known.value
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: options.audience ? [options.audience] : [],
        expirationSeconds: options.expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, uid: pod.metadata.uid },
      },
    }
    const answer = (await this.#client
      .of(serviceAccounts)
      .createSubresource(account, 'token', body, { namespace: pod.metadata.namespace, signal: AbortSignal.timeout(TIMEOUT_MS) })) as {
      readonly status: { readonly token: string }
    }
    this.#tokens.set(key, {
      value: answer.status.token,
      refreshAtMs: this.#clock.monotonic() + options.expirationSeconds * 1000 * REFRESH_AT,
    })
    this.#dropOld()
    return answer.status.token
  }

  #dropOld(): void {
    if (this.#tokens.size < MAX_TOKENS) return
    for (const [key, token] of this.#tokens) if (token.refreshAtMs <= this.#clock.monotonic()) this.#tokens.delete(key)
  }
}
