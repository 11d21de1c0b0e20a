import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

/** A public key of a set, with what may be checked by it. */
export interface JwkKey {
  readonly kid?: string
  /** Absent: whatever fits the key. */
  readonly alg?: string
  readonly key: KeyObject
}

/** A key set that cannot be used. `code` is `BadJwks`. */
export class JwksError extends Error {
  override readonly name = 'JwksError'
  readonly code = 'BadJwks'
}

const MAX_KEYS = 100
const MIN_RSA_BITS = 2048

/**
 * Reads a JSON Web Key Set. Keys for encryption, symmetric keys (a verifier that has one could sign) and keys of kinds that are not known are left out.
 * Source: RFC 7517. @throws {JwksError} for text that is no key set, or one without a usable key
 */
export function parseJwks(text: string): readonly JwkKey[] {
  let set: { readonly keys?: unknown }
  try {
    set = JSON.parse(text) as typeof set
  } catch {
    throw new JwksError('the key set is no JSON: write {"keys": [...]} (RFC 7517)')
  }
  if (typeof set !== 'object' || set === null || !Array.isArray(set.keys)) throw new JwksError('the key set has no list "keys" (RFC 7517)')
  if (set.keys.length > MAX_KEYS) throw new JwksError(`the key set has ${set.keys.length} keys; at most ${MAX_KEYS} are read`)
  const keys = (set.keys as JsonWebKey[]).flatMap((jwk) => readKey(jwk) ?? [])
  if (keys.length === 0) throw new JwksError('the key set has no key that signatures can be checked by: RSA of 2048 bits, EC or OKP')
  return keys
}

function readKey(
  jwk: JsonWebKey & { readonly kid?: unknown; readonly use?: unknown; readonly alg?: unknown; readonly key_ops?: unknown },
): JwkKey | undefined {
  if (typeof jwk !== 'object' || jwk === null || jwk.kty === 'oct') return undefined
  if (jwk.use !== undefined && jwk.use !== 'sig') return undefined
  if (Array.isArray(jwk.key_ops) && !jwk.key_ops.includes('verify')) return undefined
  try {
    const { kty, n, e, crv, x, y } = jwk
    // what is private in it is not taken along
    const key = createPublicKey({ key: { kty, n, e, crv, x, y } as JsonWebKey, format: 'jwk' })
    if (key.asymmetricKeyType === 'rsa' && (key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS) return undefined
    return {
      key,
      ...(typeof jwk.kid === 'string' ? { kid: jwk.kid } : {}),
      ...(typeof jwk.alg === 'string' ? { alg: jwk.alg } : {}),
    }
  } catch {
    return undefined
  }
}
