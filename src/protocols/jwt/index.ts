/**
 * JSON Web Tokens as a verifier sees them: bytes and keys in, claims or a reason out.
 *
 *   jwk-set      public keys of a key set (RFC 7517)
 *   verify-jwt   compact JWS taken apart, signature and claims checked (RFC 7515, 7518, 7519)
 *
 * Only asymmetric algorithms: a proxy never has a key that it could sign with. Pure but for node:crypto.
 */
export { JwksError, parseJwks, type JwkKey } from './jwk-set.ts'
export { JwtError, parseJwt, verifyJwt, type JwtErrorCode, type JwtExpectation, type ParsedJwt } from './verify-jwt.ts'
