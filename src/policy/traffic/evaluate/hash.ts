import type { HashPolicy } from '../model/index.ts'
import { headerText, type RequestView } from './request-view.ts'
import { cookieValue, queryValue } from './string-match.ts'

const encoder = new TextEncoder()
const rotl = (value: number, by: number): number => (value << by) | (value >>> (32 - by))
const P1 = 0x9e3779b1
const P2 = 0x85ebca77
const P3 = 0xc2b2ae3d
const P4 = 0x27d4eb2f
const P5 = 0x165667b1

const word = (b: Uint8Array, i: number): number =>
  (b[i] as number) | ((b[i + 1] as number) << 8) | ((b[i + 2] as number) << 16) | ((b[i + 3] as number) << 24)

/** xxHash32 of a text in UTF-8, unsigned. Source: xxHash fast digest algorithm, specification 0.1.1. */
export function xxhash32(text: string, seed = 0): number {
  const bytes = encoder.encode(text)
  const { length } = bytes
  let at = 0
  let hash = (seed + P5) | 0
  if (length >= 16) {
    const lanes = [(seed + P1 + P2) | 0, (seed + P2) | 0, seed | 0, (seed - P1) | 0]
    while (at + 16 <= length) {
      for (let lane = 0; lane < 4; lane++, at += 4) {
        const sum = ((lanes[lane] as number) + Math.imul(word(bytes, at), P2)) | 0
        lanes[lane] = Math.imul(rotl(sum, 13), P1)
      }
    }
    const [a, b, c, d] = lanes as [number, number, number, number]
    hash = (rotl(a, 1) + rotl(b, 7) + rotl(c, 12) + rotl(d, 18)) | 0
  }
  hash = (hash + length) | 0
  for (; at + 4 <= length; at += 4) hash = Math.imul(rotl((hash + Math.imul(word(bytes, at), P3)) | 0, 17), P4)
  for (; at < length; at++) hash = Math.imul(rotl((hash + Math.imul(bytes[at] as number, P5)) | 0, 11), P1)
  hash = Math.imul(hash ^ (hash >>> 15), P2)
  hash = Math.imul(hash ^ (hash >>> 13), P3)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** MurmurHash2 (32 bits) of a text in UTF-8, unsigned. */
export function murmur2(text: string, seed = 0): number {
  const bytes = encoder.encode(text)
  const m = 0x5bd1e995
  let hash = seed ^ bytes.length
  let at = 0
  for (; at + 4 <= bytes.length; at += 4) {
    const k = Math.imul(word(bytes, at), m)
    hash = Math.imul(hash, m) ^ Math.imul(k ^ (k >>> 24), m)
  }
  const rest = bytes.length - at
  if (rest > 0) {
    for (let i = rest - 1; i >= 0; i--) hash ^= (bytes[at + i] as number) << (8 * i)
    hash = Math.imul(hash, m)
  }
  hash = Math.imul(hash ^ (hash >>> 13), m)
  return (hash ^ (hash >>> 15)) >>> 0
}

/** Makes the value of a cookie that the client has not got, and sees to it that it gets it. */
export type NewCookie = (policy: HashPolicy & { readonly type: 'cookie' }) => string

/**
 * What a request is hashed by: values of all policies together, up to the first one that is `terminal` and gave a value.
 * @returns a function; its result is undefined where no policy gave a value, and any endpoint will do
 */
export function compileHash(
  policies: readonly HashPolicy[],
): (request: RequestView, sourceIp: string, newCookie: NewCookie) => number | undefined {
  return (request, sourceIp, newCookie) => {
    let hash: number | undefined
    for (const policy of policies) {
      const value = valueOf(policy, request, sourceIp, newCookie)
      if (value === undefined) continue
      hash = xxhash32(value, hash ?? 0)
      if (policy.terminal) break
    }
    return hash
  }
}

function valueOf(policy: HashPolicy, request: RequestView, sourceIp: string, newCookie: NewCookie): string | undefined {
  switch (policy.type) {
    case 'header':
      return headerText(request, policy.name)
    case 'query':
      return queryValue(request.path, policy.name)
    case 'sourceIp':
      return sourceIp
    case 'cookie':
      return cookieValue(request.headers.get('cookie'), policy.name) ?? (policy.ttlMs === undefined ? undefined : newCookie(policy))
  }
}
