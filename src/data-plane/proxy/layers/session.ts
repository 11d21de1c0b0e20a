import { cookieValue, type RequestView } from '../../../policy/traffic/evaluate/index.ts'
import type { ForwardAction } from '../../../policy/traffic/model/index.ts'
import type { RequestState } from './request-state.ts'

/** Keeps clients with the endpoint that answered them first. */
export interface Session {
  /** Name of the endpoint that the client asks for. It may name any address: only endpoints of the cluster are ever taken. */
  read(request: RequestView): string | undefined
  /** Tells the client whom it has got, if that is new. */
  write(state: RequestState, asked: string | undefined, endpoint: string): void
}

/** Source: Envoy, stateful session by cookie or header: the value is the address in base64. */
export function compileSession({ type, name, ttlMs }: NonNullable<ForwardAction['session']>): Session {
  const age = ttlMs === undefined || ttlMs === 0 ? '' : `; Max-Age=${Math.ceil(ttlMs / 1_000)}`
  return {
    read({ headers }) {
      const value = type === 'cookie' ? cookieValue(headers.get('cookie'), name) : headers.get(name)
      return value === undefined ? undefined : Buffer.from(value, 'base64').toString('latin1')
    },
    write(state, asked, endpoint) {
      if (asked === endpoint) return
      const value = Buffer.from(endpoint, 'latin1').toString('base64')
      if (type === 'cookie') state.addResponseHeader('set-cookie', `${name}="${value}"${age}; Path=/; HttpOnly`)
      else state.addResponseHeader(name, value)
    },
  }
}
