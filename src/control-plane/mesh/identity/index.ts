/**
 * Who proxies are, as the control plane sees it.
 *
 *   authenticate-proxy   token, node and certificate of a stream -> the workload it speaks for, or why not
 *   sign-certificate     a CSR of that workload -> its certificate
 */
export {
  authenticateProxy,
  RefusedProxy,
  spiffeIdOf,
  type Credentials,
  type ProxyAuthenticatorOptions,
  type ProxyIdentity,
} from './authenticate-proxy.ts'
export { signCertificate, SigningError } from './sign-certificate.ts'
