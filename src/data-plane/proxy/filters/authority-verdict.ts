import type { HeaderValue } from '../../../policy/traffic/model/index.ts'
import type { Exchange } from '../contract.ts'

/** What an authority has decided about a request. */
export type AuthorityVerdict =
  | {
      readonly allowed: true
      /** Takes the place of what the client sent. */
      readonly set: readonly HeaderValue[]
      /** Added where the client sent one of this name: Envoy's reading of `append`. */
      readonly append: readonly HeaderValue[]
      readonly remove: readonly string[]
      readonly responseHeaders: readonly HeaderValue[]
      readonly setQuery: readonly HeaderValue[]
      readonly removeQuery: readonly string[]
    }
  | { readonly allowed: false; readonly status: number; readonly headers: readonly HeaderValue[]; readonly body: string }

/** What the authority is shown of a request's body. */
export interface ShownBody {
  readonly bytes: Uint8Array
  /** There is more of it. */
  readonly partial: boolean
}

/** Of a connection or of the message's form: not for others to say. */
const OWN = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Whether an authority may say something about a field of this name. */
export const isForeign = (name: string): boolean => !OWN.has(name) && /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)

/** Besides, whether a message can carry it: a line break in a value would begin a field of its own. */
const isSendable = ({ name, value }: HeaderValue): boolean => isForeign(name) && !/[^\t\x20-\x7e\x80-\xff]/.test(value)

/** What of an authority's fields can be sent on. */
export const sendable = (fields: readonly HeaderValue[]): readonly HeaderValue[] => fields.filter(isSendable)

/** Changes the request as the authority wants it, and the response to come. */
export function applyVerdict(exchange: Exchange, verdict: AuthorityVerdict & { readonly allowed: true }): void {
  const { request } = exchange
  const { headers } = request
  for (const { name, value } of sendable(verdict.set)) headers.set(name, value)
  for (const { name, value } of sendable(verdict.append)) if (headers.has(name)) headers.append(name, value)
  for (const name of verdict.remove) if (isForeign(name)) headers.remove(name)
  if (verdict.setQuery.length + verdict.removeQuery.length > 0) request.path = changedQuery(request.path, verdict)
  const added = sendable(verdict.responseHeaders)
  if (added.length > 0) exchange.onResponse((head) => added.forEach(({ name, value }) => head.headers.append(name, value)))
}

function changedQuery(
  path: string,
  { setQuery, removeQuery }: Pick<AuthorityVerdict & { readonly allowed: true }, 'setQuery' | 'removeQuery'>,
): string {
  const at = path.indexOf('?')
  const query = new URLSearchParams(at < 0 ? '' : path.slice(at + 1))
  for (const { name, value } of setQuery) query.set(name, value)
  for (const name of removeQuery) query.delete(name)
  const text = query.toString()
  return `${at < 0 ? path : path.slice(0, at)}${text === '' ? '' : `?${text}`}`
}
