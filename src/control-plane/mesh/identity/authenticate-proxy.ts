import type { Pod } from '../../../api/generated/types.ts'
import type { VerifiedToken } from '../../pki/index.ts'
import { MESH_AUDIENCE } from '../../../protocols/mesh-link.ts'

/** Who a stream comes from. */
export interface ProxyIdentity {
  readonly namespace: string
  readonly serviceAccount: string
  /** Absent for a workload that is known by its certificate alone. */
  readonly pod?: { readonly name: string; readonly uid: string; readonly node: string }
}

/** Why a stream is refused, in gRPC's words: 16 UNAUTHENTICATED or 7 PERMISSION_DENIED. */
export class RefusedProxy extends Error {
  override readonly name = 'RefusedProxy'
  readonly code: 'Unauthenticated' | 'PermissionDenied'

  constructor(code: RefusedProxy['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** What a stream shows of itself. */
export interface Credentials {
  /** Node whose agent has passed the stream on; undefined: the peer came by itself. */
  readonly node?: string
  /** Value of `authorization`. */
  readonly authorization?: string
  /** SPIFFE ID of the peer's verified certificate. */
  readonly spiffeId?: string
}

export interface ProxyAuthenticatorOptions {
  /** Undefined: the token is not good for this audience. */
  readonly identify: (token: string, audience: string) => Promise<VerifiedToken | undefined>
  readonly podOf: (namespace: string, name: string) => Pod | undefined
  /** Trust domain of the mesh's own identities. */
  readonly trustDomain: () => string
}

/**
 * Decides who a stream comes from. A token that a node's agent has passed on counts only for a pod of that node: whoever has carried a token, or the
 * certificate of a node, to another machine cannot be a pod that does not run there. @throws {RefusedProxy}
 */
export async function authenticateProxy(credentials: Credentials, options: ProxyAuthenticatorOptions): Promise<ProxyIdentity> {
  const { node, authorization, spiffeId } = credentials
  if (authorization === undefined) {
    if (node === undefined && spiffeId !== undefined) return byCertificate(spiffeId, options.trustDomain())
    throw new RefusedProxy('Unauthenticated', `a token for audience "${MESH_AUDIENCE}" is needed (authorization: Bearer ...)`)
  }
  const [, token] = /^Bearer ([^\s]+)$/.exec(authorization) ?? []
  const claims = token === undefined ? undefined : await options.identify(token, MESH_AUDIENCE)
  if (!claims)
    throw new RefusedProxy('Unauthenticated', `the token is not good for audience "${MESH_AUDIENCE}", or its account or pod is gone`)
  const { namespace, serviceAccount } = claims
  if (!claims.pod) throw new RefusedProxy('PermissionDenied', 'the token is not bound to a pod')
  const pod = options.podOf(namespace, claims.pod.name)
  if (pod?.metadata.uid !== claims.pod.uid)
    throw new RefusedProxy('PermissionDenied', `pod ${namespace}/${claims.pod.name} is not known (yet)`)
  const where = pod.spec?.nodeName ?? ''
  if (node !== undefined && node !== where) {
    throw new RefusedProxy(
      'PermissionDenied',
      `pod ${namespace}/${claims.pod.name} runs on node "${where}", its token came from node "${node}"`,
    )
  }
  return { namespace, serviceAccount: serviceAccount.name, pod: { name: claims.pod.name, uid: claims.pod.uid, node: where } }
}

function byCertificate(spiffeId: string, trustDomain: string): ProxyIdentity {
  const [, domain, namespace, serviceAccount] = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(spiffeId) ?? []
  if (namespace === undefined || serviceAccount === undefined) {
    throw new RefusedProxy('PermissionDenied', `${spiffeId} names no service account`)
  }
  if (domain !== trustDomain) throw new RefusedProxy('PermissionDenied', `${spiffeId} is not of trust domain ${trustDomain}`)
  return { namespace, serviceAccount }
}

/** SPIFFE ID of a service account. Kuma's and Istio's path. */
export function spiffeIdOf(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`
}
