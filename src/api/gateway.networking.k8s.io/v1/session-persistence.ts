import type { FieldErrors } from '../../validation/field-errors.ts'

export interface SessionPersistence {
  /** Default Cookie. */
  type?: 'Cookie' | 'Header' | undefined
  absoluteTimeout?: string | undefined
  cookie?: { name?: string | undefined; path?: string | undefined; lifetimeType?: 'Permanent' | 'Session' | undefined } | undefined
  header?: { name: string } | undefined
}

/** Source: validation rules of the CRD of HTTPRoute, GEP-1619. */
export function checkSession(errors: FieldErrors, field: string, session: SessionPersistence | undefined): void {
  if (!session) return
  for (const [type, key] of [['Cookie', 'cookie'] as const, ['Header', 'header'] as const]) {
    if (session.type === type && !session[key]) errors.required(`${field}.${key}`, `must be set for type ${type}`)
    if (session.type !== type && session[key]) errors.forbidden(`${field}.${key}`, `may only be set for type ${type}`)
  }
  if (session.cookie?.lifetimeType === 'Permanent' && session.absoluteTimeout === undefined) {
    errors.required(`${field}.absoluteTimeout`, 'must be set when lifetimeType is Permanent')
  }
}
