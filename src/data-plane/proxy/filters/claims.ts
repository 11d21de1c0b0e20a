import type { Exchange } from '../contract.ts'

/** Claims of a token that has been verified. */
export type Claims = Readonly<Record<string, unknown>>

const CLAIMS = Symbol('claims')

/** Notes what is known of the caller by a token: rules further in judge by it. */
export function setClaims(exchange: Exchange, claims: Claims): void {
  exchange.context.set(CLAIMS, claims)
}

/** Undefined: no token was verified. */
export function claimsOf(exchange: Exchange): Claims | undefined {
  return exchange.context.get(CLAIMS) as Claims | undefined
}

/** The texts of a claim by its path (`realm_access.roles`): a list gives each of its elements, what is no text is written as JSON has it. */
export function claimTexts(claims: Claims, path: string): readonly string[] {
  const value =
    path in claims
      ? claims[path]
      : path.split('.').reduce<unknown>((at, key) => (isRecord(at) && Object.hasOwn(at, key) ? at[key] : undefined), claims)
  return (Array.isArray(value) ? value : [value]).flatMap((one) => textOf(one) ?? [])
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
