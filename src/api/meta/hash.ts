import { safeEncode } from './names.ts'

/**
 * Hash of a pod template, for the `pod-template-hash` label and for names of what is made from the template. Stable over
 * the order of keys and over undefined properties. Raise `collisionCount` when the name is taken by another template.
 */
export function podTemplateHash(template: unknown, collisionCount?: number): string {
  const text = canonicalJson(template) + (collisionCount === undefined ? '' : `\n${collisionCount}`)
  return safeEncode(String(fnv1a(text)))
}

/** 32-bit FNV-1a over the UTF-8 bytes of `text`. Source: RFC draft eastlake-fnv. */
export function fnv1a(text: string): number {
  const bytes = Buffer.from(text)
  let hash = 0x811c9dc5
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
  return hash >>> 0
}

/** JSON with sorted keys and without undefined properties: equal values give equal text. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const object = value as Record<string, unknown>
  const pairs = Object.keys(object)
    .filter((key) => object[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(object[key])}`)
  return `{${pairs.join(',')}}`
}
