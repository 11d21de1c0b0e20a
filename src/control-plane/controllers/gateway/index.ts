/**
 * Gateway API and Ingress in the control plane.
 *
 *   gateway-controller     watches, makes what runs gateways, writes statuses: the only part with I/O
 *   plan-status            which statuses are to be written; plan-gateway-, plan-listener-set-, plan-route-, plan-policy-status: one kind each
 *   plan-infrastructure    Deployment, Service and ServiceAccount of a gateway
 *   status-conditions      conditions with those of others left alone
 *   supported-features     what the status of our classes claims
 *
 * What is true is judged in policy/traffic/gateway-api, by the same functions whose result the compiler works on.
 */
export * from './gateway-controller.ts'
export * from './plan-infrastructure.ts'
export * from './plan-status.ts'
export { SUPPORTED_FEATURES } from './supported-features.ts'
