import type { Condition } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import type { KubeObject } from '../../meta/object.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkAuthorization, checkAuthentication } from './mesh-request-checks.ts'

/** Whose proxies a policy is for. */
export interface MeshTargetRef {
  kind: 'Mesh' | 'Dataplane' | 'Gateway'
  name?: string | undefined
  namespace?: string | undefined
  labels?: { [label: string]: string } | undefined
  sectionName?: string | undefined
}

/** Exactly one field. */
export interface MeshStringMatch {
  exact?: string | undefined
  prefix?: string | undefined
  suffix?: string | undefined
  contains?: string | undefined
  regex?: string | undefined
  present?: boolean | undefined
}

export interface MeshNamedMatch extends MeshStringMatch {
  name: string
  invert?: boolean | undefined
}

export interface MeshBackendRef {
  kind?: 'Service' | 'MeshExternalService' | undefined
  name: string
  namespace?: string | undefined
  port: number
}

export interface MeshJwtProvider {
  name: string
  issuer: string
  audiences?: string[] | undefined
  jwks?: string | undefined
  remoteJwks?: { uri: string; backendRef: MeshBackendRef; timeout?: string | undefined; cacheDuration?: string | undefined } | undefined
  fromHeaders?: { name: string; prefix?: string | undefined }[] | undefined
  fromParams?: string[] | undefined
  forward?: boolean | undefined
  claimsToHeaders?: { claim: string; header: string }[] | undefined
}

/** Verifies tokens of requests. */
export interface MeshRequestAuthentication extends KubeObject {
  spec?: { targetRef?: MeshTargetRef | undefined; providers: MeshJwtProvider[]; required?: boolean | undefined } | undefined
  status?: { conditions?: Condition[] | undefined } | undefined
}

export interface MeshAuthorizationPeer {
  spiffeID?: MeshStringMatch | undefined
  namespaces?: string[] | undefined
  serviceAccounts?: string[] | undefined
  claims?: MeshNamedMatch[] | undefined
  sourceIPs?: string[] | undefined
  notSourceIPs?: string[] | undefined
}

export interface MeshAuthorizationRequest {
  methods?: string[] | undefined
  notMethods?: string[] | undefined
  paths?: MeshStringMatch[] | undefined
  notPaths?: MeshStringMatch[] | undefined
  hosts?: MeshStringMatch[] | undefined
  ports?: number[] | undefined
  headers?: MeshNamedMatch[] | undefined
}

export interface MeshAuthorizationRule {
  name?: string | undefined
  from?: MeshAuthorizationPeer[] | undefined
  to?: MeshAuthorizationRequest[] | undefined
}

export interface MeshAuthorizationSpec {
  targetRef?: MeshTargetRef | undefined
  action: 'Allow' | 'Deny' | 'Custom'
  rules?: MeshAuthorizationRule[] | undefined
  custom?:
    | {
        backendRef: MeshBackendRef
        protocol?: 'GRPC' | 'HTTP' | undefined
        timeout?: string | undefined
        failOpen?: boolean | undefined
        includeHeaders?: string[] | undefined
        upstreamHeaders?: string[] | undefined
        maxBodyBytes?: number | undefined
        pathPrefix?: string | undefined
      }
    | undefined
  dryRun?: boolean | undefined
}

/** Judges requests. */
export interface MeshAuthorizationPolicy extends KubeObject {
  spec?: MeshAuthorizationSpec | undefined
  status?: { conditions?: Condition[] | undefined } | undefined
}

const target = (ref: MeshTargetRef | undefined): string => (ref ? `${ref.kind}${ref.name ? `/${ref.name}` : ''}` : 'Namespace')

export const meshRequestAuthentications: KindDefinition<MeshRequestAuthentication> = defineKind<MeshRequestAuthentication>({
  group: 'biplane.dev',
  version: 'v1alpha1',
  kind: 'MeshRequestAuthentication',
  plural: 'meshrequestauthentications',
  namespaced: true,
  schema: 'dev.biplane.v1alpha1.MeshRequestAuthentication',
  status: true,
  columns: [
    { name: 'TargetRef', type: 'string', description: 'Whose proxies.', value: ({ spec }) => target(spec?.targetRef) },
    { name: 'Required', type: 'boolean', description: 'Whether a token must be there.', value: ({ spec }) => spec?.required ?? false },
  ],
  strategy: { validate: ({ spec }) => collectErrors((errors) => checkAuthentication(errors, spec)) },
})

export const meshAuthorizationPolicies: KindDefinition<MeshAuthorizationPolicy> = defineKind<MeshAuthorizationPolicy>({
  group: 'biplane.dev',
  version: 'v1alpha1',
  kind: 'MeshAuthorizationPolicy',
  plural: 'meshauthorizationpolicies',
  namespaced: true,
  schema: 'dev.biplane.v1alpha1.MeshAuthorizationPolicy',
  status: true,
  columns: [
    { name: 'Action', type: 'string', description: 'What becomes of requests that match.', value: ({ spec }) => spec?.action ?? '' },
    { name: 'Dry run', type: 'boolean', description: 'Judged but not enforced.', value: ({ spec }) => spec?.dryRun ?? false },
  ],
  strategy: { validate: ({ spec }) => collectErrors((errors) => checkAuthorization(errors, spec)) },
})
