/**
 * Identities of the mesh: SPIFFE X.509 certificates for service accounts.
 *
 *   authority      makes and opens the certificate authorities of a trust domain
 *   issue-leaf     signs a workload's certificate; the key never leaves the node that made it
 *   plan-rotation  pure: add trust, wait for every proxy, switch, retire
 *   mesh-authorities        the authorities of a trust domain, taken through their life
 *   secret-authority-store  where they are kept
 *
 * Sources: SPIFFE ID and X509-SVID specifications, RFC 5280.
 */
export { AUTHORITY_DAYS, authorityId, createAuthority, openAuthority, type AuthorityFiles, type MeshAuthority } from './authority.ts'
export { issueLeaf, LEAF_LIFE_MS, type IssuedLeaf, type LeafRequest } from './issue-leaf.ts'
export { planRotation, type AuthorityRecord, type RotationFacts, type RotationPlan, type RotationStep } from './plan-rotation.ts'
export {
  MeshAuthorities,
  type AuthorityStore,
  type MeshAuthoritiesOptions,
  type StoredAuthority,
  type TrustState,
} from './mesh-authorities.ts'
export { secretAuthorityStore, SYSTEM_NAMESPACE } from './secret-authority-store.ts'
