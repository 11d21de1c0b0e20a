/**
 * Who a proxy is, and whom it believes.
 *
 *   workload-identity   the proxy's own key and certificate: made, signed, renewed, kept on disk
 *     plan-renewal      pure: when to ask for the next one
 *     identity-store    the file
 *   ask-certificate     asks the control plane to sign; ask-control-plane: any question, through the node agent
 *   given-identity      the same in another process of the proxy, which is told it
 *   mesh-tls            secure contexts of that identity, made once for each certificate and shared by all connections
 *   peer-identity       the SPIFFE ID of a peer, checked against the bundle of its own trust domain
 *   spiffe-id           the syntax of SPIFFE IDs
 */
export { askCertificate } from './ask-certificate.ts'
export { askControlPlane, type AskOptions } from './ask-control-plane.ts'
export { GivenIdentity, identityMessage, type IdentityMessage } from './given-identity.ts'
export { loadIdentity, saveIdentity, type StoredIdentity } from './identity-store.ts'
export { createMeshTls, type MeshTls } from './mesh-tls.ts'
export { PeerError, peerIdentity, spiffeIdOf, type TrustBundles } from './peer-identity.ts'
export { planRenewal, type HeldCertificate, type RenewalPlan, type WantedIdentity } from './plan-renewal.ts'
export { parseSpiffeId, type SpiffeId } from './spiffe-id.ts'
export { WorkloadIdentity, type IdentityMaterial, type WorkloadIdentityOptions } from './workload-identity.ts'
