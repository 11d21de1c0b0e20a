import type { Exchange, ExchangeSummary, Headers, LocalReply, RequestHead, ResponseFlag } from '../contract.ts'

class PlainHeaders implements Headers {
  readonly #fields: [string, string][]
  constructor(fields: Readonly<Record<string, string>>) {
    this.#fields = Object.entries(fields)
  }
  get sizeBytes(): number {
    return this.#fields.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0)
  }
  get(name: string): string | undefined {
    return this.#fields.find(([each]) => each === name)?.[1]
  }
  getAll(name: string): readonly string[] {
    return this.#fields.filter(([each]) => each === name).map(([, value]) => value)
  }
  has(name: string): boolean {
    return this.get(name) !== undefined
  }
  set(name: string, value: string): void {
    this.remove(name)
    this.append(name, value)
  }
  append(name: string, value: string): void {
    this.#fields.push([name, value])
  }
  remove(name: string): void {
    for (let i = this.#fields.length - 1; i >= 0; i--) if (this.#fields[i]?.[0] === name) this.#fields.splice(i, 1)
  }
  forEach(visit: (name: string, value: string) => void): void {
    for (const [name, value] of this.#fields) visit(name, value)
  }
}

/** An exchange in memory: what filters do to it can be seen, and `end` ends it. */
export interface TestExchange extends Exchange {
  readonly replies: LocalReply[]
  end(summary?: Partial<ExchangeSummary>): void
}

/** @param head fields beside method GET, path /, authority web */
export function testExchange(
  head: Partial<Pick<RequestHead, 'method' | 'path' | 'authority'>> & { readonly headers?: Readonly<Record<string, string>> } = {},
  peer?: string,
): TestExchange {
  const { method = 'GET', path = '/', authority = 'web', headers = {} } = head
  const hooks: ((summary: ExchangeSummary) => void)[] = []
  const replies: LocalReply[] = []
  const nothing = (): void => {}
  return {
    connection: {
      remote: { address: '10.0.0.9', port: 4444 },
      local: { address: '10.0.0.1', port: 8080 },
      protocol: 'http1',
      ...(peer === undefined ? {} : { tls: { peer, version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256' } }),
      drain: nothing,
      destroy: nothing,
    },
    request: { method, path, authority, scheme: 'http', headers: new PlainHeaders(headers), isGrpc: false, endsWithHead: true },
    startedMs: 0,
    context: new Map(),
    flags: new Set<ResponseFlag>(),
    details: '',
    isReplayable: true,
    replayLimitBytes: 0,
    replies,
    respond: (reply) => void replies.push(reply),
    abort: nothing,
    forward: nothing,
    onResponse: nothing,
    onEnd: (hook) => void hooks.push(hook),
    observeRequestBody: nothing,
    transformRequestBody: nothing,
    transformResponseBody: nothing,
    onTrailers: nothing,
    bufferRequestBody: nothing,
    limitResponseRate: nothing,
    setTimeout: nothing,
    end(summary = {}) {
      const whole = {
        startedMs: 0,
        durationMs: 5,
        status: 200,
        bytesReceived: 1,
        bytesSent: 2,
        flags: new Set<ResponseFlag>(),
        details: 'via_upstream',
        ...summary,
      }
      for (const hook of hooks) hook(whole)
    },
  }
}
