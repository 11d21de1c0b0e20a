/**
 * Identities of the cluster: who signs, with what, for how long.
 *
 *   pki.ts                     the files in the data directory: CA, serving and admin certificates, service account key
 *   plan-certificates.ts       pure: which certificates there are, what is in them, when one is due for renewal
 *   key-files.ts               private files, written whole or not at all
 *   join-tokens.ts             short-lived tokens with which a node asks for its first certificate
 *   certificate-signer.ts      reconciler: approves requests of joining nodes, signs what is approved
 *   plan-signing.ts            pure: what to do with one CertificateSigningRequest
 *   service-account-tokens.ts  JWTs (ES256) bound to service accounts and pods
 */
export { addCertificateSigner } from './certificate-signer.ts'
export { createJoinTokens, formatJoinToken, type JoinToken, type JoinTokens } from './join-tokens.ts'
export { type ClientCertificateRequest, type KeyPair, loadOrCreatePki, type Pki, PkiError, type PkiOptions } from './pki.ts'
export {
  type ServiceAccountClaims,
  serviceAccountKeyId,
  serviceAccountUser,
  signServiceAccountToken,
  TokenError,
  type VerifiedToken,
  verifyServiceAccountToken,
} from './service-account-tokens.ts'
