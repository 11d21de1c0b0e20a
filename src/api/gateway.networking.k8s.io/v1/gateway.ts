import type { Condition } from '../../generated/types.ts'
import { findCondition } from '../../conditions.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkLabelSelector } from '../../validation/labels.ts'
import { checkBounds } from './gateway-bounds.ts'
import { checkListeners, defaultListeners, type Listener, type ListenerStatus } from './listener.ts'
import { pendingConditions } from './pending-conditions.ts'
import {
  GATEWAY_GROUP,
  type FromNamespaces,
  type LocalObjectReference,
  type ObjectReference,
  type SecretObjectReference,
} from './references.ts'
import { servedAs } from './served-version.ts'

export interface GatewayAddress {
  /** IPAddress (default), Hostname, NamedAddress or a prefixed word. */
  type?: string | undefined
  value?: string | undefined
  routability?: string | undefined
}

export interface FrontendTLS {
  validation?: { caCertificateRefs: ObjectReference[]; mode?: 'AllowValidOnly' | 'AllowInsecureFallback' | undefined } | undefined
}

export interface GatewaySpec {
  gatewayClassName: string
  listeners: Listener[]
  addresses?: GatewayAddress[] | undefined
  infrastructure?:
    | {
        labels?: { [key: string]: string } | undefined
        annotations?: { [key: string]: string } | undefined
        parametersRef?: LocalObjectReference | undefined
      }
    | undefined
  allowedListeners?: { namespaces?: FromNamespaces | undefined } | undefined
  defaultScope?: 'All' | 'None' | undefined
  tls?:
    | {
        backend?: { clientCertificateRef?: SecretObjectReference | undefined } | undefined
        frontend?: { default: FrontendTLS; perPort?: { port: number; tls: FrontendTLS }[] | undefined } | undefined
      }
    | undefined
}

export interface GatewayStatus {
  addresses?: GatewayAddress[] | undefined
  conditions?: Condition[] | undefined
  listeners?: ListenerStatus[] | undefined
  attachedListenerSets?: number | undefined
}

export interface Gateway extends KubeObject {
  spec: GatewaySpec
  status?: GatewayStatus | undefined
}

const SCHEMA = 'io.k8s.api.gateway.v1.Gateway'

export const gateways: KindDefinition<Gateway> = defineKind<Gateway>({
  group: GATEWAY_GROUP,
  version: 'v1',
  kind: 'Gateway',
  plural: 'gateways',
  shortNames: ['gtw'],
  categories: ['gateway-api'],
  namespaced: true,
  schema: SCHEMA,
  status: true,
  columns: [
    { name: 'Class', type: 'string', description: 'Class of the gateway.', value: ({ spec }) => spec?.gatewayClassName ?? '' },
    {
      name: 'Address',
      type: 'string',
      description: 'Where it can be reached.',
      value: ({ status }) => (status?.addresses ?? []).map(({ value }) => value ?? '').join(','),
    },
    {
      name: 'Programmed',
      type: 'string',
      description: 'Whether proxies run it.',
      value: ({ status }) => findCondition(status?.conditions, 'Programmed')?.status ?? '',
    },
  ],
  strategy: {
    setDefaults: ({ spec }) => defaultListeners(spec?.listeners),
    prepareForCreate: (object) => void (object.status = { conditions: pendingConditions('Accepted', 'Programmed') }),
    validate: (object) =>
      collectErrors((errors) => {
        checkBounds(errors, SCHEMA, '', object)
        if (object.spec) checkGateway(errors, object.spec)
      }),
  },
})

export const gatewaysV1beta1: KindDefinition<Gateway> = servedAs(gateways, 'v1beta1')

const HOST = /^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

function checkGateway(errors: FieldErrors, spec: Partial<GatewaySpec>): void {
  checkListeners(errors, spec.listeners ?? [])
  const addresses = spec.addresses ?? []
  addresses.forEach(({ type, value }, i) => {
    const field = `spec.addresses[${i}].value`
    if (value === undefined || (type !== 'IPAddress' && type !== 'Hostname')) return
    if (addresses.findIndex((other) => other.type === type && other.value === value) !== i) errors.duplicate(field, value)
    if (type === 'Hostname' && value !== '' && (value.length > 253 || !HOST.test(value))) {
      errors.invalid(field, value, 'must be empty or a host name in lower case such as example.com or *.example.com')
    }
  })
  checkLabelSelector(errors, 'spec.allowedListeners.namespaces.selector', spec.allowedListeners?.namespaces?.selector)
  const frontend = spec.tls?.frontend
  const ports = frontend?.perPort ?? []
  ports.forEach(({ port, tls }, i) => {
    if (ports.findIndex((other) => other.port === port) !== i) errors.duplicate(`spec.tls.frontend.perPort[${i}].port`, port)
    checkAuthorities(errors, `spec.tls.frontend.perPort[${i}].tls`, tls)
  })
  checkAuthorities(errors, 'spec.tls.frontend.default', frontend?.default)
}

function checkAuthorities(errors: FieldErrors, field: string, tls: FrontendTLS | undefined): void {
  tls?.validation?.caCertificateRefs?.forEach(({ kind, namespace }, i) => {
    if (kind === 'ClusterTrustBundle' && namespace !== undefined) {
      errors.forbidden(`${field}.validation.caCertificateRefs[${i}].namespace`, 'may not be set for a ClusterTrustBundle, which has none')
    }
  })
}
