import type { Condition } from '../../generated/types.ts'
import type { FieldErrors } from '../../validation/field-errors.ts'
import { checkLabelSelector } from '../../validation/labels.ts'
import { GATEWAY_GROUP, type FromNamespaces, type RouteGroupKind, type SecretObjectReference } from './references.ts'

export interface ListenerTLS {
  /** Default Terminate. */
  mode?: 'Terminate' | 'Passthrough' | undefined
  certificateRefs?: SecretObjectReference[] | undefined
  options?: { [key: string]: string } | undefined
}

export interface Listener {
  /** Unique; routes name it as their section. */
  name: string
  /** Absent: all hosts. */
  hostname?: string | undefined
  port: number
  /** HTTP, HTTPS, TLS, TCP, UDP or a prefixed word. */
  protocol: string
  tls?: ListenerTLS | undefined
  /** Default: routes of the same namespace, of all kinds that fit the protocol. */
  allowedRoutes?: { namespaces?: FromNamespaces | undefined; kinds?: RouteGroupKind[] | undefined } | undefined
}

export interface ListenerStatus {
  name: string
  supportedKinds?: RouteGroupKind[] | undefined
  attachedRoutes: number
  conditions: Condition[]
}

/** What the schema cannot say: an empty group stands for core, only an absent one has a default. */
export function defaultListeners(listeners: readonly Listener[] | undefined): void {
  if (!Array.isArray(listeners)) return
  for (const listener of listeners as (Listener | null)[]) {
    const kinds = listener?.allowedRoutes?.kinds
    if (Array.isArray(kinds)) for (const kind of kinds) if (typeof kind === 'object' && kind) kind.group ??= GATEWAY_GROUP
  }
}

/** Rules between the fields of listeners. Source: validation rules of the CRD of Gateway. */
export function checkListeners(errors: FieldErrors, listeners: readonly Listener[]): void {
  const names = new Set<string>()
  const places = new Set<string>()
  listeners.forEach((listener, i) => {
    const { name, port, protocol, hostname, tls } = listener
    const field = `spec.listeners[${i}]`
    if (names.has(name)) errors.duplicate(`${field}.name`, name)
    names.add(name)
    const place = JSON.stringify([port, protocol, hostname ?? null])
    if (places.has(place)) {
      errors.invalid(field, name, 'port, protocol and hostname together must be unique: another listener has the same')
    }
    places.add(place)
    if (['HTTP', 'TCP', 'UDP'].includes(protocol) && tls) errors.forbidden(`${field}.tls`, `may not be set for protocol ${protocol}`)
    if ((protocol === 'TCP' || protocol === 'UDP') && hostname)
      errors.forbidden(`${field}.hostname`, `may not be set for protocol ${protocol}`)
    if (protocol === 'HTTPS' && tls?.mode === 'Passthrough') {
      errors.invalid(`${field}.tls.mode`, tls.mode, 'must be Terminate for protocol HTTPS; use protocol TLS to pass connections through')
    }
    if (protocol === 'TLS' && !tls?.mode) errors.required(`${field}.tls.mode`, 'Terminate or Passthrough, for protocol TLS')
    if (tls?.mode === 'Terminate' && !tls.certificateRefs?.length && Object.keys(tls.options ?? {}).length === 0) {
      errors.required(`${field}.tls.certificateRefs`, 'certificateRefs or options must be specified when mode is Terminate')
    }
    checkLabelSelector(errors, `${field}.allowedRoutes.namespaces.selector`, listener.allowedRoutes?.namespaces?.selector)
  })
}
