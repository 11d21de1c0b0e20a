import { isIPv4 } from 'node:net'
import type { LabelSelector } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors, type FieldErrors } from '../../validation/field-errors.ts'
import { checkLabelSelector } from '../../validation/labels.ts'
import { checkAsn, checkBetween, checkIdentifier, checkUnicast, MAX_ASN } from './routing-checks.ts'

/** Restart without loss of traffic. Source: RFC 4724, RFC 8538. */
export interface GracefulRestart {
  /** Default true. */
  enabled?: boolean | undefined
  /** How long peers wait for our return, 1 to 4095. Default 120. */
  restartTimeSeconds?: number | undefined
  /** How long routes of a peer that came back are kept until it has sent them again. Default 360. */
  stalePathsTimeSeconds?: number | undefined
}

export interface RouterSpec {
  asn: number
  /** Absent: all nodes. Where several Routers select one node, the first by name wins. */
  nodeSelector?: LabelSelector | undefined
  /** Default: the IPv4 address of the node. */
  routerID?: string | undefined
  listen?: { addresses?: string[] | undefined; port?: number | undefined } | undefined
  advertise?:
    | {
        /** Default true. */
        podCIDRs?: boolean | undefined
        /** Default true. */
        loadBalancerIPs?: boolean | undefined
        /** Default false. */
        clusterIPs?: boolean | undefined
        /** Default false. */
        staticRoutes?: boolean | undefined
      }
    | undefined
  /** 1 to 64. Default 1. */
  maximumPaths?: number | undefined
  multipathRelax?: boolean | undefined
  gracefulRestart?: GracefulRestart | undefined
  /** Default: the router ID. */
  clusterID?: string | undefined
  /** Administrative distances. Default 20 and 200. */
  distances?: { external?: number | undefined; internal?: number | undefined } | undefined
  /** Defaults: true, 254 (main), 0. The metric is `metricBase` + distance. */
  kernel?: { install?: boolean | undefined; table?: number | undefined; metricBase?: number | undefined } | undefined
  /** Announce everything with GRACEFUL_SHUTDOWN. Source: RFC 8326. */
  drain?: boolean | undefined
}

export interface RouterNodeStatus {
  observedGeneration?: number | undefined
  routerID?: string | undefined
  peers?: number | undefined
  established?: number | undefined
  problems?: string[] | undefined
}

/** Cluster-scoped: makes nodes speak BGP. */
export interface Router extends KubeObject {
  spec: RouterSpec
  status?: { nodes?: { [node: string]: RouterNodeStatus } | undefined }
}

export const routers: KindDefinition<Router> = defineKind<Router>({
  group: 'routing.biplane.dev',
  version: 'v1alpha1',
  kind: 'Router',
  plural: 'routers',
  shortNames: ['rtr'],
  namespaced: false,
  schema: 'dev.biplane.routing.v1alpha1.Router',
  status: true,
  columns: [
    { name: 'ASN', type: 'integer', description: 'Autonomous system number.', value: ({ spec }) => spec?.asn ?? null },
    { name: 'Nodes', type: 'integer', description: 'Nodes that run it.', value: (router) => statuses(router).length },
    { name: 'Sessions', type: 'string', description: 'Sessions that are up, of all.', value: sessionsCell },
    { name: 'Drain', type: 'boolean', priority: 1, description: 'Traffic is being led away.', value: ({ spec }) => spec?.drain ?? false },
  ],
  strategy: { validate: ({ spec }) => collectErrors((errors) => checkRouter(errors, spec ?? {})) },
})

/** What both Router and BGPPeer say of graceful restart. */
export function checkGracefulRestart(errors: FieldErrors, field: string, value: GracefulRestart | undefined): void {
  // twelve bits on the wire
  checkBetween(errors, `${field}.restartTimeSeconds`, value?.restartTimeSeconds, 1, 4_095)
  checkBetween(errors, `${field}.stalePathsTimeSeconds`, value?.stalePathsTimeSeconds, 1, 86_400)
}

const statuses = ({ status }: Router): RouterNodeStatus[] => Object.values(status?.nodes ?? {})

function sessionsCell(router: Router): string {
  const sum = (field: 'peers' | 'established'): number => statuses(router).reduce((total, node) => total + (node[field] ?? 0), 0)
  return `${sum('established')}/${sum('peers')}`
}

function checkRouter(errors: FieldErrors, spec: Partial<RouterSpec>): void {
  if (spec.asn === undefined) errors.required('spec.asn', 'the number of the autonomous system, such as 64512')
  checkAsn(errors, 'spec.asn', spec.asn)
  checkLabelSelector(errors, 'spec.nodeSelector', spec.nodeSelector)
  checkIdentifier(errors, 'spec.routerID', spec.routerID)
  checkIdentifier(errors, 'spec.clusterID', spec.clusterID)
  spec.listen?.addresses?.forEach((address, i) => {
    const field = `spec.listen.addresses[${i}]`
    // 0.0.0.0 and :: stand for all of one family
    if (address !== '::' && !(isIPv4(address) && address === '0.0.0.0')) checkUnicast(errors, field, address, { zone: true })
  })
  checkBetween(errors, 'spec.listen.port', spec.listen?.port, 1, 65_535)
  checkBetween(errors, 'spec.maximumPaths', spec.maximumPaths, 1, 64)
  checkGracefulRestart(errors, 'spec.gracefulRestart', spec.gracefulRestart)
  checkBetween(errors, 'spec.distances.external', spec.distances?.external, 1, 255)
  checkBetween(errors, 'spec.distances.internal', spec.distances?.internal, 1, 255)
  checkBetween(errors, 'spec.kernel.table', spec.kernel?.table, 1, MAX_ASN)
  // the local table decides what is for this machine
  if (spec.kernel?.table === 255) errors.invalid('spec.kernel.table', 255, 'is the local table of the kernel, which is its own')
  checkBetween(errors, 'spec.kernel.metricBase', spec.kernel?.metricBase, 0, 2_147_483_000)
}
